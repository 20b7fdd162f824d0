-- Numbers that move between PBXs: shared attachment groups, prepared moves, and a record of every operation with what undoes it.

-- A group may hand part of its new calls to a second PBX, chosen by a stable lot of the call (number_registry/routing.py).
ALTER TABLE attachment_groups
    ADD COLUMN other_pbx_id integer REFERENCES pbxs,
    ADD COLUMN percent smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    ADD CHECK ((percent = 0) = (other_pbx_id IS NULL));
ALTER TABLE attachment_history
    ADD COLUMN before_other integer,
    ADD COLUMN before_percent smallint NOT NULL DEFAULT 0,
    ADD COLUMN after_other integer,
    ADD COLUMN after_percent smallint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION groups_updated() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- An undo goes an edge backwards that was gone forwards; only operations switch it on, for their own transaction.
CREATE OR REPLACE FUNCTION tenancy_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT state_move_allowed(OLD.state, NEW.state)
       AND NOT (current_setting('portgate.undo', true) = 'on' AND state_move_allowed(NEW.state, OLD.state)) THEN
        RAISE EXCEPTION 'number % that is % cannot become %', NEW.e164, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'state_moves';
    END IF;
    NEW.state_since := now();
    RETURN NEW;
END $$;

-- Few at any time, and asked for with every batch of calls: the first real call puts a number into service.
CREATE INDEX tenancies_porting_in ON tenancies (e164) WHERE state = 'porting_in';

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
