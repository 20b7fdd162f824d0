-- A call may be tried at several gateways, trunks and carriers: the record tells each attempt and why it failed.
ALTER TABLE calls ADD COLUMN tries jsonb NOT NULL DEFAULT '[]';
