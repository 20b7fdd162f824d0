-- The legs of one call through a PBX are one conversation.

ALTER TABLE calls
    ADD COLUMN first_leg text CHECK (first_leg ~ '^[0-9a-f]{32}$'),
    ADD COLUMN conversation text GENERATED ALWAYS AS (coalesce(first_leg, id)) STORED,
    ADD COLUMN joined_by text NOT NULL DEFAULT '' CHECK (joined_by IN ('', 'correlation', 'caller', 'diversion'));
CREATE INDEX calls_legs ON calls (conversation);
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

-- What counts calls counts conversations: the legs that a PBX sends on are the same call.
DROP INDEX calls_by_number;
-- A conversation enters it once, when its first leg is over; with all that waves are judged by, so that the table itself is not read.
CREATE INDEX calls_by_number ON calls (ours, started_at)
    INCLUDE (pbx, verdict, final_status, end_how, ring_at, answered_at, talk_ms, pdd_ms) WHERE phase = 'ended' AND conversation = id;
