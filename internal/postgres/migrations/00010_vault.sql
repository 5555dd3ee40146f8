-- +goose Up

-- The log that this vault belongs to: one row, written once.
CREATE TABLE vault.log (
    singleton  boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    log_id     uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One data key per subject, purpose and version. A row is never deleted: an erased one is the fence that keeps a
-- late command from protecting a forgotten person anew.
CREATE TABLE vault.keys (
    key_id     uuid        PRIMARY KEY,
    subject    text        NOT NULL,
    purpose    text        NOT NULL DEFAULT 'data',
    version    integer     NOT NULL CHECK (version > 0),
    state      text        NOT NULL CHECK (state IN ('active', 'erased')),
    wrapped    bytea,
    kek_id     text,
    commitment bytea CHECK (octet_length(commitment) = 32), -- null where a fence stands for a key that never was
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz,
    UNIQUE (subject, purpose, version),
    CHECK (state = 'erased' OR (wrapped IS NOT NULL AND kek_id IS NOT NULL AND commitment IS NOT NULL)),
    CHECK (state = 'active' OR wrapped IS NULL),
    CHECK ((state = 'erased') = (erased_at IS NOT NULL))
);

-- The secrets of the platform, each version kept as long as something may still need it.
CREATE TABLE vault.secrets (
    name       text        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    wrapped    bytea       NOT NULL,
    kek_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- +goose StatementBegin
CREATE FUNCTION vault.keep_fences() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a row of vault.keys is never deleted: erase it';
    END IF;
    IF OLD.state = 'erased' AND NEW.state <> 'erased' THEN
        RAISE EXCEPTION 'an erased key stays erased';
    END IF;
    IF NEW.key_id <> OLD.key_id OR NEW.subject <> OLD.subject OR NEW.purpose <> OLD.purpose OR NEW.version <> OLD.version
        OR NEW.commitment IS DISTINCT FROM OLD.commitment THEN
        RAISE EXCEPTION 'a key does not change what it is';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER keep_fences BEFORE UPDATE OR DELETE ON vault.keys
    FOR EACH ROW EXECUTE FUNCTION vault.keep_fences();
