-- Moving numbers to another PBX: gathering them in one group, and turning its pointer. Used by number_registry/operations/moves.py.

-- name: move_pbx
SELECT p.id, p.name, p.state::text AS state,
       (SELECT count(*) FROM pbx_addresses a WHERE a.pbx_id = p.id AND a.state = 'in_service')
       + CASE p.profile ->> 'trust' WHEN 'register' THEN 1 ELSE 0 END AS addresses
FROM pbxs p WHERE p.name = $1;

-- name: move_candidates
-- The arguments of find_numbers without carrier, state and the like; every chosen number with where it points now.
SELECT n.e164, c.name AS city, coalesce(d.name, '') AS department, n.group_id,
       coalesce(p.name, '') AS pbx, coalesce(q.name, '') AS other, coalesce(g.percent, 0) AS percent,
       coalesce(t.states, '') AS state, coalesce(t.answered, false) AS answered
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
LEFT JOIN pbxs q ON q.id = g.other_pbx_id
LEFT JOIN LATERAL (
    SELECT string_agg(state::text, '/') AS states, bool_or(state IN ('porting_in', 'in_service', 'porting_out')) AS answered
    FROM tenancies WHERE e164 = n.e164 AND state < 'released'
) t ON true
WHERE ($1::bigint[] IS NULL OR EXISTS (
           SELECT FROM unnest($1, $2::bigint[]) AS r (first, last) WHERE n.e164 BETWEEN r.first AND r.last))
  AND ($3::text IS NULL OR c.name = $3)
  AND ($4::text IS NULL OR d.name = $4)
  AND ($5::text IS NULL OR p.name = $5)
ORDER BY n.e164;

-- name: live_calls_of
-- Calls that are not over, by our number.
SELECT ours AS e164, count(*) AS calls FROM calls
WHERE phase <> 'ended' AND ours IS NOT NULL AND pbx = $1
GROUP BY ours;

-- name: open_move
-- The same question asked again goes on with what was begun.
SELECT id, state, group_id FROM moves
WHERE kind = $1 AND from_pbx = $2 AND to_pbx = $3 AND percent = $4 AND asked = $5 AND state IN ('preparing', 'prepared');

-- name: groups_of_moves
-- Groups made for a move that point to this PBX, and how many numbers each has.
SELECT g.id, g.name, count(n.e164) AS numbers
FROM attachment_groups g LEFT JOIN numbers n ON n.group_id = g.id
WHERE g.pbx_id = $1 AND EXISTS (SELECT FROM moves m WHERE m.group_id = g.id) AND g.id = ANY($2::int[])
GROUP BY g.id;

-- name: make_move_group
-- It points exactly where its numbers point already.
INSERT INTO attachment_groups (name, pbx_id, other_pbx_id, percent)
SELECT $1 || ' ' || (coalesce(max(id), 0) + 1), $2, (SELECT id FROM pbxs WHERE name = $3), $4 FROM moves
RETURNING id;

-- name: add_move
INSERT INTO moves (kind, from_pbx, to_pbx, percent, group_id, asked, actor) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id;

-- name: drop_move_numbers
DELETE FROM move_numbers WHERE move_id = $1 AND e164 <> ALL($2::bigint[]);

-- name: add_move_numbers
INSERT INTO move_numbers (move_id, e164) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING;

-- name: analyze_move_numbers
ANALYZE move_numbers;

-- name: count_move_numbers
UPDATE moves SET numbers = $2, state = 'preparing' WHERE id = $1;

-- name: strangers
-- Numbers that joined a move's group without being planned for it.
SELECT count(*) FROM moves m JOIN numbers n ON n.group_id = m.group_id
WHERE m.id = $1 AND NOT EXISTS (SELECT FROM move_numbers x WHERE x.move_id = m.id AND x.e164 = n.e164);

-- name: forget_other_moves
-- What was gathered in this group for another target is not flipped any more.
UPDATE moves SET state = 'undone' WHERE group_id = $1 AND state IN ('preparing', 'prepared');

-- name: move
SELECT m.id, m.kind, m.state, m.group_id, m.percent, m.from_pbx, m.to_pbx, m.was_other, m.was_percent, m.operation_id,
       f.name AS from_name, t.name AS to_name, g.name AS group_name,
       m.numbers
FROM moves m
JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx JOIN attachment_groups g ON g.id = m.group_id
WHERE m.id = $1;

-- name: next_of_move
SELECT e164 FROM move_numbers WHERE move_id = $1 AND e164 > $2 ORDER BY e164 LIMIT $3;

-- name: gather
-- These numbers into a move's group, $2: those that still point to the PBX it starts from, $3. A join instead of the
-- sub-select lets the planner begin with all numbers of that PBX.
UPDATE numbers n SET group_id = $2
WHERE n.e164 = ANY($1::bigint[]) AND n.group_id <> $2
  AND (SELECT g.pbx_id FROM attachment_groups g WHERE g.id = n.group_id) = $3;

-- name: count_gathered
SELECT count(*) FROM moves m JOIN move_numbers x ON x.move_id = m.id
JOIN numbers n ON n.e164 = x.e164 AND n.group_id = m.group_id
WHERE m.id = $1;

-- name: move_is_prepared
UPDATE moves SET state = 'prepared', prepared_at = now() WHERE id = $1 AND state = 'preparing';

-- name: newest_change
SELECT coalesce(max(id), 0) FROM publish_changes;

-- name: count_changes
SELECT count(*) FROM publish_changes WHERE id <= $1;

-- name: changes_waiting
-- Whether some publisher has these before it; where none works (it holds lock $2) nobody is waited for.
SELECT EXISTS (SELECT FROM publish_changes WHERE id <= $1)
   AND EXISTS (SELECT FROM pg_locks
               WHERE locktype = 'advisory' AND classid = 0 AND objid = $2::oid AND objsubid = 1 AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));

-- name: flip
-- The one pointer. Nothing is updated where somebody else has turned it since the plan.
UPDATE attachment_groups SET pbx_id = $3, other_pbx_id = $4, percent = $5
WHERE id = $1 AND pbx_id = $2
RETURNING id;

-- name: shares_of_group
SELECT other_pbx_id, percent FROM attachment_groups WHERE id = $1 FOR UPDATE;

-- name: move_is_applied
UPDATE moves SET state = 'applied', operation_id = $2, was_other = $3, was_percent = $4 WHERE id = $1;

-- name: move_is_undone
UPDATE moves SET state = 'undone' WHERE id = $1;

-- name: flip_back
UPDATE attachment_groups SET pbx_id = $2, other_pbx_id = $3, percent = $4
WHERE id = $1 AND pbx_id = $5 AND other_pbx_id IS NOT DISTINCT FROM $6 AND percent = $7
RETURNING id;

-- name: list_moves
SELECT m.id, m.kind, m.state, f.name AS "from", t.name AS "to", m.percent, g.name AS attachment,
       m.numbers, m.actor, m.started_at, m.prepared_at, m.operation_id
FROM moves m
JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx JOIN attachment_groups g ON g.id = m.group_id
ORDER BY m.id DESC LIMIT $1;

-- === lock-in =======================================================================================================

-- name: lockin_tenancies
-- Every tenancy that was ever held through this PBX's vendor; the last move of its state is dated by history.
SELECT t.e164, c.name AS city, o.name AS contract, k.name AS carrier, t.addendum, t.state::text AS state,
       t.state_since, t.created_at,
       (SELECT string_agg(oo.name || ' (' || tt.state::text || ')', ', ' ORDER BY tt.id)
        FROM tenancies tt JOIN contracts oo ON oo.id = tt.contract_id
        WHERE tt.e164 = t.e164 AND tt.id <> t.id AND tt.state < 'released'
          AND oo.rented_through IS DISTINCT FROM o.rented_through) AS instead,
       (SELECT min(h.at) FROM number_history h
        WHERE h.e164 = t.e164 AND h.contract_id = t.contract_id AND h.field = 'state' AND h.after = 'released'
          AND h.at >= t.created_at) AS left_at
FROM contracts o
JOIN pbxs p ON p.id = o.rented_through
JOIN tenancies t ON t.contract_id = o.id
JOIN numbers n ON n.e164 = t.e164
JOIN cities c ON c.id = n.city_id
JOIN carriers k ON k.id = o.carrier_id
WHERE p.name = $1
ORDER BY t.e164, o.name;

-- name: lockin_contracts
SELECT o.name, k.name AS carrier, o.signed_on, o.ended_on,
       count(t.id) FILTER (WHERE t.state < 'released') AS numbers
FROM contracts o
JOIN pbxs p ON p.id = o.rented_through
JOIN carriers k ON k.id = o.carrier_id
LEFT JOIN tenancies t ON t.contract_id = o.id
WHERE p.name = $1
GROUP BY o.id, k.name ORDER BY o.name;
