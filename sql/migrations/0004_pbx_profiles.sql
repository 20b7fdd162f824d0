-- PBXs have accounts, and changes of them are recorded and taken back as those of numbers are.

-- By what a PBX that is known by digest or registers proves who it is. The password is shown once and stored nowhere.
CREATE TABLE pbx_accounts (
    pbx_id   integer PRIMARY KEY REFERENCES pbxs ON DELETE CASCADE,
    username text NOT NULL UNIQUE CHECK (username ~ '^[A-Za-z0-9_.-]{1,64}$'),
    realm    text NOT NULL CHECK (realm ~ '^[A-Za-z0-9_.-]{1,64}$'),
    md5      text NOT NULL CHECK (md5 ~ '^[0-9a-f]{32}$'),     -- of username:realm:password (RFC 7616, section 3.4.2)
    sha256   text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    set_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TRIGGER published AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pbx_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION publish_directory();

-- No foreign key to pbxs either, for the same reason.
CREATE TABLE operation_pbxs (
    operation_id bigint PRIMARY KEY REFERENCES operations,
    pbx          text NOT NULL,
    before       jsonb,  -- number_registry.operations.pbxs.PbxFacts.image(); null: there was no such PBX
    after        jsonb
);
