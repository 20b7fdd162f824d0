-- A trunk without a free channel is passed over: an event of its own tells it.
ALTER TABLE call_events DROP CONSTRAINT call_events_kind_check;
ALTER TABLE call_events ADD CONSTRAINT call_events_kind_check
    CHECK (kind IN ('start', 'try', 'full', 'ring', 'answer', 'update', 'end'));
