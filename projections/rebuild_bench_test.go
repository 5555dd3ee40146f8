package projections_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/projections"
)

// BenchmarkRebuild compares the events per second of a rebuild of core with the
// rows per second of COPY into the event log with its indexes, 1,000 rows a
// commit, in one run.
//
//	go test -run - -bench Rebuild -benchtime 1x ./projections
func BenchmarkRebuild(b *testing.B) {
	total := 200_000
	if testing.Short() {
		total = 20_000
	}
	if text := os.Getenv("STEWARD_BENCH_EVENTS"); text != "" {
		total, _ = strconv.Atoi(text)
	}
	w := newWorldOn(b, durable(b))
	w.history(total)
	for b.Loop() {
		done, err := projector.Rebuild(b.Context(), w.pool, w.log, projections.Core(w.sealer), projector.RebuildOptions{})
		if err != nil {
			b.Fatal(err)
		}
		rebuilt := float64(done.Events) / done.Took.Seconds()
		copied := w.copyRate()
		b.ReportMetric(rebuilt, "events/s")
		b.ReportMetric(copied, "copied-rows/s")
		b.ReportMetric(rebuilt/copied, "ratio")
		b.ReportMetric(0, "ns/op")
	}
}

// durable connects to a server of its own that waits for the disk, as one in
// production does: the server for tests would flatter COPY.
func durable(b *testing.B) *pgxpool.Pool {
	b.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "steward-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user must pass it
		b.Fatal(err)
	}
	cluster, err := postgres.StartCluster(b.Context(), postgres.ClusterOptions{Dir: filepath.Join(dir, "data")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cluster.Stop(context.Background()) })
	url := cluster.URL("postgres")
	if err := postgres.Migrate(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	return pgtest.Connect(b, url)
}

// history writes what a reseller's customers do: one in ten events is a new
// customer with a domain, the others change settings.
func (w *world) history(total int) {
	w.tb.Helper()
	const changes = 18
	for written := 0; written < total; written += changes + 2 {
		owner := w.customer(person{"Wilhelmina", "Featherstonehaugh", "w" + strconv.Itoa(written), "w" + strconv.Itoa(written) + "@x.example"})
		name := "example" + strconv.Itoa(written) + ".com"
		id := w.domain(owner, name, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
		all := make([]events.Event, changes)
		for i := range all {
			all[i] = events.DomainAutoRenewSet{DomainID: id, CustomerID: owner, Before: i%2 == 0, After: i%2 == 1}
		}
		w.given(events.DomainStream(id), all...)
	}
}

// copyRate copies the rows of the event log into a table like it, with its
// indexes, 1,000 rows a commit.
func (w *world) copyRate() float64 {
	w.tb.Helper()
	ctx := context.Background()
	if _, err := w.pool.Exec(ctx, `
		CREATE SCHEMA IF NOT EXISTS copied;
		DROP TABLE IF EXISTS copied.event_log;
		CREATE TABLE copied.event_log (LIKE read_core.event_log INCLUDING INDEXES)`); err != nil {
		w.tb.Fatal(err)
	}
	rows, err := w.pool.Query(ctx, `SELECT * FROM read_core.event_log ORDER BY position LIMIT 200000`)
	if err != nil {
		w.tb.Fatal(err)
	}
	var columns []string
	for _, f := range rows.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) {
		values, err := row.Values()
		for i, v := range row.RawValues() {
			if columns[i] == "data" || columns[i] == "metadata" {
				values[i] = append([]byte(nil), v...)
			}
		}
		return values, err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	begun := time.Now()
	for at := 0; at < len(all); at += 1000 {
		part := all[at:min(at+1000, len(all))]
		if _, err := w.pool.CopyFrom(ctx, pgx.Identifier{"copied", "event_log"}, columns, pgx.CopyFromRows(part)); err != nil {
			w.tb.Fatal(err)
		}
	}
	return float64(len(all)) / time.Since(begun).Seconds()
}
