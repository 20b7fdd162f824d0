-- The journal's way into the tables, and reading of call records. Named blocks, loaded by number_registry/store/queries.py.

-- name: hold_calls
-- One writer of call records at a time, on however many hosts: the fold reads, decides and writes.
SELECT pg_advisory_xact_lock(1885563750, 1);

-- name: journal_places
SELECT name, id, read_to, finished_at IS NOT NULL AS finished FROM journal_files WHERE name = ANY($1::text[]);

-- name: add_journal_files
INSERT INTO journal_files (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING;

-- name: move_journal_files
-- Counts only files that still stand where they were read from: the caller compares the number of rows.
UPDATE journal_files f SET read_to = moved.read_to
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS moved (id, was, read_to)
WHERE f.id = moved.id AND f.read_to = moved.was
RETURNING f.id;

-- name: finish_journal_file
UPDATE journal_files SET finished_at = now() WHERE id = $1;

-- name: add_call_events
INSERT INTO call_events (file_id, at_byte, call_id, at, kind, data)
SELECT file_id, at_byte, call_id, at, kind, data::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
     AS e (file_id, at_byte, call_id, at, kind, data);

-- name: add_journal_rejects
INSERT INTO journal_rejects (file_id, at_byte, kind, length, raw, why)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[], $6::text[]);

-- name: call_states
SELECT id, state::text FROM calls WHERE id = ANY($1::text[]);

-- name: open_call_states
SELECT id, state::text FROM calls WHERE phase <> 'ended';

-- name: put_calls
INSERT INTO calls (id, phase, direction, source, target, carrier, pbx, trunk, source_address, caller, called, shown, dialled, verdict,
                   rules, attempts, destination, started_at, ring_at, answered_at, ended_at, end_side, end_how,
                   final_status, cause, pdd_ms, talk_ms, first_leg, joined_by, deal, agent, leg, state, tries)
SELECT id, phase, direction, source, target, carrier, pbx, trunk, source_address, caller, called, shown, dialled, verdict,
       rules::jsonb, attempts, destination, started_at, ring_at, answered_at, ended_at, end_side, end_how,
       final_status, cause, pdd_ms, talk_ms, first_leg, joined_by, deal, agent, leg, state::jsonb, tries::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
            $16::int[], $17::text[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[],
            $21::timestamptz[], $22::text[], $23::text[], $24::int[], $25::text[], $26::bigint[],
            $27::bigint[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[])
     AS c (id, phase, direction, source, target, carrier, pbx, trunk, source_address, caller, called, shown, dialled, verdict,
           rules, attempts, destination, started_at, ring_at, answered_at, ended_at, end_side, end_how,
           final_status, cause, pdd_ms, talk_ms, first_leg, joined_by, deal, agent, leg, state, tries)
ON CONFLICT (id) DO UPDATE SET
    -- what was joined afterwards stays joined
    first_leg = coalesce(excluded.first_leg, calls.first_leg),
    joined_by = CASE WHEN excluded.joined_by = '' THEN calls.joined_by ELSE excluded.joined_by END,
    phase = excluded.phase, direction = excluded.direction,
    source = excluded.source, target = excluded.target, carrier = excluded.carrier, pbx = excluded.pbx,
    trunk = excluded.trunk, source_address = excluded.source_address, caller = excluded.caller,
    called = excluded.called, shown = excluded.shown, dialled = excluded.dialled, verdict = excluded.verdict,
    rules = excluded.rules, attempts = excluded.attempts, destination = excluded.destination,
    started_at = excluded.started_at, ring_at = excluded.ring_at, answered_at = excluded.answered_at,
    ended_at = excluded.ended_at, end_side = excluded.end_side, end_how = excluded.end_how,
    final_status = excluded.final_status, cause = excluded.cause, pdd_ms = excluded.pdd_ms,
    talk_ms = excluded.talk_ms, deal = excluded.deal, agent = excluded.agent, leg = excluded.leg, state = excluded.state, tries = excluded.tries, changed_at = now();

-- name: list_calls
-- Newest first; ($2, $3) is the place of the last row already seen, both null for the first page.
SELECT id, phase, direction, source, target, carrier, pbx, trunk, source_address, caller, called, shown, dialled, verdict, rules,
       attempts, destination, started_at, ring_at, answered_at, ended_at, end_side, end_how, final_status, cause,
       pdd_ms, talk_ms, tries, conversation, joined_by, deal, agent, leg
FROM calls
WHERE ($2::timestamptz IS NULL OR (started_at, id) < ($2, $3::text))
  AND ($4::text IS NULL OR phase = $4)
  AND ($5::text IS NULL OR direction = $5)
ORDER BY started_at DESC, id DESC
LIMIT $1;

-- name: show_call
SELECT id, phase, direction, source, target, carrier, pbx, trunk, source_address, caller, called, shown, dialled, verdict, rules,
       attempts, destination, started_at, ring_at, answered_at, ended_at, end_side, end_how, final_status, cause,
       pdd_ms, talk_ms, tries, conversation, joined_by, deal, agent, leg
FROM calls WHERE id = $1;

-- name: show_legs
-- Every leg of the conversation that this call belongs to, in the order of their beginning.
SELECT l.id, l.phase, l.direction, l.source, l.target, l.caller, l.called, l.shown, l.started_at, l.answered_at, l.ended_at,
       l.final_status, l.cause, l.talk_ms, l.joined_by, l.deal, l.agent, l.leg
FROM calls c JOIN calls l ON l.conversation = c.conversation
WHERE c.id = $1 ORDER BY l.started_at, l.id;

-- name: list_conversations
-- As list_calls, one line for each conversation: what its first leg tells, and how many legs it has.
SELECT * FROM conversations
WHERE ($2::timestamptz IS NULL OR (started_at, id) < ($2, $3::text))
  AND ($4::text IS NULL OR phase = $4)
  AND ($5::text IS NULL OR direction = $5)
ORDER BY started_at DESC, id DESC
LIMIT $1;

-- name: join_legs
-- Legs that PBXs sent without our correlation ($1) go to the one call that was at that PBX then: of the same client ($2), or to
-- one of the numbers that diverted them ($3). Where there are several, nobody can say which, and the leg stays alone.
WITH leg AS (
    SELECT c.id, c.source, c.started_at, l.client, l.did, string_to_array('+' || replace(l.did, ',', ',+'), ',') AS dids
    FROM unnest($1::text[], $2::text[], $3::text[]) AS l (id, client, did)
    JOIN calls c ON c.id = l.id AND c.conversation = c.id
), found AS (
    SELECT leg.id, h.conversation, 'caller' AS joined_by
    FROM leg JOIN calls h ON h.verdict = 'pbx' AND h.target = leg.source AND h.caller = leg.client
    WHERE leg.client <> '' AND (leg.did = '' OR h.called = ANY(leg.dids)) AND h.id <> leg.id
      AND h.started_at BETWEEN leg.started_at - interval '6 hours' AND leg.started_at
      AND (h.ended_at IS NULL OR h.ended_at >= leg.started_at)
    UNION ALL
    SELECT leg.id, h.conversation, 'diversion'
    FROM leg JOIN calls h ON h.phase <> 'ended' AND h.verdict = 'pbx' AND h.target = leg.source
    WHERE leg.client = '' AND leg.did <> '' AND h.called = ANY(leg.dids) AND h.id <> leg.id
      AND h.started_at <= leg.started_at
)
UPDATE calls c SET first_leg = one.conversation, joined_by = one.joined_by
FROM (SELECT id, min(conversation) AS conversation, min(joined_by) AS joined_by
      FROM found GROUP BY id HAVING count(DISTINCT conversation) = 1) one
WHERE c.id = one.id;

-- name: join_onwards
-- A leg whose first leg turned out to be a later one of another conversation belongs there too.
UPDATE calls c SET first_leg = p.conversation
FROM calls p
WHERE p.id = c.conversation AND p.conversation <> p.id AND (c.id = ANY($1::text[]) OR p.id = ANY($1::text[]));

-- name: show_call_events
SELECT e.at, e.kind, e.data, f.name AS file, e.at_byte
FROM call_events e JOIN journal_files f ON f.id = e.file_id
WHERE e.call_id = $1 ORDER BY e.at, f.id, e.at_byte;

-- name: ported_by_calls
-- Tenancies that wait for their first call and are among these calls (number, carrier, when, id); the earliest call of each.
SELECT DISTINCT ON (t.id) t.id AS tenancy, t.e164, c.call_id
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[]) AS c (e164, carrier, at, call_id)
JOIN tenancies t ON t.e164 = c.e164 AND t.state = 'porting_in'
JOIN contracts o ON o.id = t.contract_id
JOIN carriers k ON k.id = o.carrier_id AND k.name = c.carrier
WHERE c.at >= t.state_since
ORDER BY t.id, c.at;

-- name: ported
-- The contract that it leaves may still say in_service: nobody told us that its porting out had begun, and now it has.
UPDATE tenancies t
SET state = CASE WHEN t.id = new.id THEN 'in_service' ELSE 'porting_out' END::number_state
FROM tenancies new
WHERE new.id = $1 AND new.state = 'porting_in' AND t.e164 = new.e164
  AND (t.id = new.id OR t.state = 'in_service');

-- name: trunks_in_use
-- Calls that are up, by the trunk they use. Calls that a carrier brings and another one takes use two.
SELECT carrier, trunk, count(*) AS used FROM calls
WHERE phase <> 'ended' AND carrier <> '' AND trunk <> '' GROUP BY carrier, trunk;

-- name: trunk_failures
-- The newest failure of each trunk in the last day: of a call that failed there, or went on elsewhere after it. A person who
-- is busy, declines or hangs up (486, 600, 603, 487) is no failure of a trunk, nor is a number that does not exist (404, 604).
WITH failures AS (
    SELECT carrier, trunk, started_at AS at, final_status AS status, 0 AS q850, cause, id AS call
    FROM calls
    WHERE direction = 'out' AND verdict = 'carrier' AND tries = '[]' AND end_how IN ('failed', 'timeout')
      AND started_at > now() - interval '1 day'
    UNION ALL
    SELECT t.value ->> 'to', t.value ->> 'trunk', to_timestamp((t.value ->> 'at_ms')::bigint / 1000.0),
           (t.value ->> 'status')::int, (t.value ->> 'q850')::int, '', c.id
    FROM calls c CROSS JOIN jsonb_array_elements(c.tries) AS t
    WHERE c.tries <> '[]' AND c.started_at > now() - interval '1 day'
      AND t.value ? 'status' AND t.value ->> 'trunk' <> ''
)
SELECT DISTINCT ON (carrier, trunk) carrier, trunk, at, status, q850, cause, call FROM failures
WHERE status NOT IN (404, 486, 487, 600, 603, 604)
ORDER BY carrier, trunk, at DESC;
