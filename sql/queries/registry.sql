-- Reading the truth, for publishing and for lists. Named blocks, loaded by number_registry/store/queries.py.

-- name: all_numbers
SELECT n.e164, coalesce(n.group_id, 0) AS group_id, n.scenario::text, n.recording::text,
       c.carrier_id, t.state::text
FROM numbers n
LEFT JOIN tenancies t ON t.e164 = n.e164
LEFT JOIN contracts c ON c.id = t.contract_id
ORDER BY n.e164;

-- name: some_numbers
SELECT n.e164, coalesce(n.group_id, 0) AS group_id, n.scenario::text, n.recording::text,
       c.carrier_id, t.state::text
FROM numbers n
LEFT JOIN tenancies t ON t.e164 = n.e164
LEFT JOIN contracts c ON c.id = t.contract_id
WHERE n.e164 = ANY($1::bigint[])
ORDER BY n.e164;

-- name: all_groups
SELECT id, coalesce(pbx_id, 0) AS pbx_id, coalesce(other_pbx_id, 0) AS other_pbx_id, percent FROM attachment_groups;

-- name: some_groups
SELECT id, coalesce(pbx_id, 0) AS pbx_id, coalesce(other_pbx_id, 0) AS other_pbx_id, percent
FROM attachment_groups WHERE id = ANY($1::int[]);

-- name: take_changes
-- Rows of a transaction that commits later are not seen now and are taken next time: no gap is possible.
-- The end of the portion is found first, so whatever the planner believes, no row is looked at more than twice: its
-- plan is made while the outbox is empty, and `id IN (...)` then looked at all rows once for each of a portion.
DELETE FROM publish_changes
WHERE id <= (SELECT max(id) FROM (SELECT id FROM publish_changes ORDER BY id LIMIT $1) AS portion)
RETURNING kind::text, key;

-- name: see_changes
SELECT id, kind::text, key FROM publish_changes ORDER BY id;

-- name: ask_again
INSERT INTO publish_changes (kind, key) SELECT $1::text::"char", unnest($2::bigint[]);

-- name: directory_carriers
SELECT id, name FROM carriers;

-- name: directory_pbxs
SELECT p.id, p.name, p.state::text, p.profile,
       coalesce(array_agg(a.uri ORDER BY a.priority, a.id) FILTER (WHERE a.id IS NOT NULL), '{}') AS uris,
       coalesce(array_agg(a.priority ORDER BY a.priority, a.id) FILTER (WHERE a.id IS NOT NULL), '{}') AS priorities,
       c.username, c.realm, c.md5, c.sha256
FROM pbxs p
LEFT JOIN pbx_addresses a ON a.pbx_id = p.id AND a.state = 'in_service'
LEFT JOIN pbx_accounts c ON c.pbx_id = p.id AND p.profile ->> 'trust' IN ('digest', 'register')
GROUP BY p.id, c.pbx_id;

-- name: directory_people
SELECT e.extension, p.name AS person, p.role, s.name AS site, coalesce(x.name, '') AS pbx,
       coalesce(CASE WHEN r.shows = 'own' THEN e.shown END, c.shown) AS shown,
       e.mobile, coalesce(k.name, '') AS mobile_carrier
FROM extensions e
JOIN people p ON p.id = e.person_id
JOIN roles r ON r.name = p.role
JOIN sites s ON s.id = e.site_id
JOIN cities c ON c.id = s.city_id
LEFT JOIN pbxs x ON x.id = e.pbx_id
LEFT JOIN carriers k ON k.id = e.mobile_carrier_id;

-- name: directory_roles
SELECT name, recorded, may_listen_to, sees, crm, shows, rung_by, dials_outside FROM roles;

-- name: directory_sites
SELECT s.name, c.name AS city, k.name AS carrier, s.callback
FROM sites s JOIN cities c ON c.id = s.city_id JOIN carriers k ON k.id = s.carrier_id;

-- name: directory_emergency
SELECT digits FROM emergency_numbers;

-- name: list_numbers
-- One line per number; the tenancy that answers comes first, as it does in what is published.
SELECT n.e164, c.name AS city, coalesce(t.carrier, '') AS carrier, coalesce(p.name, '') AS pbx,
       coalesce(t.state, '') AS state, coalesce(d.name, '') AS department, n.scenario::text AS scenario,
       coalesce(m.name, '') AS rented_through, coalesce(g.name, '') AS attachment
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
LEFT JOIN LATERAL (
    SELECT k.name AS carrier, t.state::text, o.rented_through
    FROM tenancies t JOIN contracts o ON o.id = t.contract_id JOIN carriers k ON k.id = o.carrier_id
    WHERE t.e164 = n.e164
    ORDER BY array_position(
        '{in_service,porting_out,porting_in,suspended,reserved,released,cooling}'::number_state[], t.state), t.id
    LIMIT 1
) t ON true
LEFT JOIN pbxs m ON m.id = t.rented_through
ORDER BY n.e164;

-- name: list_pbxs
SELECT p.name, p.state::text AS state, coalesce(p.profile ->> 'trust', 'address') AS trust,
       coalesce(array_agg(a.uri ORDER BY a.priority, a.id) FILTER (WHERE a.id IS NOT NULL), '{}') AS addresses,
       (SELECT count(*) FROM numbers n JOIN attachment_groups g ON g.id = n.group_id WHERE g.pbx_id = p.id) AS numbers,
       (SELECT count(*) FROM numbers n JOIN attachment_groups g ON g.id = n.group_id WHERE g.other_pbx_id = p.id) AS shared,
       (SELECT c.username FROM pbx_accounts c WHERE c.pbx_id = p.id) AS account
FROM pbxs p LEFT JOIN pbx_addresses a ON a.pbx_id = p.id
GROUP BY p.id ORDER BY p.name;

-- name: put_carrier
-- True when it is new.
INSERT INTO carriers (name, title) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET title = excluded.title WHERE carriers.title <> excluded.title
RETURNING xmax = 0 AS added;

-- name: number_to_try
-- A number by which a test call can come from this carrier, and leave by it.
SELECT n.e164 FROM numbers n
JOIN tenancies t ON t.e164 = n.e164 AND t.state = 'in_service'
JOIN contracts o ON o.id = t.contract_id
JOIN carriers k ON k.id = o.carrier_id
JOIN attachment_groups g ON g.id = n.group_id
JOIN pbxs p ON p.id = g.pbx_id AND p.state = 'in_service'
WHERE k.name = $1 ORDER BY n.e164 LIMIT 1;

-- name: rented_from
-- How many numbers are rented from which carrier.
SELECT k.name, count(DISTINCT t.e164) AS numbers
FROM carriers k JOIN contracts o ON o.carrier_id = k.id JOIN tenancies t ON t.contract_id = o.id AND t.state < 'released'
GROUP BY k.name ORDER BY k.name;

-- name: list_carriers
-- `used`: calls now. `failed_*`: the newest call out of the last day that the carrier did not carry; a person who is
-- busy, declines or hangs up (486, 600, 603, 487) is no failure of it, nor is a number that does not exist (404, 604).
SELECT k.name, k.title,
       (SELECT count(*) FROM calls a WHERE a.phase <> 'ended' AND a.carrier = k.name) AS used,
       f.started_at AS failed_at, f.final_status AS failed_status, f.cause AS failed_cause, f.id AS failed_call,
       count(DISTINCT t.e164) FILTER (WHERE t.state < 'released') AS numbers,
       coalesce(array_agg(DISTINCT c.name) FILTER (WHERE c.name IS NOT NULL), '{}') AS cities
FROM carriers k
LEFT JOIN contracts o ON o.carrier_id = k.id
LEFT JOIN tenancies t ON t.contract_id = o.id
LEFT JOIN numbers n ON n.e164 = t.e164
LEFT JOIN cities c ON c.id = n.city_id
LEFT JOIN LATERAL (
    SELECT a.started_at, a.final_status, a.cause, a.id FROM calls a
    WHERE a.carrier = k.name AND a.direction = 'out' AND a.end_how IN ('failed', 'timeout')
      AND a.final_status NOT IN (404, 486, 487, 600, 603, 604) AND a.started_at > now() - interval '1 day'
    ORDER BY a.started_at DESC LIMIT 1
) f ON true
GROUP BY k.id, f.started_at, f.final_status, f.cause, f.id ORDER BY k.name;

-- name: number_timeline
-- Everything that happened to one number, its own changes and those of the groups while it was in them.
WITH moves AS (
    SELECT at, before::int AS before, after::int AS after FROM number_history WHERE e164 = $1 AND field = 'group'
), stays AS (
    SELECT after AS group_id, at AS since, lead(at) OVER (ORDER BY at) AS until FROM moves
    UNION ALL
    SELECT coalesce((SELECT before FROM moves ORDER BY at LIMIT 1),
                    CASE WHEN NOT EXISTS (SELECT FROM moves) THEN n.group_id END),
           n.created_at, (SELECT min(at) FROM moves)
    FROM numbers n WHERE n.e164 = $1
)
SELECT at, field, before, after, actor FROM number_history WHERE e164 = $1
UNION ALL
SELECT h.at, 'pbx', b.name, a.name, h.actor
FROM stays s
JOIN attachment_history h ON h.group_id = s.group_id AND h.at >= s.since AND (s.until IS NULL OR h.at < s.until)
LEFT JOIN pbxs b ON b.id = h.before
LEFT JOIN pbxs a ON a.id = h.after
ORDER BY at;
