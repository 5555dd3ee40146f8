-- +goose Up

-- What was tried how often, so that secrets cannot be guessed. A bucket is a keyed hash of what it counts for: no
-- name, address or id stands here. Go's package throttle owns the rules and hands them to the functions below.
CREATE TABLE ops.throttles (
    bucket    bytea         PRIMARY KEY CHECK (octet_length(bucket) = 32),
    rule      text          NOT NULL,
    taken     timestamptz[] NOT NULL, -- when each slot was taken that still counts, ascending
    forget_at timestamptz             -- null for never
) WITH (fillfactor = 70);

-- Until when nobody may take a slot of a bucket: infinity for ever, null if anybody may.
-- +goose StatementBegin
CREATE FUNCTION ops.throttled_until(taken timestamptz[], rule jsonb) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT greatest(
        CASE
            WHEN n >= r.stop THEN 'infinity'
            WHEN n >= r.free THEN taken[n] + make_interval(secs => least(r.wait * 2 ^ least(n - r.free, 20), r.longest))
        END,
        (SELECT max(taken[n - w.most + 1] + make_interval(secs => w.per))
         FROM jsonb_to_recordset(r.windows) AS w (most integer, per float8)
         WHERE n >= w.most))
    FROM cardinality(taken) AS n,
         jsonb_to_record(rule) AS r (free integer, wait float8, longest float8, stop integer, windows jsonb)
$$;
-- +goose StatementEnd

-- Whoever changes buckets does so alone, new ones included, and takes the locks in one order.
-- +goose StatementBegin
CREATE FUNCTION ops.lock_throttles(buckets jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    key bigint;
BEGIN
    FOR key IN
        SELECT ('x' || encode(substr(b.bucket, 1, 8), 'hex'))::bit(64)::bigint
        FROM jsonb_to_recordset(buckets) AS b (bucket bytea)
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(key);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Takes a slot of every bucket in asked and returns one row each, or takes none and returns one row that says until
-- when they are refused. What is stored never becomes younger, so a clock that was set back opens nothing.
-- +goose StatementBegin
CREATE FUNCTION ops.take_slots(asked jsonb, at timestamptz)
RETURNS TABLE (slot_bucket bytea, slot_taken timestamptz, refused_until timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    -- The first look is without locks: a flood of attempts that are refused only reads.
    FOR look IN 1..2 LOOP
        SELECT max(ops.throttled_until(t.taken, a.rule)) INTO refused_until
        FROM jsonb_to_recordset(asked) AS a (bucket bytea, rule jsonb)
        JOIN ops.throttles AS t ON t.bucket = a.bucket;
        IF refused_until > at THEN
            RETURN NEXT;
            RETURN;
        END IF;
        IF look = 1 THEN
            PERFORM ops.lock_throttles(asked);
        END IF;
    END LOOP;
    RETURN QUERY
    INSERT INTO ops.throttles AS t (bucket, rule, taken, forget_at)
    SELECT a.bucket, a.rule ->> 'name', list.taken, moment.at + make_interval(secs =>
               CASE WHEN cardinality(list.taken) >= r.stop THEN r.keep_stopped ELSE r.keep END)
    FROM jsonb_to_recordset(asked) AS a (bucket bytea, rule jsonb)
    CROSS JOIN LATERAL jsonb_to_record(a.rule) AS r (stop integer, size integer, keep float8, keep_stopped float8)
    LEFT JOIN ops.throttles AS old ON old.bucket = a.bucket
    CROSS JOIN LATERAL (SELECT greatest(take_slots.at, old.taken[cardinality(old.taken)]) AS at) AS moment
    CROSS JOIN LATERAL (SELECT coalesce(old.taken, '{}') || moment.at AS taken) AS longer
    CROSS JOIN LATERAL (SELECT longer.taken[greatest(cardinality(longer.taken) - r.size + 1, 1):] AS taken) AS list
    ON CONFLICT (bucket) DO UPDATE SET taken = excluded.taken, forget_at = excluded.forget_at
    RETURNING t.bucket, t.taken[cardinality(t.taken)], NULL::timestamptz;
END
$$;
-- +goose StatementEnd

-- Gives slots back: of each bucket the one that was taken at a time or, where all is set, also those before it.
-- +goose StatementBegin
CREATE FUNCTION ops.give_back_slots(given jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ops.lock_throttles(given);
    UPDATE ops.throttles AS t
    SET taken = list.taken, forget_at = list.taken[cardinality(list.taken)] + make_interval(secs => g.keep)
    FROM jsonb_to_recordset(given) AS g (bucket bytea, taken timestamptz, "all" boolean, keep float8)
    JOIN ops.throttles AS old ON old.bucket = g.bucket
    CROSS JOIN LATERAL array_position(old.taken, g.taken) AS own
    CROSS JOIN LATERAL (SELECT CASE
        WHEN g.all THEN ARRAY(SELECT later FROM unnest(old.taken) AS later WHERE later > g.taken ORDER BY later)
        ELSE old.taken[:own - 1] || old.taken[own + 1:]
    END AS taken) AS list
    WHERE t.bucket = g.bucket AND cardinality(list.taken) < cardinality(old.taken);
    DELETE FROM ops.throttles AS t
    USING jsonb_to_recordset(given) AS g (bucket bytea)
    WHERE t.bucket = g.bucket AND cardinality(t.taken) = 0;
END
$$;
-- +goose StatementEnd

-- When each session was last used. What it is, and that it was ended, is in the log; a session without a row is over.
CREATE TABLE ops.sessions (
    session_id   uuid        PRIMARY KEY,
    store_id     uuid        NOT NULL,
    customer_id  uuid        NOT NULL,
    started_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    idle         interval    NOT NULL CHECK (idle > '0'), -- how long it lasts unused
    expires_at   timestamptz NOT NULL,                    -- when it is over in any case
    CHECK (last_used_at >= started_at)
) WITH (fillfactor = 80);

CREATE INDEX ON ops.sessions (store_id, customer_id, started_at DESC, session_id DESC);
