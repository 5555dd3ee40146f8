package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

func TestConnectSetsDefaultsThatTheURLMayOverride(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	for _, c := range []struct {
		name, url string
		opts      postgres.Options
		want      map[string]string
	}{
		{"defaults", url, postgres.Options{}, map[string]string{
			"application_name": "steward", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min", "TimeZone": "UTC",
		}},
		{"options", url, postgres.Options{AppName: "rebuild", StatementTimeout: -1, IdleTransactionTimeout: time.Hour}, map[string]string{
			"application_name": "rebuild", "statement_timeout": "0", "idle_in_transaction_session_timeout": "1h",
		}},
		{"URL", url + "&statement_timeout=7000&application_name=mine", postgres.Options{AppName: "rebuild"}, map[string]string{
			"application_name": "mine", "statement_timeout": "7s",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool, err := postgres.Connect(t.Context(), c.url, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			for name, want := range c.want {
				var got string
				if err := pool.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %q, not %q (%v)", name, got, want, err)
				}
			}
		})
	}
}

func TestConnectSaysWhichDatabaseAndWhatToDo(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := listener.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { // something that accepts and is no PostgreSQL
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	elsewhere := strings.Replace(pgtest.Empty(t), "/t_", "/nowhere_", 1)

	for _, c := range []struct {
		name, url string
		words     []string
	}{
		{"nothing listens", "postgres://ada:s3cret@127.0.0.1:1/books", []string{`"books" at 127.0.0.1:1`, "connection refused", "check that PostgreSQL runs there"}},
		{"no socket", "postgres://ada:s3cret@/books?host=/nonexistent", []string{"/nonexistent/.s.PGSQL.5432", "no such socket"}},
		{"another service", "postgres://ada:s3cret@" + silent + "/books?sslmode=disable", []string{silent, "not another service"}},
		{"no database", elsewhere, []string{`"nowhere_`, "there is no such database", "createdb"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := postgres.Connect(t.Context(), c.url, postgres.Options{})
			wantError(t, err, nil, c.words...)
			var connect *postgres.ConnectError
			if !errors.As(err, &connect) || !postgres.Unavailable(err) {
				t.Errorf("%T is not an unavailable *ConnectError", err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestConnectNeverQuotesABadURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://ada:s3/cret@host/books", "postgres://ada:s3%cret@host/books", "s3cret",
	} {
		_, err := postgres.Connect(t.Context(), url, postgres.Options{})
		wantError(t, err, postgres.ErrBadURL, "postgres://USER:PASSWORD@HOST:5432/NAME")
		if text := err.Error(); strings.Contains(text, "s3") || strings.Contains(text, "cret") {
			t.Errorf("%q: a part of the password is in %q", url, text)
		}
	}
}

func TestUnavailableTellsAwayFromRefused(t *testing.T) {
	t.Parallel()
	c := start(t, options(filepath.Join(postgres.ServerDir(t), "data")))
	pool, err := postgres.Connect(t.Context(), c.URL("postgres"), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	try := func(sql string) error {
		_, err := pool.Exec(t.Context(), sql)
		return err
	}
	for _, sql := range []string{`SELECT 1/0`, `SELECT * FROM missing`, `SET LOCAL statement_timeout = 'x'`} {
		if err := try(sql); err == nil || postgres.Unavailable(err) {
			t.Errorf("%s: %v is not the server's absence", sql, err)
		}
	}
	if err := try(`SELECT pg_terminate_backend(pg_backend_pid())`); !postgres.Unavailable(err) {
		t.Errorf("ended by an administrator: %v", err)
	}

	// The server goes away and comes back; the pool gets over it.
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first finds a dead connection, the others find no server
		if err := try(`SELECT 1`); !postgres.Unavailable(err) {
			t.Errorf("stopped: %v", err)
		}
	}
}

func TestUnavailableByCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"shutting down", &pgconn.PgError{Code: "57P01"}, true},
		{"crashed", &pgconn.PgError{Code: "57P02"}, true},
		{"starting", &pgconn.PgError{Code: "57P03"}, true},
		{"connection failure", &pgconn.PgError{Code: "08006"}, true},
		{"no connection left", &pgconn.PgError{Code: "53300"}, true},
		{"timed out statement", &pgconn.PgError{Code: "57014"}, false},
		{"unique violation", &pgconn.PgError{Code: "23505"}, false},
		{"cut short", errors.Join(errors.New("read"), io.ErrUnexpectedEOF), true},
		{"no rows", pgx.ErrNoRows, false},
		{"the caller left", context.Canceled, false},
		{"the caller's time is up", context.DeadlineExceeded, false},
	} {
		if got := postgres.Unavailable(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestUnavailableOnAClosedPool(t *testing.T) {
	t.Parallel()
	pool := pgtest.Connect(t, pgtest.Empty(t))
	pool.Close()
	if err := pool.Ping(t.Context()); !postgres.Unavailable(err) {
		t.Error(err)
	}
}
