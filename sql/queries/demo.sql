-- Writing the demo company: each block takes one JSON list and writes one kind of thing.

-- name: anything_there
SELECT EXISTS (SELECT FROM numbers) OR EXISTS (SELECT FROM pbxs) OR EXISTS (SELECT FROM carriers);

-- name: demo_emergency
INSERT INTO emergency_numbers (digits, title)
SELECT digits, title FROM jsonb_to_recordset($1) AS x (digits text, title text);

-- name: demo_departments
INSERT INTO departments (name) SELECT name FROM jsonb_to_recordset($1) AS x (name text);

-- name: demo_carriers
INSERT INTO carriers (name, title) SELECT name, title FROM jsonb_to_recordset($1) AS x (name text, title text);

-- name: demo_cities
INSERT INTO cities (name, area_code, shown)
SELECT name, area_code, shown FROM jsonb_to_recordset($1) AS x (name text, area_code text, shown bigint);

-- name: demo_pbxs
INSERT INTO pbxs (name, profile) SELECT name, profile FROM jsonb_to_recordset($1) AS x (name text, profile jsonb);

-- name: demo_pbx_addresses
INSERT INTO pbx_addresses (pbx_id, uri, priority)
SELECT p.id, x.uri, x.priority
FROM jsonb_to_recordset($1) AS x (pbx text, uri text, priority int) JOIN pbxs p ON p.name = x.pbx;

-- name: demo_groups
INSERT INTO attachment_groups (name, pbx_id)
SELECT DISTINCT ON (x."group") x."group", p.id
FROM jsonb_to_recordset($1) AS x ("group" text, pbx text) JOIN pbxs p ON p.name = x.pbx
ORDER BY x."group";

-- name: demo_contracts
INSERT INTO contracts (name, carrier_id, rented_through, signed_on)
SELECT x.name, c.id, p.id, '2024-02-01'
FROM jsonb_to_recordset($1) AS x (name text, carrier text, rented_through text)
JOIN carriers c ON c.name = x.carrier LEFT JOIN pbxs p ON p.name = x.rented_through;

-- name: demo_numbers
INSERT INTO numbers (e164, city_id, department_id, group_id, scenario)
SELECT n, c.id, d.id, g.id, x.scenario::scenario
FROM jsonb_to_recordset($1) AS x
    (first bigint, count int, city text, department text, "group" text, scenario text)
JOIN cities c ON c.name = x.city
JOIN departments d ON d.name = x.department
JOIN attachment_groups g ON g.name = x."group"
CROSS JOIN LATERAL generate_series(x.first, x.first + x.count - 1) AS n
ORDER BY n;

-- name: demo_tenancies
INSERT INTO tenancies (e164, contract_id, addendum, state)
SELECT n, o.id, 'addendum ' || row_number() OVER (PARTITION BY o.id ORDER BY n), 'in_service'
FROM jsonb_to_recordset($1) AS x (first bigint, count int, contract text)
JOIN contracts o ON o.name = x.contract
CROSS JOIN LATERAL generate_series(x.first, x.first + x.count - 1) AS n
ORDER BY n;

-- name: demo_roles
INSERT INTO roles (name, recorded, may_listen_to, sees, crm, shows, rung_by, dials_outside)
SELECT name, recorded, may_listen_to, sees, crm, shows, rung_by, dials_outside
FROM jsonb_to_recordset($1) AS x (name text, recorded text, may_listen_to text[], sees text[], crm boolean,
                                  shows text, rung_by text[], dials_outside text);

-- name: demo_sites
INSERT INTO sites (name, city_id, carrier_id, callback)
SELECT x.name, c.id, k.id, x.callback
FROM jsonb_to_recordset($1) AS x (name text, city text, carrier text, callback bigint)
JOIN cities c ON c.name = x.city JOIN carriers k ON k.name = x.carrier;

-- name: demo_people
WITH given AS (
    SELECT * FROM jsonb_to_recordset($1) AS x
        (extension text, name text, role text, site text, pbx text, shown bigint)
), added AS (
    INSERT INTO people (name, role) SELECT name, role FROM given ORDER BY extension RETURNING id, name
)
INSERT INTO extensions (extension, person_id, site_id, pbx_id, shown)
SELECT x.extension, a.id, s.id, p.id, x.shown
FROM given x
JOIN added a ON a.name = x.name
JOIN sites s ON s.name = x.site
LEFT JOIN pbxs p ON p.name = x.pbx;
