-- Call records by leg, the events they are folded from, and how far each journal file has been read.

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
    kind     text NOT NULL CHECK (kind IN ('start', 'try', 'ring', 'answer', 'update', 'end')),
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
    verdict        text CHECK (verdict IN ('pbx', 'carrier', 'reject', 'drop')),
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
    CHECK ((phase = 'ended') = (ended_at IS NOT NULL))
);
CREATE INDEX calls_newest ON calls (started_at DESC, id DESC);
CREATE INDEX calls_open ON calls (started_at) WHERE phase <> 'ended';
