package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrationFiles build the schemas ops and vault. Read models are not among them: code builds those, so that a
// rebuild can make the next version beside the current one.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	migrationTable = "ops.schema_migrations"
	migrationLock  = 7_301_842_915_001 // of goose's session lock, any number that nobody else takes
	schemaLock     = 7_301_842_915_002
)

// Migrate sets up the roles of the database at url and brings it to the newest schema. Any number of processes may
// call it at once: one migrates, the others wait for it. A vault in a database of its own is migrated by calling it
// with that URL too. It needs a direct connection, not one through a transaction pooler. It fails with a *RolesError
// when the user may not set up the roles.
func Migrate(ctx context.Context, url string) error {
	config, err := parse(url)
	if err != nil {
		return err
	}
	config.ConnConfig.RuntimeParams["application_name"] = "steward migrate"
	delete(config.ConnConfig.RuntimeParams, "role")
	if err := withDB(ctx, config.ConnConfig, prepareMigration); err != nil {
		return err
	}
	config.ConnConfig.RuntimeParams["role"] = string(Owner)
	return withDB(ctx, config.ConnConfig, func(ctx context.Context, db *sql.DB) error {
		provider, err := newProvider(db)
		if err != nil {
			return err
		}
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate database %q: %w", config.ConnConfig.Database, err)
		}
		return nil
	})
}

// withDB connects, calls fn and disconnects.
func withDB(ctx context.Context, config *pgx.ConnConfig, fn func(context.Context, *sql.DB) error) (err error) {
	db := stdlib.OpenDB(*config)
	defer func() {
		if closeErr := db.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("close database: %w", closeErr)
		}
	}()
	if err := db.PingContext(ctx); err != nil {
		return connectError(config, err)
	}
	return fn(ctx, db)
}

// prepareMigration sets up the roles and makes the schema that goose's own table is in, which goose needs before its
// first migration. IF NOT EXISTS alone does not stop two callers from colliding, hence the lock.
func prepareMigration(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("prepare migration: %w", err)
	}
	defer tx.Rollback() // a no-op after Commit
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
		return fmt.Errorf("prepare migration: %w", err)
	}
	if err := setUpRoles(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS ops AUTHORIZATION `+string(Owner)); err != nil {
		return fmt.Errorf("create schema ops: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("prepare migration: %w", err)
	}
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(migrationTable), goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// MigrationsHash changes whenever a migration does. Tests key their template database by it.
func MigrationsHash() string {
	sum := sha256.New()
	err := fs.WalkDir(migrationFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrationFiles.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return nil
	})
	if err != nil {
		panic("embedded migrations cannot be read: " + err.Error())
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
