-- For `portgate call`: the record of one call that it has just placed.

-- name: call_by_sip_call_id
SELECT * FROM calls
WHERE started_at >= to_timestamp($2::double precision) - interval '1 minute'
  AND state -> 'start' ->> 'cid' = $1
ORDER BY started_at DESC LIMIT 1;
