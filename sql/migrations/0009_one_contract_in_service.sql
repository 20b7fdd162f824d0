-- A number is in_service under one contract at a time. What an earlier import has made otherwise stays until somebody mends it.

-- A number that moves is porting_out of one contract and porting_in of the other: two that both say in_service would
-- show it to the network, and count it in the costs, twice. Asked of what has become so, not of what is so already.
CREATE FUNCTION one_contract_in_service(keys bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    twice bigint := (SELECT e164 FROM tenancies WHERE e164 = ANY (keys) AND state = 'in_service'
                     GROUP BY e164 HAVING count(*) > 1 LIMIT 1);
BEGIN
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION 'number % would be in_service under two contracts', twice
            USING ERRCODE = 'check_violation', CONSTRAINT = 'one_contract_in_service',
                  HINT = 'Put one of them into porting_out or released first';
    END IF;
END $$;

CREATE FUNCTION tenancies_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM one_contract_in_service(ARRAY(SELECT e164 FROM after WHERE state = 'in_service'));
    PERFORM publish_numbers(ARRAY(SELECT e164 FROM after));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tenancies_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM one_contract_in_service(ARRAY(
        SELECT a.e164 FROM after a JOIN before b USING (id) WHERE a.state = 'in_service' AND b.state <> 'in_service'));
    INSERT INTO number_history (e164, field, contract_id, before, after, actor)
    SELECT a.e164, 'state', a.contract_id, b.state::text, a.state::text, actor()
    FROM after a JOIN before b USING (id) WHERE a.state <> b.state;
    PERFORM publish_numbers(ARRAY(
        SELECT e164 FROM (SELECT * FROM after EXCEPT SELECT * FROM before) changed
        UNION SELECT e164 FROM (SELECT * FROM before EXCEPT SELECT * FROM after) changed));
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER published_insert AFTER INSERT ON tenancies REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tenancies_inserted();
