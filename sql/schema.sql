-- The final state of the database, section by section; tests prove that the migrations reach exactly this.
-- A migration is never edited once it has run anywhere: change this file and add a new one.

-- === which migrations have run ====================================================================================

CREATE TABLE schema_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- === registry: numbers, who rents them out, who answers them =====================================================
-- Small integers are used as ids because they are published as they are (number_registry/cache_layout.py); they are
-- never reused, so that an old copy can only point at something gone, never at something else.

CREATE TYPE number_state AS ENUM
    ('reserved', 'porting_in', 'in_service', 'suspended', 'porting_out', 'released', 'cooling');
CREATE TYPE scenario AS ENUM ('script', 'direct');
CREATE TYPE recording_override AS ENUM ('by_role', 'always', 'never');
CREATE TYPE service_state AS ENUM ('in_service', 'suspended');

CREATE TABLE carriers (
    id    smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id BETWEEN 1 AND 1023),
    name  text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_]*$'),  -- equals the adapter's file name
    title text NOT NULL DEFAULT ''
);

CREATE TABLE cities (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    area_code text NOT NULL DEFAULT '',
    shown     bigint  -- what others see when staff of this city call out; refers to numbers, see below
);

CREATE TABLE departments (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE pbxs (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
    name    text NOT NULL UNIQUE,
    state   service_state NOT NULL DEFAULT 'in_service',
    profile jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(profile) = 'object')
);

CREATE TABLE pbx_addresses (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pbx_id   integer NOT NULL REFERENCES pbxs ON DELETE CASCADE,
    uri      text NOT NULL CHECK (uri ~* '^sip:[^@\s]+$'),
    priority integer NOT NULL DEFAULT 0 CHECK (priority >= 0),  -- lower is tried first
    weight   integer NOT NULL DEFAULT 1 CHECK (weight > 0),
    state    service_state NOT NULL DEFAULT 'in_service',
    UNIQUE (pbx_id, uri)
);

-- By what a PBX that is known by digest or registers proves who it is. The password is shown once and stored nowhere.
CREATE TABLE pbx_accounts (
    pbx_id   integer PRIMARY KEY REFERENCES pbxs ON DELETE CASCADE,
    username text NOT NULL UNIQUE CHECK (username ~ '^[A-Za-z0-9_.-]{1,64}$'),
    realm    text NOT NULL CHECK (realm ~ '^[A-Za-z0-9_.-]{1,64}$'),
    md5      text NOT NULL CHECK (md5 ~ '^[0-9a-f]{32}$'),     -- of username:realm:password (RFC 7616, section 3.4.2)
    sha256   text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    set_at   timestamptz NOT NULL DEFAULT now()
);

-- The one pointer between numbers and a PBX: a swap of a hundred thousand numbers is an update of one row.
CREATE TABLE attachment_groups (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id BETWEEN 1 AND 1048575),
    name   text NOT NULL UNIQUE,
    pbx_id integer REFERENCES pbxs,
    -- A second PBX that takes so many percent of new calls, chosen by a stable lot of the call (number_registry/routing.py).
    other_pbx_id integer REFERENCES pbxs,
    percent      smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    CHECK ((percent = 0) = (other_pbx_id IS NULL))
);
CREATE INDEX attachment_groups_by_pbx ON attachment_groups (pbx_id);

CREATE TABLE numbers (
    e164          bigint PRIMARY KEY CHECK (e164 BETWEEN 1000000 AND 999999999999999),
    city_id       integer NOT NULL REFERENCES cities,
    department_id integer REFERENCES departments,  -- the one that pays
    group_id      integer REFERENCES attachment_groups,
    scenario      scenario NOT NULL DEFAULT 'script',
    recording     recording_override NOT NULL DEFAULT 'by_role',
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX numbers_by_group ON numbers (group_id);
CREATE INDEX numbers_by_city ON numbers (city_id);
ALTER TABLE cities ADD FOREIGN KEY (shown) REFERENCES numbers DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE contracts (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    carrier_id     smallint NOT NULL REFERENCES carriers,
    rented_through integer REFERENCES pbxs,  -- the PBX vendor who is the middleman; null = directly from the carrier
    signed_on      date NOT NULL DEFAULT current_date,
    ended_on       date CHECK (ended_on >= signed_on)
);

-- A number under one contract. While it moves it has two that live, in slots 1 and 2: the unique index below is what
-- holds them to two. Its dated history is created_at here and every change in number_history.
CREATE TABLE tenancies (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    e164        bigint NOT NULL REFERENCES numbers,
    contract_id integer NOT NULL REFERENCES contracts,
    addendum    text NOT NULL DEFAULT '',
    slot        smallint NOT NULL DEFAULT 1 CHECK (slot IN (1, 2)),
    state       number_state NOT NULL DEFAULT 'reserved',
    state_since timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (e164, contract_id)
);
CREATE UNIQUE INDEX at_most_two_live_tenancies ON tenancies (e164, slot) WHERE state < 'released';
CREATE INDEX tenancies_by_contract ON tenancies (contract_id);
-- Few at any time, and asked for with every batch of calls: the first real call puts a number into service.
CREATE INDEX tenancies_porting_in ON tenancies (e164) WHERE state = 'porting_in';

-- No foreign keys: history outlives what it tells about.
CREATE TABLE number_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    e164        bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    field       text NOT NULL CHECK (field IN ('state', 'group', 'city', 'department', 'scenario', 'recording')),
    contract_id integer,  -- whose state it was
    before      text,
    after       text,
    actor       text NOT NULL
);
CREATE INDEX number_history_by_number ON number_history (e164, at);

CREATE TABLE attachment_history (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id integer NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    before   integer,  -- PBX
    after    integer,
    actor    text NOT NULL,
    before_other   integer,
    before_percent smallint NOT NULL DEFAULT 0,
    after_other    integer,
    after_percent  smallint NOT NULL DEFAULT 0
);
CREATE INDEX attachment_history_by_group ON attachment_history (group_id, at);

-- === people =======================================================================================================

-- A role is a row of capabilities; role names in the lists, 'everyone' for all.
CREATE TABLE roles (
    name           text PRIMARY KEY,
    recorded       text NOT NULL CHECK (recorded IN ('no', 'yes', 'never', 'always')),
    may_listen_to  text[] NOT NULL DEFAULT '{}',
    sees           text[] NOT NULL DEFAULT '{}',  -- whose statistics
    crm            boolean NOT NULL DEFAULT false,
    shows          text NOT NULL CHECK (shows IN ('own', 'city')),
    rung_by        text[] NOT NULL DEFAULT '{}',
    dials_outside  text NOT NULL DEFAULT 'allowed' CHECK (dials_outside IN ('allowed', 'deals_only'))
);

CREATE TABLE sites (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    city_id    integer NOT NULL REFERENCES cities,
    carrier_id smallint NOT NULL REFERENCES carriers,  -- emergency calls leave here
    callback   bigint NOT NULL REFERENCES numbers      -- and rescue services call back here
);

CREATE TABLE people (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL REFERENCES roles ON UPDATE CASCADE
);

CREATE TABLE extensions (
    extension text PRIMARY KEY CHECK (extension ~ '^[0-9]{2,6}$'),
    person_id integer NOT NULL REFERENCES people ON DELETE CASCADE,
    site_id   integer NOT NULL REFERENCES sites,
    pbx_id    integer REFERENCES pbxs,  -- null: known to every PBX of ours
    shown     bigint REFERENCES numbers, -- a number of their own; null = the city's
    mobile    bigint UNIQUE CHECK (mobile BETWEEN 1000000 AND 999999999999999),  -- a SIM of ours in their own phone
    mobile_carrier_id smallint REFERENCES carriers,                              -- and its operator
    CHECK ((mobile IS NULL) = (mobile_carrier_id IS NULL))
);

CREATE TABLE emergency_numbers (
    digits text PRIMARY KEY CHECK (digits ~ '^[0-9]{2,6}$'),
    title  text NOT NULL DEFAULT ''
);

-- === rules that hold whoever writes ===============================================================================

CREATE FUNCTION actor() RETURNS text LANGUAGE sql STABLE
    RETURN coalesce(nullif(current_setting('portgate.actor', true), ''), current_user);

CREATE FUNCTION state_move_allowed(old number_state, new number_state) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN CASE old
        WHEN 'reserved'    THEN new IN ('porting_in', 'in_service')
        WHEN 'porting_in'  THEN new IN ('in_service', 'reserved')
        WHEN 'in_service'  THEN new IN ('suspended', 'porting_out', 'released')
        WHEN 'suspended'   THEN new IN ('in_service', 'released')
        WHEN 'porting_out' THEN new IN ('released', 'in_service')
        WHEN 'released'    THEN new = 'cooling'
        WHEN 'cooling'     THEN new = 'reserved'
    END;

-- An undo goes an edge backwards that was gone forwards; only operations switch it on, for their own transaction.
CREATE FUNCTION tenancy_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT state_move_allowed(OLD.state, NEW.state)
       AND NOT (current_setting('portgate.undo', true) = 'on' AND state_move_allowed(NEW.state, OLD.state)) THEN
        RAISE EXCEPTION 'number % that is % cannot become %', NEW.e164, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'state_moves';
    END IF;
    NEW.state_since := now();
    RETURN NEW;
END $$;

CREATE TRIGGER state_moves BEFORE UPDATE ON tenancies
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION tenancy_moves();

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

-- === what has to be published =====================================================================================
-- An outbox: written in the transaction that changes the truth, emptied by the publisher in the transaction in which it
-- has published. kind: n number, g group, d directory, D deal, a anything (a bulk change: read it all).

CREATE TABLE publish_changes (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind "char" NOT NULL CHECK (kind IN ('n', 'g', 'd', 'a', 'D')),
    key  bigint NOT NULL DEFAULT 0
);

-- One row for a statement that touches very many numbers: publishing all is cheaper then than publishing each.
CREATE FUNCTION publish_numbers(keys bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(keys) > 50000 THEN
        INSERT INTO publish_changes (kind) VALUES ('a');
    ELSE
        INSERT INTO publish_changes (kind, key) SELECT 'n', unnest(keys);
    END IF;
    IF cardinality(keys) > 0 THEN
        PERFORM pg_notify('portgate_publish', '');
    END IF;
END $$;

CREATE FUNCTION publish_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publish_changes (kind) VALUES ('d');
    PERFORM pg_notify('portgate_publish', '');
    RETURN NULL;
END $$;

CREATE FUNCTION numbers_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM publish_numbers(ARRAY(SELECT e164 FROM after));
    RETURN NULL;
END $$;

CREATE FUNCTION numbers_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM publish_numbers(ARRAY(SELECT e164 FROM before));
    RETURN NULL;
END $$;

CREATE FUNCTION numbers_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO number_history (e164, field, before, after, actor)
    SELECT a.e164, change.field, change.before, change.after, actor()
    FROM after a JOIN before b USING (e164)
    CROSS JOIN LATERAL (VALUES
        ('group', b.group_id::text, a.group_id::text),
        ('city', b.city_id::text, a.city_id::text),
        ('department', b.department_id::text, a.department_id::text),
        ('scenario', b.scenario::text, a.scenario::text),
        ('recording', b.recording::text, a.recording::text)
    ) AS change (field, before, after)
    WHERE change.before IS DISTINCT FROM change.after;
    -- A number whose digits changed is one gone and one new.
    PERFORM publish_numbers(ARRAY(
        SELECT coalesce(a.e164, b.e164) FROM after a FULL JOIN before b USING (e164)
        WHERE a.e164 IS NULL OR b.e164 IS NULL
           OR (a.group_id, a.scenario, a.recording) IS DISTINCT FROM (b.group_id, b.scenario, b.recording)));
    RETURN NULL;
END $$;

CREATE FUNCTION tenancies_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM one_contract_in_service(ARRAY(SELECT e164 FROM after WHERE state = 'in_service'));
    PERFORM publish_numbers(ARRAY(SELECT e164 FROM after));
    RETURN NULL;
END $$;

CREATE FUNCTION tenancies_updated() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION all_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publish_changes (kind) VALUES ('a');
    PERFORM pg_notify('portgate_publish', '');
    RETURN NULL;
END $$;

CREATE FUNCTION contract_carrier_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM publish_numbers(ARRAY(SELECT e164 FROM tenancies WHERE contract_id = NEW.id));
    RETURN NULL;
END $$;

CREATE FUNCTION groups_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO attachment_history
        (group_id, before, after, actor, before_other, before_percent, after_other, after_percent)
    SELECT a.id, b.pbx_id, a.pbx_id, actor(), b.other_pbx_id, b.percent, a.other_pbx_id, a.percent
    FROM after a JOIN before b USING (id)
    WHERE (a.pbx_id, a.other_pbx_id, a.percent) IS DISTINCT FROM (b.pbx_id, b.other_pbx_id, b.percent);
    INSERT INTO publish_changes (kind, key)
    SELECT 'g', a.id FROM after a JOIN before b USING (id)
    WHERE (a.pbx_id, a.other_pbx_id, a.percent) IS DISTINCT FROM (b.pbx_id, b.other_pbx_id, b.percent);
    PERFORM pg_notify('portgate_publish', '');
    RETURN NULL;
END $$;

CREATE FUNCTION groups_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publish_changes (kind, key) SELECT 'g', id FROM after;
    PERFORM pg_notify('portgate_publish', '');
    RETURN NULL;
END $$;

CREATE FUNCTION groups_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publish_changes (kind, key) SELECT 'g', id FROM before;
    PERFORM pg_notify('portgate_publish', '');
    RETURN NULL;
END $$;

CREATE TRIGGER published_insert AFTER INSERT ON numbers REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION numbers_inserted();
CREATE TRIGGER published_update AFTER UPDATE ON numbers REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION numbers_updated();
CREATE TRIGGER published_delete AFTER DELETE ON numbers REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION numbers_deleted();
CREATE TRIGGER published_truncate AFTER TRUNCATE ON numbers
    FOR EACH STATEMENT EXECUTE FUNCTION all_truncated();

CREATE TRIGGER published_insert AFTER INSERT ON tenancies REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tenancies_inserted();
CREATE TRIGGER published_update AFTER UPDATE ON tenancies REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tenancies_updated();
CREATE TRIGGER published_delete AFTER DELETE ON tenancies REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION numbers_deleted();
CREATE TRIGGER published_truncate AFTER TRUNCATE ON tenancies
    FOR EACH STATEMENT EXECUTE FUNCTION all_truncated();

CREATE TRIGGER published_update AFTER UPDATE OF carrier_id ON contracts
    FOR EACH ROW WHEN (OLD.carrier_id <> NEW.carrier_id) EXECUTE FUNCTION contract_carrier_updated();

CREATE TRIGGER published_insert AFTER INSERT ON attachment_groups REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION groups_inserted();
CREATE TRIGGER published_update AFTER UPDATE ON attachment_groups REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION groups_updated();
CREATE TRIGGER published_delete AFTER DELETE ON attachment_groups REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION groups_deleted();
CREATE TRIGGER published_truncate AFTER TRUNCATE ON attachment_groups
    FOR EACH STATEMENT EXECUTE FUNCTION all_truncated();

CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON carriers
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON cities
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pbxs
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pbx_addresses
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pbx_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON roles
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sites
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON people
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON extensions
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();
CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON emergency_numbers
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();

-- === calls: the events of each, and the record folded from them ===================================================
-- A journal file is copied together with its offset in one transaction: that is what makes each event count once.

CREATE TABLE journal_files (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    read_to     bigint NOT NULL DEFAULT 0 CHECK (read_to >= 0),  -- bytes that are in call_events or journal_rejects
    seen_at     timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz                                     -- its worker is gone and all of it has been read
);

CREATE TABLE call_events (
    file_id  bigint NOT NULL REFERENCES journal_files,
    at_byte  bigint NOT NULL CHECK (at_byte >= 0),  -- where its line begins in the file
    call_id  text NOT NULL CHECK (call_id ~ '^[0-9a-f]{32}$'),
    at       timestamptz NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('start', 'try', 'full', 'ring', 'answer', 'update', 'end')),
    data     jsonb NOT NULL,  -- the line as it was written
    PRIMARY KEY (file_id, at_byte)
);
CREATE INDEX call_events_call ON call_events (call_id, at);

-- Lines that could not be read: kept as bytes with their place, so that nothing a worker said is lost in silence.
CREATE TABLE journal_rejects (
    file_id  bigint NOT NULL REFERENCES journal_files,
    at_byte  bigint NOT NULL CHECK (at_byte >= 0),
    kind     text NOT NULL CHECK (kind IN ('corrupt', 'truncated', 'refused')),
    length   bigint NOT NULL CHECK (length > 0),  -- bytes in the file; `raw` holds at most the first 65536
    raw      bytea NOT NULL,
    why      text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (file_id, at_byte)
);

-- One row per crossing of the gateway: one leg towards a neighbour and the leg it came from.
CREATE TABLE calls (
    id             text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    phase          text NOT NULL CHECK (phase IN ('setup', 'ringing', 'live', 'ended')),
    direction      text CHECK (direction IN ('in', 'out')),  -- null: its start has not been read (yet)
    source         text NOT NULL DEFAULT '',        -- the neighbour it came from and the one it was sent to
    target         text NOT NULL DEFAULT '',
    carrier        text NOT NULL DEFAULT '',        -- which of the two is a carrier, which a PBX
    pbx            text NOT NULL DEFAULT '',
    trunk          text NOT NULL DEFAULT '',
    source_address text NOT NULL DEFAULT '',        -- ip:port/transport
    caller         text NOT NULL DEFAULT '',
    called         text NOT NULL DEFAULT '',
    shown          text NOT NULL DEFAULT '',
    dialled        text NOT NULL DEFAULT '',
    verdict        text CHECK (verdict IN ('pbx', 'carrier', 'sim', 'reject', 'drop')),
    rules          jsonb NOT NULL DEFAULT '[]',     -- [[rule, what it said], ..] in the order they were asked
    attempts       integer NOT NULL DEFAULT 0,
    destination    text NOT NULL DEFAULT '',        -- where the last attempt went
    started_at     timestamptz NOT NULL,
    ring_at        timestamptz,
    answered_at    timestamptz,
    ended_at       timestamptz,
    end_side       text CHECK (end_side IN ('a', 'b', 'gw')),  -- caller, called party, the gateway itself
    end_how        text CHECK (end_how IN ('bye', 'cancel', 'reject', 'failed', 'timeout')),
    final_status   integer,                         -- the SIP status that the caller was answered with
    cause          text NOT NULL DEFAULT '',        -- in words
    pdd_ms         bigint CHECK (pdd_ms >= 0),      -- post-dial delay: from the INVITE to ringing or answer
    talk_ms        bigint CHECK (talk_ms >= 0),
    state          jsonb NOT NULL,                  -- what the fold knows (gateway/calls/fold.py); holds the dialog
    changed_at     timestamptz NOT NULL DEFAULT now(),
    -- where it was tried more than once: [{at_ms, to, trunk, where, status, q850}, ..]; the last two where that attempt failed
    tries          jsonb NOT NULL DEFAULT '[]',
    -- the number of ours that it was about: the called one inwards, the shown one outwards
    ours           bigint GENERATED ALWAYS AS (
        CASE WHEN ltrim(CASE direction WHEN 'out' THEN shown ELSE called END, '+') ~ '^[0-9]{7,15}$'
             THEN ltrim(CASE direction WHEN 'out' THEN shown ELSE called END, '+')::bigint END) STORED,
    first_leg      text CHECK (first_leg ~ '^[0-9a-f]{32}$'),  -- of the conversation that it goes on with; null: it stands alone
    conversation   text GENERATED ALWAYS AS (coalesce(first_leg, id)) STORED,
    joined_by      text NOT NULL DEFAULT '' CHECK (joined_by IN ('', 'correlation', 'caller', 'diversion')),  -- how that was known
    deal           text NOT NULL DEFAULT '',        -- by which it went, or which was asked for
    agent          text NOT NULL DEFAULT '',        -- extension of the person with a SIM of ours whose call it is
    leg            text NOT NULL DEFAULT ''         -- which part of an agent's work it is
        CHECK (leg IN ('', 'to_agent', 'to_operators', 'to_client', 'by_agent')),
    CHECK ((phase = 'ended') = (ended_at IS NOT NULL))
);
CREATE INDEX calls_newest ON calls (started_at DESC, id DESC);
CREATE INDEX calls_open ON calls (started_at) WHERE phase <> 'ended';
-- A conversation enters it once, when its first leg is over; with all that waves are judged by, so that the table itself is not read.
CREATE INDEX calls_by_number ON calls (ours, started_at)
    INCLUDE (pbx, verdict, final_status, end_how, ring_at, answered_at, talk_ms, pdd_ms) WHERE phase = 'ended' AND conversation = id;
CREATE INDEX calls_legs ON calls (conversation);
CREATE INDEX calls_by_deal ON calls (deal, started_at DESC) WHERE deal <> '';
CREATE INDEX calls_at_pbx ON calls (target, caller, started_at) WHERE verdict = 'pbx';

-- One row per conversation: what its first leg tells, since that is who called whom and how it ended for them.
CREATE VIEW conversations AS
SELECT c.id, CASE WHEN l.open AND c.phase = 'ended' THEN 'live' ELSE c.phase END AS phase, c.direction, c.source, c.target, c.carrier, c.pbx,
       c.caller, c.called, c.shown, c.started_at, c.ring_at, c.answered_at, l.ended_at, c.end_side, c.end_how,
       c.final_status, c.cause, c.pdd_ms, c.talk_ms, l.legs
FROM calls c
CROSS JOIN LATERAL (
    SELECT count(*) AS legs, bool_or(phase <> 'ended') AS open,
           CASE WHEN bool_and(phase = 'ended') THEN max(ended_at) END AS ended_at
    FROM calls WHERE conversation = c.id
) l
WHERE c.conversation = c.id;

-- === operations: what was done, by whom, and what takes it back ===================================================

-- All facts of a number in one value, by names: what an operation compares, stores and restores.
CREATE VIEW number_images AS
SELECT n.e164, jsonb_build_object(
    'city', c.name, 'department', coalesce(d.name, ''), 'attachment', coalesce(g.name, ''),
    'scenario', n.scenario, 'recording', n.recording,
    'tenancies', coalesce((
        SELECT jsonb_agg(jsonb_build_array(o.name, t.state, t.addendum, t.slot) ORDER BY o.name COLLATE "C")
        FROM tenancies t JOIN contracts o ON o.id = t.contract_id WHERE t.e164 = n.e164), '[]')) AS image
FROM numbers n
JOIN cities c ON c.id = n.city_id
LEFT JOIN departments d ON d.id = n.department_id
LEFT JOIN attachment_groups g ON g.id = n.group_id;

CREATE TABLE operations (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    verb    text NOT NULL,                                    -- numbers import, pbx swap, ...
    summary text NOT NULL,
    made    jsonb NOT NULL DEFAULT '[]',                      -- [[kind, name], ..]: cities and the like that came with it
    undoes  bigint UNIQUE REFERENCES operations               -- an operation is taken back once
);

-- No foreign key to numbers: what is told here outlives them.
CREATE TABLE operation_numbers (
    operation_id bigint NOT NULL REFERENCES operations,
    e164         bigint NOT NULL,
    before       jsonb,  -- number_images.image; null: there was no such number
    after        jsonb,
    PRIMARY KEY (operation_id, e164)
);

-- No foreign key to pbxs either, for the same reason.
CREATE TABLE operation_pbxs (
    operation_id bigint PRIMARY KEY REFERENCES operations,
    pbx          text NOT NULL,
    before       jsonb,  -- number_registry.operations.pbxs.PbxFacts.image(); null: there was no such PBX
    after        jsonb
);

-- === moves: numbers gathered in a group of their own, whose one pointer then moves ================================

CREATE TABLE moves (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('swap', 'share')),
    state        text NOT NULL DEFAULT 'preparing' CHECK (state IN ('preparing', 'prepared', 'applied', 'undone')),
    from_pbx     integer NOT NULL REFERENCES pbxs,
    to_pbx       integer NOT NULL REFERENCES pbxs,
    percent      smallint NOT NULL CHECK (percent BETWEEN 0 AND 100),  -- of new calls that go to to_pbx
    group_id     integer NOT NULL REFERENCES attachment_groups,
    numbers      integer NOT NULL DEFAULT 0,
    asked        text NOT NULL,  -- which numbers were asked for: the same question goes on with the same move
    was_other    integer,        -- where the group pointed before, besides from_pbx
    was_percent  smallint NOT NULL DEFAULT 0,
    operation_id bigint REFERENCES operations,  -- the flip
    actor        text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    prepared_at  timestamptz,
    CHECK (from_pbx <> to_pbx)
);
CREATE UNIQUE INDEX one_open_move ON moves (kind, from_pbx, to_pbx, percent, asked) WHERE state IN ('preparing', 'prepared');
CREATE INDEX moves_by_group ON moves (group_id);

-- The numbers a move was planned for; those not yet in its group are still to be moved.
CREATE TABLE move_numbers (
    move_id integer NOT NULL REFERENCES moves ON DELETE CASCADE,
    e164    bigint NOT NULL,
    PRIMARY KEY (move_id, e164)
);

-- === waves: cities that go from one PBX to another, watched by their calls ========================================

CREATE TABLE pbx_migrations (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_pbx   integer NOT NULL REFERENCES pbxs,
    to_pbx     integer NOT NULL REFERENCES pbxs,
    state      text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'running', 'held', 'finished', 'cancelled')),
    rules      jsonb NOT NULL,  -- days and limits, number_registry/waves.py
    planned_at timestamptz NOT NULL,
    started_at timestamptz,
    held_at    timestamptz,
    held_why   text NOT NULL DEFAULT '',
    actor      text NOT NULL,
    CHECK (from_pbx <> to_pbx)
);

CREATE TABLE waves (
    migration_id  integer NOT NULL REFERENCES pbx_migrations,
    position      smallint NOT NULL,  -- 0: the pilot
    city_id       integer NOT NULL REFERENCES cities,
    state         text NOT NULL DEFAULT 'planned'
                  CHECK (state IN ('planned', 'watching', 'kept', 'rolled_back', 'skipped')),
    moved_at      timestamptz,
    measured_from timestamptz,  -- calls before it do not count
    watch_until   timestamptz,
    trouble       text NOT NULL DEFAULT '',  -- the limit that was crossed
    move_id       integer REFERENCES moves,  -- the last one
    calls_per_day real NOT NULL,             -- when it was planned
    baseline      jsonb,                     -- of the weeks before it moved, by hour of the week (number_registry/call_quality.py)
    baseline_from timestamptz,
    baseline_to   timestamptz,
    PRIMARY KEY (migration_id, position),
    UNIQUE (migration_id, city_id)
);
-- One city is watched at a time.
CREATE UNIQUE INDEX one_watched_wave ON waves (migration_id) WHERE state = 'watching';

-- Which numbers each wave is about: as planned, and as moved once it has. No foreign key: a number may be released meanwhile.
CREATE TABLE wave_numbers (
    migration_id integer NOT NULL,
    city_id      integer NOT NULL,
    e164         bigint NOT NULL,
    PRIMARY KEY (migration_id, e164),
    FOREIGN KEY (migration_id, city_id) REFERENCES waves (migration_id, city_id)
);
CREATE INDEX wave_numbers_by_number ON wave_numbers (e164);

-- Every step, dated, with the migration before and after it: what undo compares and restores.
CREATE TABLE wave_history (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration_id integer NOT NULL REFERENCES pbx_migrations,
    operation_id bigint NOT NULL UNIQUE REFERENCES operations,
    at           timestamptz NOT NULL,
    what         text NOT NULL,
    why          text NOT NULL DEFAULT '',
    before       jsonb,
    after        jsonb NOT NULL
);
CREATE INDEX wave_history_by_migration ON wave_history (migration_id, id);

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
