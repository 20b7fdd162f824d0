-- PBXs: their facts, changes and accounts. Named blocks, loaded by number_registry/store/queries.py.

-- name: pbx_facts
SELECT p.name, p.state::text AS state, p.profile,
       coalesce((SELECT jsonb_agg(jsonb_build_array(a.uri, a.priority) ORDER BY a.priority, a.id)
                 FROM pbx_addresses a WHERE a.pbx_id = p.id), '[]') AS addresses,
       c.username, c.set_at AS account_since
FROM pbxs p LEFT JOIN pbx_accounts c ON c.pbx_id = p.id
WHERE p.name = $1;

-- name: count_numbers_of_pbx
SELECT count(*) FROM numbers n JOIN attachment_groups g ON g.id = n.group_id JOIN pbxs p ON p.id = g.pbx_id WHERE p.name = $1;

-- name: add_pbx
INSERT INTO pbxs (name, profile, state) VALUES ($1, $2, $3::service_state) RETURNING id;

-- name: change_pbx
UPDATE pbxs SET profile = $2, state = $3::service_state WHERE name = $1 RETURNING id;

-- name: forget_moves_of_pbx
-- Moves that were taken back or never made; one that a migration tells of stays.
DELETE FROM moves m USING pbxs p
WHERE p.name = $1 AND p.id IN (m.from_pbx, m.to_pbx) AND m.state <> 'applied'
  AND NOT EXISTS (SELECT FROM waves w WHERE w.move_id = m.id);

-- name: drop_pbx
DELETE FROM pbxs WHERE name = $1;

-- name: drop_pbx_addresses
DELETE FROM pbx_addresses WHERE pbx_id = $1 AND uri <> ALL($2::text[]);

-- name: put_pbx_address
INSERT INTO pbx_addresses (pbx_id, uri, priority) VALUES ($1, $2, $3)
ON CONFLICT (pbx_id, uri) DO UPDATE SET priority = excluded.priority WHERE pbx_addresses.priority <> excluded.priority;

-- name: put_pbx_account
INSERT INTO pbx_accounts (pbx_id, username, realm, md5, sha256)
SELECT p.id, $2, $3, $4, $5 FROM pbxs p WHERE p.name = $1
ON CONFLICT (pbx_id) DO UPDATE SET username = excluded.username, realm = excluded.realm, md5 = excluded.md5,
    sha256 = excluded.sha256, set_at = now();

-- name: add_operation_pbx
INSERT INTO operation_pbxs (operation_id, pbx, before, after) VALUES ($1, $2, $3, $4);

-- name: operation_pbx
SELECT pbx, before, after FROM operation_pbxs WHERE operation_id = $1;

-- name: try_pbx
-- A number that this PBX answers for, and the carrier that it comes from and leaves by.
SELECT n.e164, k.name AS carrier FROM numbers n
JOIN tenancies t ON t.e164 = n.e164 AND t.state = 'in_service'
JOIN contracts o ON o.id = t.contract_id
JOIN carriers k ON k.id = o.carrier_id
JOIN attachment_groups g ON g.id = n.group_id AND g.percent = 0
JOIN pbxs p ON p.id = g.pbx_id AND p.state = 'in_service'
WHERE p.name = $1 ORDER BY n.e164 LIMIT 1;

-- name: suspended_pbxs
-- Those that numbers still point to, and how many.
SELECT p.name, count(*) AS numbers
FROM pbxs p JOIN attachment_groups g ON g.pbx_id = p.id JOIN numbers n ON n.group_id = g.id
WHERE p.state = 'suspended' GROUP BY p.id ORDER BY p.name;

-- name: who_is_rung
-- Behind which PBX an extension is, and whether its owner has a SIM of ours.
SELECT p.name AS pbx, e.mobile IS NOT NULL AS has_sim
FROM extensions e LEFT JOIN pbxs p ON p.id = e.pbx_id WHERE e.extension = $1;
