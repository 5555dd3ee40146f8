-- +goose Up

-- How far each reaction is. A reaction that has no row of its log does not start.
CREATE TABLE ops.reaction_checkpoints (
    reaction   text        PRIMARY KEY,
    log_id     uuid        NOT NULL,
    generation bigint      NOT NULL DEFAULT 1, -- changes whenever an operator moves the checkpoint
    commit     bigint      NOT NULL CHECK (commit >= 0),
    prepare    bigint      NOT NULL CHECK (prepare >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
