-- Migrations in waves: their rows, and the calls they are judged by. Used by number_registry/operations/waves.py and its neighbours.

-- name: wave_cities
-- Every city with numbers at a PBX ($1): which they are.
SELECT c.id, c.name AS city, array_agg(n.e164 ORDER BY n.e164) AS numbers
FROM numbers n
JOIN attachment_groups g ON g.id = n.group_id
JOIN pbxs p ON p.id = g.pbx_id AND p.name = $1
JOIN cities c ON c.id = n.city_id
WHERE $2::text[] IS NULL OR c.name = ANY($2)
GROUP BY c.id ORDER BY c.name;

-- name: wave_elsewhere
-- How many numbers of these cities are at which other PBX; empty: at none.
SELECT c.name AS city, coalesce(p.name, '') AS pbx, count(*) AS numbers
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
WHERE c.name = ANY($1::text[]) AND p.name IS DISTINCT FROM $2
GROUP BY c.name, p.name ORDER BY c.name, p.name;

-- name: wave_load
-- Ended conversations per city of numbers at a PBX ($1), from $2 to $3.
SELECT y.name AS city, count(*) AS calls
FROM calls c
JOIN numbers n ON n.e164 = c.ours
JOIN cities y ON y.id = n.city_id
JOIN attachment_groups g ON g.id = n.group_id
JOIN pbxs p ON p.id = g.pbx_id AND p.name = $1
WHERE c.phase = 'ended' AND c.conversation = c.id AND c.started_at >= $2 AND c.started_at < $3
GROUP BY y.name;

-- name: wave_calls
-- Conversations of these numbers through this PBX, or refused before any was chosen, by hour and outcome: those that have ended,
-- and those that were answered and go on (without them a busy hour would seem to be made of failures). All that is counted
-- is in the index calls_by_number; sums are floats, since those of numeric cost half of the time.
SELECT date_bin('1 hour', started_at, 'epoch') AS hour, answered_at IS NOT NULL AS answered,
       CASE WHEN answered_at IS NULL THEN final_status END AS status,
       CASE WHEN answered_at IS NULL THEN end_how END AS how, verdict,
       answered_at IS NULL AND ring_at IS NOT NULL AS rang, count(*) AS calls, count(talk_ms) AS talks,
       coalesce(sum(talk_ms::float8), 0) / 1000 AS talk_s,
       coalesce(sum(talk_ms::float8 * talk_ms::float8), 0) / 1000000 AS talk_s2,
       coalesce(sum(pdd_ms::float8), 0)::bigint AS pdd_ms, count(pdd_ms) AS pdd_calls
FROM calls
WHERE ours = ANY($1::bigint[]) AND phase = 'ended' AND conversation = id AND started_at >= $2 AND started_at < $3 AND pbx IN ($4, '')
GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT date_bin('1 hour', started_at, 'epoch'), true, NULL, NULL, verdict, false, count(*), 0, 0, 0,
       coalesce(sum(pdd_ms::float8), 0)::bigint, count(pdd_ms)
FROM calls
WHERE ours = ANY($1::bigint[]) AND phase <> 'ended' AND answered_at IS NOT NULL
  AND conversation = id AND started_at >= $2 AND started_at < $3 AND pbx = $4
GROUP BY 1, verdict;

-- name: add_pbx_migration
INSERT INTO pbx_migrations (from_pbx, to_pbx, state, rules, planned_at, actor)
SELECT f.id, t.id, 'planned', $3, $4, $5 FROM pbxs f, pbxs t WHERE f.name = $1 AND t.name = $2
RETURNING id;

-- name: add_wave
INSERT INTO waves (migration_id, position, city_id, calls_per_day)
SELECT $1, $2, id, $4 FROM cities WHERE name = $3;

-- name: put_wave_numbers
-- The numbers of one city, instead of those it had.
WITH gone AS (
    DELETE FROM wave_numbers w USING cities c
    WHERE w.migration_id = $1 AND w.city_id = c.id AND c.name = $2 AND w.e164 <> ALL($3::bigint[])
)
INSERT INTO wave_numbers (migration_id, city_id, e164)
SELECT $1, c.id, unnest($3::bigint[]) FROM cities c WHERE c.name = $2
ON CONFLICT DO NOTHING;

-- name: pbx_migration
SELECT m.id, f.name AS "from", t.name AS "to", m.state, m.rules, m.planned_at, m.started_at, m.held_at, m.held_why, m.actor
FROM pbx_migrations m JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx
WHERE m.id = $1;

-- name: waves_of
SELECT w.position, c.name AS city, w.state, w.moved_at, w.measured_from, w.watch_until, w.trouble, w.move_id,
       w.calls_per_day, w.baseline, w.baseline_from, w.baseline_to
FROM waves w JOIN cities c ON c.id = w.city_id
WHERE w.migration_id = $1 ORDER BY w.position;

-- name: wave_numbers_of
SELECT c.name AS city, w.e164 FROM wave_numbers w JOIN cities c ON c.id = w.city_id
WHERE w.migration_id = $1 ORDER BY w.e164;

-- name: list_pbx_migrations
SELECT m.id, f.name AS "from", t.name AS "to", m.state, m.planned_at, m.started_at, m.held_why, m.actor,
       (SELECT count(*) FROM waves w WHERE w.migration_id = m.id) AS cities,
       (SELECT count(*) FROM waves w WHERE w.migration_id = m.id AND w.state IN ('watching', 'kept')) AS moved,
       (SELECT count(*) FROM wave_numbers n WHERE n.migration_id = m.id) AS numbers
FROM pbx_migrations m JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx
ORDER BY m.id DESC LIMIT $1;

-- name: watched_pbx_migrations
SELECT DISTINCT m.id FROM pbx_migrations m JOIN waves w ON w.migration_id = m.id AND w.state IN ('watching', 'kept')
WHERE m.state IN ('running', 'held') ORDER BY m.id;

-- name: numbers_in_migrations
-- Which of these numbers another open migration ($2: not this one) is about.
SELECT w.e164, m.id, f.name AS "from", t.name AS "to"
FROM wave_numbers w
JOIN pbx_migrations m ON m.id = w.migration_id AND m.state IN ('planned', 'running', 'held')
JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx
WHERE w.e164 = ANY($1::bigint[]) AND m.id <> $2
ORDER BY w.e164 LIMIT 1;

-- name: waves_of_numbers
-- The cities of open migrations that some of these numbers belong to, and how many of them.
SELECT m.id, f.name AS "from", t.name AS "to", c.name AS city, v.state, count(*) AS numbers
FROM wave_numbers w
JOIN pbx_migrations m ON m.id = w.migration_id AND m.state IN ('planned', 'running', 'held')
JOIN waves v ON v.migration_id = w.migration_id AND v.city_id = w.city_id
JOIN cities c ON c.id = w.city_id
JOIN pbxs f ON f.id = m.from_pbx JOIN pbxs t ON t.id = m.to_pbx
WHERE w.e164 = ANY($1::bigint[])
GROUP BY m.id, f.name, t.name, v.position, c.name, v.state ORDER BY m.id, v.position;

-- name: set_pbx_migration
UPDATE pbx_migrations SET state = $2, started_at = $3, held_at = $4, held_why = $5 WHERE id = $1;

-- name: set_wave
UPDATE waves w SET state = $3, moved_at = $4, measured_from = $5, watch_until = $6, trouble = $7
FROM cities c WHERE c.id = w.city_id AND w.migration_id = $1 AND c.name = $2;

-- name: set_wave_move
UPDATE waves w SET move_id = $3, baseline = $4, baseline_from = $5, baseline_to = $6
FROM cities c WHERE c.id = w.city_id AND w.migration_id = $1 AND c.name = $2;

-- name: add_wave_history
INSERT INTO wave_history (migration_id, operation_id, at, what, why, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: wave_history_of
SELECT h.at, o.actor, o.verb, h.what, h.why, h.operation_id,
       (SELECT u.id FROM operations u WHERE u.undoes = o.id) AS undone_by
FROM wave_history h JOIN operations o ON o.id = h.operation_id
WHERE h.migration_id = $1 ORDER BY h.id;

-- name: wave_history_by_operation
SELECT migration_id, what, before, after FROM wave_history WHERE operation_id = $1;

-- name: last_wave_history
SELECT h.operation_id, o.verb FROM wave_history h JOIN operations o ON o.id = h.operation_id
WHERE h.migration_id = $1 ORDER BY h.id DESC LIMIT 1;

-- name: numbers_of_moves_at
-- Of a wave's numbers ($1, $2 its city): how many are at which PBX now.
SELECT coalesce(p.name, '') AS pbx, count(*) AS numbers
FROM wave_numbers w
JOIN cities c ON c.id = w.city_id AND c.name = $2
LEFT JOIN numbers n ON n.e164 = w.e164
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
WHERE w.migration_id = $1 GROUP BY p.name;

-- name: group_points_to
SELECT pbx_id, percent FROM attachment_groups WHERE id = $1 FOR UPDATE;

-- name: stopped_migrations
-- Held by a crossed limit, and nobody has taken a step since.
SELECT m.id, m.held_why FROM pbx_migrations m
WHERE m.state = 'held'
  AND 'waves stop' = (SELECT o.verb FROM wave_history h JOIN operations o ON o.id = h.operation_id
                      WHERE h.migration_id = m.id ORDER BY h.id DESC LIMIT 1)
ORDER BY m.id;
