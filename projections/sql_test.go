package projections_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/projections"
)

// TestStatementsArePrepared has the database check every statement.
func TestStatementsArePrepared(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if err := projector.Create(t.Context(), pool, projections.Core(nil)); err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	prepare := func(all []string) {
		t.Helper()
		for i, sql := range all {
			if _, err := conn.Conn().Prepare(t.Context(), fmt.Sprintf("s%d_%d", len(all), i), sql); err != nil {
				t.Errorf("%v in\n%s", err, sql)
			}
		}
	}
	prepare(projections.ReadSQL)
	if _, err := conn.Exec(t.Context(), `SET search_path = read_core, public`); err != nil {
		t.Fatal(err)
	}
	prepare(projections.WriteSQL)
}

// TestReadsNameTheStore: only what is read before a store is known may leave it
// out.
func TestReadsNameTheStore(t *testing.T) {
	t.Parallel()
	free := map[string]bool{"stores": true, "api_keys WHERE prefix": true}
	for _, sql := range projections.ReadSQL {
		flat := strings.Join(strings.Fields(sql), " ")
		var exempt bool
		for what := range free {
			exempt = exempt || strings.Contains(flat, "FROM read_core."+what)
		}
		if !exempt && strings.Count(flat, "WHERE store_id = $1") == 0 {
			t.Errorf("it does not name the store:\n%s", sql)
		}
	}
}

// shapes are the tables of each version of core: a new shape is a new version.
var shapes = map[int]string{
	1: "5ab614335917b6b3",
	3: "6c4fb5fb9c185947",
	4: "c1b354cee6a05960",
	5: "ef504e0811dbc0ca",
}

func TestVersionChangesWithTheTables(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if err := projector.Create(t.Context(), pool, projections.Core(nil)); err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(t.Context(), `
		SELECT format('%s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, collation_name, ordinal_position)
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = 'read_core' AND table_type = 'BASE TABLE'
		UNION ALL
		SELECT indexdef FROM pg_indexes WHERE schemaname = 'read_core'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, line := range lines {
		_, _ = io.WriteString(sum, line+"\n")
	}
	if got := hex.EncodeToString(sum.Sum(nil))[:16]; got != shapes[projections.CoreVersion] {
		t.Fatalf("the tables of version %d have the shape %s, want %s: raise CoreVersion and add the shape",
			projections.CoreVersion, got, shapes[projections.CoreVersion])
	}
}
