-- What the HTTP API shows. Named blocks, loaded by number_registry/store/queries.py.

-- name: api_ping
SELECT 1 AS one;

-- name: api_status
SELECT (SELECT count(*) FROM numbers) AS numbers,
       (SELECT count(*) FROM pbxs) AS pbxs,
       (SELECT count(*) FROM carriers) AS carriers,
       (SELECT count(*) FROM calls WHERE phase <> 'ended') AS calls_open,
       (SELECT count(*) FROM calls WHERE phase = 'live') AS calls_live,
       (SELECT count(DISTINCT conversation) FROM calls WHERE phase <> 'ended') AS conversations_open,
       (SELECT count(*) FROM journal_rejects) AS journal_rejects,
       (SELECT max(changed_at) FROM calls WHERE started_at > now() - interval '1 day') AS last_call_at;

-- name: api_numbers
-- In the order of the numbers; $2 is the last one already seen.
SELECT n.e164, c.name AS city, t.carrier, p.name AS pbx, t.state, d.name AS department,
       n.scenario::text AS scenario
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id
LEFT JOIN pbxs p ON p.id = g.pbx_id
LEFT JOIN LATERAL (
    SELECT k.name AS carrier, t.state::text
    FROM tenancies t JOIN contracts o ON o.id = t.contract_id JOIN carriers k ON k.id = o.carrier_id
    WHERE t.e164 = n.e164
    ORDER BY array_position(
        '{in_service,porting_out,porting_in,suspended,reserved,released,cooling}'::number_state[], t.state), t.id
    LIMIT 1
) t ON true
WHERE ($2::bigint IS NULL OR n.e164 > $2)
  AND ($3::text IS NULL OR c.name = $3)
  AND ($4::text IS NULL OR p.name = $4)
  AND ($5::text IS NULL OR t.carrier = $5)
  AND ($6::text IS NULL OR t.state = $6)
ORDER BY n.e164
LIMIT $1;
