-- Migrations in waves: cities that go from one PBX to another, watched by their calls.

-- The number of ours that a call was about: the called one inwards, the shown one outwards.
ALTER TABLE calls ADD COLUMN ours bigint GENERATED ALWAYS AS (
    CASE WHEN ltrim(CASE direction WHEN 'out' THEN shown ELSE called END, '+') ~ '^[0-9]{7,15}$'
         THEN ltrim(CASE direction WHEN 'out' THEN shown ELSE called END, '+')::bigint END) STORED;
-- A call enters it once, when it is over; with all that waves are judged by, so that the table itself is not read.
CREATE INDEX calls_by_number ON calls (ours, started_at)
    INCLUDE (pbx, verdict, final_status, end_how, ring_at, answered_at, talk_ms, pdd_ms) WHERE phase = 'ended';

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
