-- Deals, the SIMs of ours that agents have, and what keeps their digits apart from all others.

ALTER TABLE extensions
    ADD COLUMN mobile bigint UNIQUE CHECK (mobile BETWEEN 1000000 AND 999999999999999),  -- a SIM of ours in their own phone
    ADD COLUMN mobile_carrier_id smallint REFERENCES carriers,                           -- and its operator
    ADD CHECK ((mobile IS NULL) = (mobile_carrier_id IS NULL));

ALTER TABLE publish_changes
    DROP CONSTRAINT publish_changes_kind_check,
    ADD CHECK (kind IN ('n', 'g', 'd', 'a', 'D'));

-- === deals: digits that stand for outside parties, an agent and a city number while they are open =================

-- Digits that people can dial and that are no number: 611, 0500. No deal may have them as its id.
CREATE TABLE short_codes (
    digits text PRIMARY KEY CHECK (digits ~ '^[0-9]{2,9}$'),
    title  text NOT NULL DEFAULT ''
);

-- The same digits are given again after a cool-off, so a deal is a row of its own, and stays as history. No foreign
-- keys: it outlives agents and numbers.
CREATE TABLE deals (
    key           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text NOT NULL CHECK (id ~ '^[0-9]{3,9}$'),
    agent         text NOT NULL CHECK (agent ~ '^[0-9]{2,6}$'),  -- an extension
    city          bigint NOT NULL CHECK (city BETWEEN 1000000 AND 999999999999999),
    auto_connect  boolean NOT NULL DEFAULT false,
    source        text NOT NULL CHECK (source IN ('crm', 'generated')),
    ref           text UNIQUE CHECK (ref <> ''),  -- the CRM's own name for it: asked for twice, opened once
    opened_at     timestamptz NOT NULL DEFAULT now(),
    opened_by     text NOT NULL,
    expires_at    timestamptz CHECK (expires_at > opened_at),
    closed_at     timestamptz,
    closed_by     text NOT NULL DEFAULT '',
    closed_how    text NOT NULL DEFAULT '' CHECK (closed_how IN ('', 'closed', 'expired')),
    reusable_from timestamptz,  -- the end of its cool-off; until then callers hear why it does not connect
    released_at   timestamptz,  -- its id is free again
    CHECK ((closed_at IS NULL) = (closed_how = '') AND (closed_at IS NULL) = (reusable_from IS NULL)),
    CHECK (released_at IS NULL OR closed_at IS NOT NULL)
);
CREATE UNIQUE INDEX deal_ids ON deals (id) WHERE released_at IS NULL;
CREATE INDEX deals_by_agent ON deals (agent, opened_at);
CREATE INDEX deals_that_expire ON deals (expires_at) WHERE closed_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX deals_that_cool_off ON deals (reusable_from) WHERE closed_at IS NOT NULL AND released_at IS NULL;

-- The outside parties, each with its numbers in the order to try; what was taken away stays with its date.
CREATE TABLE deal_parties (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deal_key   bigint NOT NULL REFERENCES deals,
    party      smallint NOT NULL CHECK (party BETWEEN 1 AND 9),
    position   smallint NOT NULL CHECK (position BETWEEN 1 AND 9),
    number     bigint NOT NULL CHECK (number BETWEEN 1000000 AND 999999999999999),
    added_at   timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX deal_party_places ON deal_parties (deal_key, party, position) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX deal_party_numbers ON deal_parties (deal_key, number) WHERE removed_at IS NULL;
CREATE INDEX deal_parties_by_deal ON deal_parties (deal_key);
CREATE INDEX deal_parties_by_number ON deal_parties (number);

-- Each change of a deal, with the images before and after it; null before: it was opened.
CREATE TABLE operation_deals (
    operation_id bigint NOT NULL REFERENCES operations,
    deal_key     bigint NOT NULL REFERENCES deals,
    before       jsonb,
    after        jsonb NOT NULL,
    PRIMARY KEY (operation_id, deal_key)
);
CREATE INDEX operation_deals_by_deal ON operation_deals (deal_key);

-- Digits mean one thing, whoever writes: whoever adds some other kind of digits waits for deals under way, and they for it.
CREATE FUNCTION deal_digits_are_free() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1885563751, 1);
    SELECT kind INTO taken FROM (
        SELECT 'an extension' AS kind FROM extensions WHERE extension = NEW.id
        UNION ALL SELECT 'an emergency number' FROM emergency_numbers WHERE digits = NEW.id
        UNION ALL SELECT 'a short code' FROM short_codes WHERE digits = NEW.id) AS found LIMIT 1;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is %: no deal can have it as its id', NEW.id, taken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'digits_mean_one_thing', HINT = 'Take another id';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION other_digits_are_free() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text := CASE TG_TABLE_NAME WHEN 'extensions' THEN to_jsonb(NEW) ->> 'extension' ELSE to_jsonb(NEW) ->> 'digits' END;
    found  deals;
BEGIN
    PERFORM pg_advisory_xact_lock(1885563751, 1);
    SELECT * INTO found FROM deals WHERE id = wanted AND released_at IS NULL;
    IF found.id IS NOT NULL THEN
        RAISE EXCEPTION '% is the id of a deal that is %', wanted,
            CASE WHEN found.closed_at IS NULL THEN 'open'
                 ELSE format('closed, and kept until %s', to_char(found.reusable_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END
            USING ERRCODE = 'check_violation', CONSTRAINT = 'digits_mean_one_thing',
                  HINT = format('Take other digits, or free these: ./portgate deals close %s --cool-off 0', wanted);
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION agent_has_no_open_deal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_open bigint := (SELECT count(*) FROM deals WHERE agent = OLD.extension AND closed_at IS NULL);
BEGIN
    IF left_open > 0 THEN
        RAISE EXCEPTION 'extension % has % open deals', OLD.extension, left_open
            USING ERRCODE = 'check_violation', CONSTRAINT = 'agent_has_no_open_deal',
                  HINT = format('Close them first: ./portgate deals list --agent %s', OLD.extension);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER digits_mean_one_thing BEFORE INSERT OR UPDATE OF id ON deals
    FOR EACH ROW EXECUTE FUNCTION deal_digits_are_free();
CREATE TRIGGER digits_mean_one_thing BEFORE INSERT OR UPDATE OF extension ON extensions
    FOR EACH ROW EXECUTE FUNCTION other_digits_are_free();
CREATE TRIGGER digits_mean_one_thing BEFORE INSERT OR UPDATE OF digits ON emergency_numbers
    FOR EACH ROW EXECUTE FUNCTION other_digits_are_free();
CREATE TRIGGER digits_mean_one_thing BEFORE INSERT OR UPDATE OF digits ON short_codes
    FOR EACH ROW EXECUTE FUNCTION other_digits_are_free();
CREATE TRIGGER agent_has_no_open_deal BEFORE DELETE ON extensions
    FOR EACH ROW EXECUTE FUNCTION agent_has_no_open_deal();
CREATE TRIGGER agent_keeps_its_extension BEFORE UPDATE OF extension ON extensions
    FOR EACH ROW WHEN (OLD.extension <> NEW.extension) EXECUTE FUNCTION agent_has_no_open_deal();

CREATE FUNCTION publish_deals(keys bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(keys) > 50000 THEN
        INSERT INTO publish_changes (kind) VALUES ('a');
    ELSE
        INSERT INTO publish_changes (kind, key) SELECT 'D', unnest(keys);
    END IF;
    IF cardinality(keys) > 0 THEN
        PERFORM pg_notify('portgate_publish', '');
    END IF;
END $$;

CREATE FUNCTION deals_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM publish_deals(ARRAY(SELECT key FROM after));
    RETURN NULL;
END $$;

CREATE FUNCTION deal_parties_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM publish_deals(ARRAY(SELECT DISTINCT deal_key FROM after));
    RETURN NULL;
END $$;

CREATE TRIGGER published_insert AFTER INSERT ON deals REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION deals_written();
CREATE TRIGGER published_update AFTER UPDATE ON deals REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION deals_written();
CREATE TRIGGER published_delete AFTER DELETE OR TRUNCATE ON deals
    FOR EACH STATEMENT EXECUTE FUNCTION all_truncated();
CREATE TRIGGER published_insert AFTER INSERT ON deal_parties REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION deal_parties_written();
CREATE TRIGGER published_update AFTER UPDATE ON deal_parties REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION deal_parties_written();
CREATE TRIGGER published_delete AFTER DELETE OR TRUNCATE ON deal_parties
    FOR EACH STATEMENT EXECUTE FUNCTION all_truncated();
