-- +goose Up

-- Who waits to be erased, and when, as far as the reaction erasures has read the log. A row goes when all is done.
CREATE TABLE ops.erasures (
    customer_id  uuid        PRIMARY KEY,
    store_id     uuid        NOT NULL,
    due_at       timestamptz NOT NULL,
    destroyed_at timestamptz -- when the keys were destroyed; null until then
);
CREATE INDEX erasures_due ON ops.erasures (due_at);

-- Whose keys the reaction credentials has destroyed: what a restored vault is compared with.
CREATE TABLE ops.destroyed_keys (
    subject text COLLATE "C" PRIMARY KEY
);
