-- Deals: reading them as they are published. Named blocks, loaded by number_registry/store/queries.py.

-- name: all_deals
SELECT d.id, d.agent, d.city, d.auto_connect, d.closed_how = 'closed' AS closed,
       coalesce(extract(epoch FROM d.expires_at)::bigint, 0) AS expires, p.party, p.number
FROM deals d LEFT JOIN deal_parties p ON p.deal_key = d.key AND p.removed_at IS NULL
WHERE d.released_at IS NULL ORDER BY d.id, p.party, p.position;

-- name: some_deals
SELECT d.id, d.agent, d.city, d.auto_connect, d.closed_how = 'closed' AS closed,
       coalesce(extract(epoch FROM d.expires_at)::bigint, 0) AS expires, p.party, p.number
FROM deals d LEFT JOIN deal_parties p ON p.deal_key = d.key AND p.removed_at IS NULL
WHERE d.released_at IS NULL AND d.id = ANY($1::text[]) ORDER BY d.id, p.party, p.position;

-- name: ids_of_deals
SELECT DISTINCT id FROM deals WHERE key = ANY($1::bigint[]);

-- name: indices_of_deals
-- Numbers that were taken away are among them: their indices have to forget the deal.
SELECT DISTINCT d.agent, p.number FROM deals d JOIN deal_parties p ON p.deal_key = d.key WHERE d.key = ANY($1::bigint[]);

-- name: all_deal_indices
SELECT p.number, d.agent, d.id, d.auto_connect
FROM deals d JOIN deal_parties p ON p.deal_key = d.key AND p.removed_at IS NULL
WHERE d.closed_at IS NULL ORDER BY p.number, d.opened_at DESC, d.key DESC;

-- name: some_deal_indices
SELECT p.number, d.agent, d.id, d.auto_connect
FROM deals d JOIN deal_parties p ON p.deal_key = d.key AND p.removed_at IS NULL
WHERE d.closed_at IS NULL AND p.number = ANY($1::bigint[]) ORDER BY p.number, d.opened_at DESC, d.key DESC;

-- name: ask_again_deals
-- The newest deal of each of these ids is to be published again; how many ids there are.
WITH found AS (SELECT max(key) AS key FROM deals WHERE id = ANY($1::text[]) GROUP BY id),
     asked AS (INSERT INTO publish_changes (kind, key) SELECT 'D', key FROM found RETURNING 1)
SELECT count(*) FROM asked;
