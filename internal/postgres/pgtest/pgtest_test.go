package pgtest_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewIsMigrated(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	var schemas int
	err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname IN ('ops', 'vault')`).Scan(&schemas)
	if err != nil || schemas != 2 {
		t.Fatalf("%d of the schemas ops and vault, %v", schemas, err)
	}
}

func TestEmptyIsNotMigrated(t *testing.T) {
	t.Parallel()
	pool := pgtest.Connect(t, pgtest.Empty(t))
	var schemas int
	err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname IN ('ops', 'vault')`).Scan(&schemas)
	if err != nil || schemas != 0 {
		t.Fatalf("%d of the schemas ops and vault, %v", schemas, err)
	}
}

func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprintf("test %d sees only its own table", i), func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t)
			if _, err := pool.Exec(t.Context(), `CREATE TABLE ops.mine AS SELECT 1 AS one`); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("though somebody is connected", func(t *testing.T) {
		address := pgtest.URL(t)
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database
	})
	var left int
	err := pgtest.New(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&left)
	if err != nil || left != 0 {
		t.Fatalf("%d databases %q are left, %v", left, name, err)
	}
}
