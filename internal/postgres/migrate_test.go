package postgres_test

import (
	"os"
	"regexp"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

func TestMigrateMayBeCalledByManyAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var g errgroup.Group
	for range 4 {
		g.Go(func() error { return postgres.Migrate(t.Context(), url) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	var applied, public int
	pool := pgtest.Connect(t, url)
	if err := pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM ops.schema_migrations WHERE version_id > 0 AND is_applied),
		       (SELECT count(*) FROM pg_tables WHERE schemaname = 'public')`).Scan(&applied, &public); err != nil {
		t.Fatal(err)
	}
	if applied != len(files) {
		t.Errorf("%d of %d migrations are recorded as applied", applied, len(files))
	}
	if public != 0 {
		t.Errorf("%d tables are in public; migrations build in ops and vault only", public)
	}
}

func TestMigrateSaysWhichDatabaseItCannotReach(t *testing.T) {
	t.Parallel()
	wantError(t, postgres.Migrate(t.Context(), "postgres://ada:s3cret@127.0.0.1:1/books"), nil, `"books" at 127.0.0.1:1`)
	wantError(t, postgres.Migrate(t.Context(), "://"), postgres.ErrBadURL)
}

// A migration that was released is never edited, and its number orders it.
func TestMigrationNames(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^\d{5}_[a-z0-9_]+\.sql$`)
	for _, f := range files {
		if !name.MatchString(f.Name()) {
			t.Errorf("%s: a migration is called like 00001_schemas.sql", f.Name())
		}
	}
	if h := postgres.MigrationsHash(); len(h) != 16 {
		t.Errorf("hash %q", h)
	}
}
