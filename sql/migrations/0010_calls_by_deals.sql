-- Calls to and from SIMs of ours: by which deal, whose, and which part of an agent's work they are.
ALTER TABLE calls DROP CONSTRAINT calls_verdict_check;
ALTER TABLE calls ADD CONSTRAINT calls_verdict_check CHECK (verdict IN ('pbx', 'carrier', 'sim', 'reject', 'drop'));
ALTER TABLE calls
    ADD COLUMN deal  text NOT NULL DEFAULT '',
    ADD COLUMN agent text NOT NULL DEFAULT '',
    ADD COLUMN leg   text NOT NULL DEFAULT ''
        CHECK (leg IN ('', 'to_agent', 'to_operators', 'to_client', 'by_agent'));
CREATE INDEX calls_by_deal ON calls (deal, started_at DESC) WHERE deal <> '';
