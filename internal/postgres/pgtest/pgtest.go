// Package pgtest gives each test a PostgreSQL database of its own, cloned from a migrated template.
//
// The server is the one that $STEWARD_TEST_POSTGRES_URL names, which make test starts. Without the variable the
// test binary starts one itself, which ends with it. A test is never skipped for want of a server: it fails and
// says what to install.
package pgtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/postgres"
)

// URLEnv names the variable that holds the URL of the server to test on. Its role must be a superuser.
const URLEnv = "STEWARD_TEST_POSTGRES_URL"

// patience bounds every single step: starting a server, building the template, cloning, dropping.
const patience = 2 * time.Minute

// New returns a pool on a new migrated database. The pool is closed and the database dropped when tb ends.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Connect(tb, URL(tb))
}

// URL makes a new migrated database and returns its address. The database is dropped when tb ends, even if
// somebody is still connected.
func URL(tb testing.TB) string {
	tb.Helper()
	srv, err := server()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	template, err := templates.get(srv.address)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	created := create(tb, srv.address, template)
	// A clone has the rights on everything in a database, but not those on the database.
	if err := run(created, allowOwner); err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return created
}

const allowOwner = `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ` + string(postgres.Owner) + `', current_database()); END $$`

// Empty makes a new database without Steward's schemas and returns its address. It is dropped like that of URL.
func Empty(tb testing.TB) string {
	tb.Helper()
	srv, err := server()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return create(tb, srv.address, "template0")
}

// Connect opens a pool on the database at address that is closed when tb ends.
func Connect(tb testing.TB, address string) *pgxpool.Pool {
	tb.Helper()
	return As(tb, address, "")
}

// As is Connect in a role of Steward. What the superuser of the other tests is not
// refused, a role may be.
func As(tb testing.TB, address string, role postgres.Role) *pgxpool.Pool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pool, err := postgres.Connect(ctx, address, postgres.Options{AppName: "steward test", Role: role})
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// testServer is a server to test on. It holds on to one that this process started: were the end of its pipe
// collected, that server would stop.
type testServer struct {
	address   string
	temporary *postgres.Temporary
}

// server is the server to test on, started on first use unless the environment names one.
var server = sync.OnceValues(func() (testServer, error) {
	if address := os.Getenv(URLEnv); address != "" {
		return testServer{address: address}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Nobody stops it: it ends with this process and cleans up after itself.
	temporary, err := postgres.StartTemporary(ctx)
	if err != nil {
		return testServer{}, fmt.Errorf("%w (or set %s to the URL of a server to test on)", err, URLEnv)
	}
	return testServer{address: temporary.URL("postgres"), temporary: temporary}, nil
})

// create clones template into a database whose name tells which test it belongs to.
func create(tb testing.TB, address, template string) string {
	tb.Helper()
	name := databaseName(tb.Name())
	quoted := pgx.Identifier{name}.Sanitize()
	// Copying files takes a third of the time of the default, which writes every block to the log.
	sql := "CREATE DATABASE " + quoted + " TEMPLATE " + pgx.Identifier{template}.Sanitize() + " STRATEGY file_copy"
	if err := run(address, sql); err != nil {
		tb.Fatalf("pgtest: clone %s: %v", template, err)
	}
	tb.Cleanup(func() {
		if err := run(address, "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)"); err != nil {
			tb.Errorf("pgtest: drop the test's database: %v", err)
		}
	})
	created, err := withDatabase(address, name)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return created
}

// databaseName is at most 63 bytes, which is all that PostgreSQL keeps.
func databaseName(test string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, strings.TrimPrefix(test, "Test"))
	if len(clean) > 40 {
		clean = clean[:40]
	}
	return fmt.Sprintf("t_%s_%016x", clean, rand.Uint64())
}

// withDatabase is address with another database.
func withDatabase(address, name string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("%s must be a URL like postgres://USER:PASSWORD@HOST:5432/postgres", URLEnv)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// run executes one statement on a connection of its own, so that nothing outlives the test.
func run(address, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return within(ctx, address, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

// within connects, calls f and disconnects.
func within(ctx context.Context, address string, f func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("reach the test server: %w", err)
	}
	defer conn.Close(ctx) // nothing is left to lose
	return f(conn)
}
