-- +goose Up

-- ops holds what Steward needs to run: sessions, throttles, jobs, the checkpoints of reactions.
CREATE SCHEMA IF NOT EXISTS ops;

-- vault holds wrapped data keys. It may live in a database of its own (STEWARD_VAULT_URL).
CREATE SCHEMA IF NOT EXISTS vault;
