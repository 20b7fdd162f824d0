-- Operations on numbers: what is chosen, compared, written, recorded and taken back. Used by number_registry/operations.

-- name: act_as
-- Whose name history tells, for this transaction.
SELECT set_config('portgate.actor', $1, true);

-- name: allow_undo
SELECT set_config('portgate.undo', 'on', true);

-- name: operate_alone
-- One operation at a time: each compares, then writes.
SELECT pg_advisory_xact_lock(1885563750, 2);

-- name: find_numbers
-- $1, $2: first and last of ranges, both null for all. The other filters are null or names.
-- One line per number; the tenancy that answers comes first, as it does in what is published.
SELECT n.e164, c.name AS city, coalesce(t.carrier, '') AS carrier, coalesce(p.name, '') AS pbx,
       coalesce(t.state, '') AS state, coalesce(d.name, '') AS department, n.scenario::text AS scenario,
       coalesce(t.rented_through, '') AS rented_through, coalesce(g.name, '') AS attachment,
       n.recording::text AS recording, coalesce(t.contract, '') AS contract, coalesce(t.addendum, '') AS addendum,
       coalesce(q.name, '') AS shared_with, coalesce(g.percent, 0) AS percent
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
LEFT JOIN pbxs q ON q.id = g.other_pbx_id
LEFT JOIN LATERAL (
    SELECT k.name AS carrier, t.state::text, m.name AS rented_through, o.name AS contract, t.addendum
    FROM tenancies t
    JOIN contracts o ON o.id = t.contract_id
    JOIN carriers k ON k.id = o.carrier_id
    LEFT JOIN pbxs m ON m.id = o.rented_through
    WHERE t.e164 = n.e164
      AND ($6::text IS NULL OR k.name = $6)
      AND ($7::text IS NULL OR t.state::text = $7)
      AND ($8::text IS NULL OR o.name = $8)
      AND ($9::text IS NULL OR m.name = $9)
    ORDER BY array_position(
        '{in_service,porting_out,porting_in,suspended,reserved,released,cooling}'::number_state[], t.state), t.id
    LIMIT 1
) t ON true
WHERE ($1::bigint[] IS NULL OR EXISTS (
           SELECT FROM unnest($1, $2::bigint[]) AS r (first, last) WHERE n.e164 BETWEEN r.first AND r.last))
  AND ($3::text IS NULL OR c.name = $3)
  AND ($4::text IS NULL OR d.name = $4)
  AND ($5::text IS NULL OR p.name = $5)
  AND (coalesce($6, $7, $8, $9) IS NULL OR t.state IS NOT NULL)
  AND ($10::text IS NULL OR n.scenario::text = $10)
ORDER BY n.e164
LIMIT $11;

-- name: export_numbers
-- One line per number and contract; every column is one that an import reads.
SELECT n.e164, c.name AS city, coalesce(d.name, '') AS department, coalesce(g.name, '') AS attachment,
       coalesce(p.name, '') AS pbx, n.scenario::text AS scenario, n.recording::text AS recording,
       coalesce(o.name, '') AS contract, coalesce(k.name, '') AS carrier, coalesce(m.name, '') AS rented_through,
       coalesce(t.addendum, '') AS addendum, coalesce(t.state::text, '') AS state
FROM unnest($1::bigint[]) AS wanted (e164)
JOIN numbers n USING (e164)
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
LEFT JOIN tenancies t ON t.e164 = n.e164
LEFT JOIN contracts o ON o.id = t.contract_id
LEFT JOIN carriers k ON k.id = o.carrier_id
LEFT JOIN pbxs m ON m.id = o.rented_through
ORDER BY n.e164, t.id;

-- name: images_of
SELECT e164, image FROM number_images WHERE e164 = ANY($1::bigint[]);

-- name: names_cities
SELECT name FROM cities;

-- name: names_departments
SELECT name FROM departments;

-- name: names_carriers
SELECT name FROM carriers;

-- name: names_pbxs
SELECT name FROM pbxs;

-- name: names_attachments
-- Groups that were made for a move belong to it: nothing else is put into them by itself.
SELECT g.name, coalesce(p.name, '') AS pbx, EXISTS (SELECT FROM moves m WHERE m.group_id = g.id) AS moved
FROM attachment_groups g LEFT JOIN pbxs p ON p.id = g.pbx_id;

-- name: names_contracts
SELECT o.name, k.name AS carrier, coalesce(m.name, '') AS rented_through
FROM contracts o JOIN carriers k ON k.id = o.carrier_id LEFT JOIN pbxs m ON m.id = o.rented_through;

-- name: tenancies_of
SELECT o.name AS contract, k.name AS carrier, coalesce(m.name, '') AS rented_through, t.state::text AS state,
       t.addendum, t.state_since, t.created_at
FROM tenancies t
JOIN contracts o ON o.id = t.contract_id
JOIN carriers k ON k.id = o.carrier_id
LEFT JOIN pbxs m ON m.id = o.rented_through
WHERE t.e164 = $1 ORDER BY t.id;

-- === writing =======================================================================================================

-- name: add_operation
INSERT INTO operations (actor, verb, summary, made, undoes) VALUES ($1, $2, $3, $4, $5) RETURNING id;

-- name: incoming_table
CREATE TEMP TABLE incoming (e164 bigint, before text, after text) ON COMMIT DROP;

-- name: take_incoming
INSERT INTO operation_numbers (operation_id, e164, before, after)
SELECT $1::bigint, e164, before::jsonb, after::jsonb FROM incoming;

-- name: analyze_operation_numbers
ANALYZE operation_numbers;

-- name: reverse_operation
INSERT INTO operation_numbers (operation_id, e164, before, after)
SELECT $1::bigint, e164, after, before FROM operation_numbers WHERE operation_id = $2;

-- name: where_moves_left_them
-- A move that was taken back, or only prepared, leaves its numbers in a group of its own that points where theirs does: that
-- is no change that an undo would overwrite, and it leaves them there where the attachment is not what it takes back.
UPDATE operation_numbers o
SET before = jsonb_set(o.before, '{attachment}', to_jsonb(g.name)),
    after = CASE WHEN o.after ->> 'attachment' = o.before ->> 'attachment'
                 THEN jsonb_set(o.after, '{attachment}', to_jsonb(g.name)) ELSE o.after END
FROM numbers n JOIN attachment_groups g ON g.id = n.group_id, attachment_groups was
WHERE o.operation_id = $1 AND n.e164 = o.e164 AND was.name = o.before ->> 'attachment' AND was.id <> g.id
  AND (was.pbx_id, was.other_pbx_id, was.percent) IS NOT DISTINCT FROM (g.pbx_id, g.other_pbx_id, g.percent)
  AND EXISTS (SELECT FROM moves m WHERE m.group_id = g.id);

-- name: hold_tenancies
-- Calls put numbers into service beside us: not between our look and our write.
SELECT count(*) FROM (
    SELECT FROM tenancies t JOIN operation_numbers o USING (e164)
    WHERE o.operation_id = $1 AND o.before IS NOT NULL FOR UPDATE OF t) held;

-- name: operation_conflicts
SELECT o.e164, o.before, i.image AS now
FROM operation_numbers o LEFT JOIN number_images i USING (e164)
WHERE o.operation_id = $1 AND i.image IS DISTINCT FROM o.before
ORDER BY o.e164 LIMIT 5;

-- name: make_city
INSERT INTO cities (name) VALUES ($1);

-- name: make_department
INSERT INTO departments (name) VALUES ($1);

-- name: make_attachment
INSERT INTO attachment_groups (name, pbx_id) VALUES ($1, (SELECT id FROM pbxs WHERE name = $2));

-- name: make_contract
INSERT INTO contracts (name, carrier_id, rented_through)
VALUES ($1, (SELECT id FROM carriers WHERE name = $2), (SELECT id FROM pbxs WHERE name = $3));

-- name: unmake_city
-- One that a migration tells of stays, without numbers.
DELETE FROM cities c WHERE name = $1 AND NOT EXISTS (SELECT FROM numbers n WHERE n.city_id = c.id)
    AND NOT EXISTS (SELECT FROM sites s WHERE s.city_id = c.id)
    AND NOT EXISTS (SELECT FROM waves w WHERE w.city_id = c.id);

-- name: unmake_department
DELETE FROM departments d WHERE name = $1 AND NOT EXISTS (SELECT FROM numbers n WHERE n.department_id = d.id);

-- name: unmake_attachment
DELETE FROM attachment_groups g WHERE name = $1 AND NOT EXISTS (SELECT FROM numbers n WHERE n.group_id = g.id)
    AND NOT EXISTS (SELECT FROM moves m WHERE m.group_id = g.id);

-- name: unmake_contract
DELETE FROM contracts o WHERE name = $1 AND NOT EXISTS (SELECT FROM tenancies t WHERE t.contract_id = o.id);

-- name: insert_numbers
INSERT INTO numbers (e164, city_id, department_id, group_id, scenario, recording)
SELECT o.e164, c.id, d.id, g.id, (o.after ->> 'scenario')::scenario, (o.after ->> 'recording')::recording_override
FROM operation_numbers o
JOIN cities c ON c.name = o.after ->> 'city'
LEFT JOIN departments d ON d.name = o.after ->> 'department'
LEFT JOIN attachment_groups g ON g.name = o.after ->> 'attachment'
WHERE o.operation_id = $1 AND o.before IS NULL
ORDER BY o.e164;

-- name: update_numbers
UPDATE numbers n
SET city_id = c.id, department_id = d.id, group_id = g.id,
    scenario = (o.after ->> 'scenario')::scenario, recording = (o.after ->> 'recording')::recording_override
FROM operation_numbers o
JOIN cities c ON c.name = o.after ->> 'city'
LEFT JOIN departments d ON d.name = o.after ->> 'department'
LEFT JOIN attachment_groups g ON g.name = o.after ->> 'attachment'
WHERE o.operation_id = $1 AND n.e164 = o.e164 AND o.before IS NOT NULL
  AND o.before - 'tenancies' <> o.after - 'tenancies';

-- name: delete_tenancies
DELETE FROM tenancies t
USING operation_numbers o, contracts k
WHERE o.operation_id = $1 AND t.e164 = o.e164 AND k.id = t.contract_id AND o.before IS NOT NULL
  AND (o.before -> 'tenancies') IS DISTINCT FROM (o.after -> 'tenancies')
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(o.after -> 'tenancies') AS x WHERE x ->> 0 = k.name);

-- name: update_tenancies
-- $2: those that end come first, because one that begins may take their slot.
UPDATE tenancies t
SET state = (x ->> 1)::number_state, addendum = x ->> 2, slot = (x ->> 3)::smallint
FROM operation_numbers o
CROSS JOIN LATERAL jsonb_array_elements(o.after -> 'tenancies') AS x
JOIN contracts k ON k.name = x ->> 0
WHERE o.operation_id = $1 AND t.e164 = o.e164 AND t.contract_id = k.id AND o.before IS NOT NULL
  AND o.before -> 'tenancies' <> o.after -> 'tenancies'
  AND (t.state::text, t.addendum, t.slot) IS DISTINCT FROM (x ->> 1, x ->> 2, (x ->> 3)::smallint)
  AND ((x ->> 1)::number_state >= 'released') = $2::boolean;

-- name: insert_tenancies
INSERT INTO tenancies (e164, contract_id, addendum, slot, state)
SELECT o.e164, k.id, x ->> 2, (x ->> 3)::smallint, (x ->> 1)::number_state
FROM operation_numbers o
CROSS JOIN LATERAL jsonb_array_elements(o.after -> 'tenancies') AS x
JOIN contracts k ON k.name = x ->> 0
WHERE o.operation_id = $1 AND (o.before -> 'tenancies') IS DISTINCT FROM (o.after -> 'tenancies')
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(o.before -> 'tenancies') AS was WHERE was ->> 0 = k.name)
ORDER BY o.e164, x ->> 3;

-- name: delete_numbers
DELETE FROM numbers n USING operation_numbers o
WHERE o.operation_id = $1 AND n.e164 = o.e164 AND o.after IS NULL;

-- === what was done =================================================================================================

-- name: list_operations
SELECT o.id, o.at, o.actor, o.verb, o.summary, o.undoes,
       (SELECT u.id FROM operations u WHERE u.undoes = o.id) AS undone_by
FROM operations o WHERE ($2::text IS NULL OR o.verb ~ $2) ORDER BY o.id DESC LIMIT $1;

-- name: operation
SELECT o.id, o.at, o.actor, o.verb, o.summary, o.made, o.undoes,
       (SELECT u.id FROM operations u WHERE u.undoes = o.id) AS undone_by,
       (SELECT min(m.id) FROM moves m WHERE m.operation_id = o.id) AS move_id
FROM operations o WHERE o.id = $1;

-- name: last_operation
-- The newest that can be taken back, of verbs that match $1.
SELECT o.id FROM operations o
WHERE o.undoes IS NULL AND o.verb ~ $1 AND NOT EXISTS (SELECT FROM operations u WHERE u.undoes = o.id)
ORDER BY o.id DESC LIMIT 1;

-- name: operation_changes
SELECT e164, before, after FROM operation_numbers WHERE operation_id = $1 ORDER BY e164;

-- name: number_history
-- Everything that happened to one number, by names: its own changes, and those of its groups while it was in them.
WITH own AS (
    SELECT at, field, contract_id, before, after, actor FROM number_history WHERE e164 = $1
), moved AS (
    SELECT at, before::int AS before, after::int AS after FROM own WHERE field = 'group'
), stays AS (
    SELECT after AS group_id, at AS since, lead(at) OVER (ORDER BY at) AS until FROM moved
    UNION ALL
    SELECT coalesce((SELECT before FROM moved ORDER BY at LIMIT 1),
                    CASE WHEN NOT EXISTS (SELECT FROM moved) THEN n.group_id END),
           n.created_at, (SELECT min(at) FROM moved)
    FROM numbers n WHERE n.e164 = $1
)
SELECT o.at, CASE o.field WHEN 'group' THEN 'attachment' ELSE o.field END AS field, coalesce(k.name, '') AS contract,
       coalesce(CASE o.field WHEN 'group' THEN (SELECT name FROM attachment_groups WHERE id = o.before::int)
                             WHEN 'city' THEN (SELECT name FROM cities WHERE id = o.before::int)
                             WHEN 'department' THEN (SELECT name FROM departments WHERE id = o.before::int)
                             ELSE o.before END, '') AS before,
       coalesce(CASE o.field WHEN 'group' THEN (SELECT name FROM attachment_groups WHERE id = o.after::int)
                             WHEN 'city' THEN (SELECT name FROM cities WHERE id = o.after::int)
                             WHEN 'department' THEN (SELECT name FROM departments WHERE id = o.after::int)
                             ELSE o.after END, '') AS after,
       o.actor
FROM own o LEFT JOIN contracts k ON k.id = o.contract_id
UNION ALL
SELECT h.at, 'pbx', '',
       coalesce(b.name, '') || CASE WHEN h.before_percent > 0 THEN format(', %s %% %s', h.before_percent, bo.name) ELSE '' END,
       coalesce(a.name, '') || CASE WHEN h.after_percent > 0 THEN format(', %s %% %s', h.after_percent, ao.name) ELSE '' END,
       h.actor
FROM stays s
JOIN attachment_history h ON h.group_id = s.group_id AND h.at >= s.since AND (s.until IS NULL OR h.at < s.until)
LEFT JOIN pbxs b ON b.id = h.before
LEFT JOIN pbxs a ON a.id = h.after
LEFT JOIN pbxs bo ON bo.id = h.before_other
LEFT JOIN pbxs ao ON ao.id = h.after_other
UNION ALL
SELECT t.created_at, 'contract', k.name, '', k.name, ''
FROM tenancies t JOIN contracts k ON k.id = t.contract_id WHERE t.e164 = $1
ORDER BY at;
