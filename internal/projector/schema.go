package projector

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The projector's own tables in the schema of a group.
const (
	// createCheckpoint makes the one row that says how far the group is. The event
	// anchors it: it is the newest one of ours at or before the position.
	createCheckpoint = `
		CREATE TABLE checkpoint (
			group_name    text PRIMARY KEY,
			version       integer NOT NULL,
			gen           uuid NOT NULL, -- changes whenever the tables are replaced; zero once they have been
			commit        bigint NOT NULL,
			prepare       bigint NOT NULL,
			events        bigint NOT NULL, -- how many, those of the event store itself included
			last_event_id uuid,
			last_stream   text,
			last_revision bigint,
			updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
		)`
	insertCheckpoint = `
		INSERT INTO checkpoint (group_name, version, gen, commit, prepare, events)
		VALUES ($1, $2, $3, 0, 0, 0)`
	createStreamHead = `
		CREATE TABLE stream_head (
			stream   text COLLATE "C" PRIMARY KEY,
			revision bigint NOT NULL
		) WITH (fillfactor = 75)`
	createTrimAlarm = `
		CREATE TABLE trim_alarm (
			stream  text COLLATE "C" PRIMARY KEY,
			setting text NOT NULL,
			commit  bigint NOT NULL
		)`
)

// searchPath lets SQL name the tables of a schema, and the operators of its
// extensions, without a prefix. It ends with the transaction.
func searchPath(schema string) string {
	return "SET LOCAL search_path = " + pgx.Identifier{schema}.Sanitize() + ", public"
}

// in starts a transaction in which bare names mean the tables of schema. Both
// statements go in one message.
func in(schema string) pgx.TxOptions {
	return pgx.TxOptions{BeginQuery: "BEGIN; " + searchPath(schema)}
}

// lockKey is the advisory lock of what concerns a whole group.
func lockKey(group, what string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("steward projector\x00" + group + "\x00" + what)) // never fails
	return int64(h.Sum64())
}

// createSchema makes the tables of the group in a schema that does not exist.
// Without indexes it leaves the secondary ones to [createIndexes].
func createSchema(ctx context.Context, tx pgx.Tx, g Group, schema string, indexes bool) error {
	statements := []string{
		`CREATE SCHEMA ` + pgx.Identifier{schema}.Sanitize(),
		searchPath(schema),
		createCheckpoint, createStreamHead, createTrimAlarm,
	}
	for _, m := range g.Models {
		statements = append(statements, m.create()...)
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create schema %s: %w", schema, err)
		}
	}
	if _, err := tx.Exec(ctx, insertCheckpoint, g.Name, g.Version, uuid.New()); err != nil {
		return fmt.Errorf("create schema %s: %w", schema, err)
	}
	if err := grantAccess(ctx, tx, g, schema); err != nil {
		return err
	}
	if !indexes {
		return nil
	}
	return createIndexes(ctx, tx, g)
}

// createIndexes makes the secondary indexes; the search path is the schema.
func createIndexes(ctx context.Context, tx pgx.Tx, g Group) error {
	for _, m := range g.Models {
		for _, sql := range m.indexes() {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("create an index of %s: %w", m.Table(), err)
			}
		}
	}
	return nil
}

// createExtensions makes what the tables need. Several callers at once are
// serialised by the lock of the transaction that the caller holds.
func createExtensions(ctx context.Context, tx pgx.Tx, g Group) error {
	for _, name := range g.Extensions {
		sql := `CREATE EXTENSION IF NOT EXISTS ` + pgx.Identifier{name}.Sanitize() + ` SCHEMA public`
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create extension %s (the owner of the database may): %w", name, err)
		}
	}
	return nil
}

// ensure makes the schema of the group unless it exists, and lets readers at one
// that an older version made.
func ensure(ctx context.Context, db querier, g Group) error {
	exists, err := schemaExists(ctx, db, g.Schema())
	if err != nil {
		return err
	}
	if exists {
		missing, err := missingAccess(ctx, db, g, g.Schema())
		if err != nil || len(missing) == 0 {
			return err
		}
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey("", "schema")); err != nil {
			return fmt.Errorf("lock schema %s: %w", g.Schema(), err)
		}
		exists, err := schemaExists(ctx, tx, g.Schema())
		if err != nil {
			return err
		}
		if exists {
			return grantAccess(ctx, tx, g, g.Schema())
		}
		if err := createExtensions(ctx, tx, g); err != nil {
			return err
		}
		return createSchema(ctx, tx, g, g.Schema(), true)
	})
}

// Create makes the empty tables of the group unless they exist. A projector does
// it by itself.
func Create(ctx context.Context, db DB, g Group) error {
	if err := g.check(); err != nil {
		return err
	}
	return ensure(ctx, db, g)
}

func schemaExists(ctx context.Context, db querier, schema string) (exists bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("look for schema %s: %w", schema, err)
	}
	return exists, nil
}

// dropSchema drops a schema that nobody should use any more. It gives up soon
// when a reader still does, so that others do not queue behind it.
func dropSchema(ctx context.Context, db querier, schema string) error {
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '200ms'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{schema}.Sanitize()+` CASCADE`)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop schema %s: %w", schema, err)
	}
	return nil
}

// DB is a pool or a connection.
type DB interface {
	querier
}

type querier interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// sqlState returns the SQLSTATE of what the server refused, or "".
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// gone reports whether err says that a schema or table is not there (any more).
func gone(err error) bool {
	state := sqlState(err)
	return state == "3F000" || state == "42P01" || strings.HasPrefix(state, "0A") && strings.Contains(err.Error(), "cached plan")
}
