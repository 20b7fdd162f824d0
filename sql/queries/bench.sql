-- A registry of any size for the bench; triggers are off while it is loaded, since loading is not what is measured.

-- name: bench_quiet
SET session_replication_role = replica;

-- name: bench_loud
SET session_replication_role = origin;

-- name: bench_company
WITH carrier AS (INSERT INTO carriers (name) VALUES ('carrier') RETURNING id),
     city AS (INSERT INTO cities (name) VALUES ('Moscow') RETURNING id)
INSERT INTO contracts (name, carrier_id) SELECT 'contract', id FROM carrier;

-- name: bench_pbxs
INSERT INTO pbxs (name) VALUES ('old'), ('new');

-- name: bench_groups
-- Group 1 takes a tenth of all numbers, nine hundred others share the rest.
INSERT INTO attachment_groups (name, pbx_id) SELECT 'group ' || i, 1 FROM generate_series(1, 901) AS i;

-- name: bench_numbers
INSERT INTO numbers (e164, city_id, group_id)
SELECT 74950000000 + i, 1, CASE WHEN i % 10 = 0 THEN 1 ELSE 2 + i % 900 END
FROM generate_series(0, $1::int - 1) AS i;

-- name: bench_tenancies
INSERT INTO tenancies (e164, contract_id, state) SELECT e164, 1, 'in_service' FROM numbers;

-- name: bench_touch
UPDATE numbers SET scenario = CASE scenario WHEN 'script' THEN 'direct'::scenario ELSE 'script' END WHERE e164 = $1;

-- name: bench_swap
UPDATE attachment_groups SET pbx_id = 3 - pbx_id WHERE id = 1;
