package pgtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/internal/postgres"
)

// templateLock serialises the building of templates among all test binaries on one server.
const templateLock = 7_301_842_915_003

// templates remembers that this process has seen the template, so that only the first test asks.
var templates templateCache

type templateCache struct {
	mu   sync.Mutex
	name string
}

// get is the name of the migrated template on the server, which it builds if nobody has. A failure is tried again
// by the next test.
func (c *templateCache) get(address string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.name != "" {
		return c.name, nil
	}
	name := "steward_template_" + postgres.MigrationsHash()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := within(ctx, address, func(conn *pgx.Conn) error {
		// The lock goes with the connection.
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, templateLock); err != nil {
			return err
		}
		var ready bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&ready); err != nil || ready {
			return err
		}
		return buildTemplate(ctx, conn, address, name)
	})
	if err != nil {
		return "", fmt.Errorf("build template database: %w", err)
	}
	c.name = name
	return name, nil
}

// buildTemplate migrates under a working name and renames at the end, so that a template that exists is complete.
// Nobody may connect to it then: a connection would make cloning fail.
func buildTemplate(ctx context.Context, conn *pgx.Conn, address, name string) error {
	working := name + "_new"
	for _, sql := range []string{
		`DROP DATABASE IF EXISTS ` + working + ` WITH (FORCE)`,
		`CREATE DATABASE ` + working + ` TEMPLATE template0`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	at, err := withDatabase(address, working)
	if err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, at); err != nil {
		return err
	}
	for _, sql := range []string{
		`ALTER DATABASE ` + working + ` WITH ALLOW_CONNECTIONS false`,
		// Whoever still is in there, such as a session that has yet to notice its end, would block the renaming.
		`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '` + working + `'`,
		`ALTER DATABASE ` + working + ` RENAME TO ` + name,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
