package projector_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/projector"
)

// TestRebuildUnderReadsAndWrites_LOG06 rebuilds while the projector projects,
// events come, and readers read with prepared statements.
func TestRebuildUnderReadsAndWrites_LOG06(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, stream := shop()
	w.append(stream, events.StoreCreated{StoreID: id, Name: "shop 0"})
	w.fill(100, 5)
	p := w.project()
	w.await(p)

	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	var reads, failures atomic.Int64
	for range 4 {
		busy.Go(func() {
			conn, err := pgx.Connect(context.Background(), w.url)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background()) // nothing is left to lose
			for ctx.Err() == nil {
				reads.Add(1)
				var name string
				var visits, shops int
				one := conn.QueryRow(context.Background(), `SELECT name FROM read_test.shops WHERE shop_id = $1`, id).Scan(&name)
				two := conn.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM read_test.visits), (SELECT count(*) FROM read_test.shops)`).Scan(&visits, &shops)
				if err := errors.Join(one, two); err != nil || visits < 601 || shops < 101 {
					failures.Add(1)
					t.Errorf("read: %v, %d visits, %d shops", err, visits, shops)
					return
				}
			}
		})
	}
	var written sync.WaitGroup
	written.Go(func() {
		for ctx.Err() == nil {
			w.fill(1, 2)
		}
	})
	for range 3 {
		var told atomic.Int64
		done := w.rebuild(projector.RebuildOptions{Progress: func(done, total uint64) {
			told.Add(1)
			if done > total {
				t.Errorf("progress %d of %d", done, total)
			}
		}})
		if !done.Swapped || !done.Report.Same() || told.Load() == 0 || len(done.Report.Tables) != 4 {
			t.Fatalf("rebuild %+v", done)
		}
	}
	cancel()
	written.Wait()
	busy.Wait()
	if failures.Load() != 0 || reads.Load() == 0 {
		t.Fatalf("%d of %d reads failed", failures.Load(), reads.Load())
	}
	w.fill(3, 3)
	w.await(p) // the projector went on by itself
	p.stop()
	w.exact()
	var schemas []string
	rows, err := w.pool.Query(t.Context(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read\_%' ORDER BY 1`)
	if err == nil {
		schemas, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if diff := cmp.Diff([]string{"read_test"}, schemas); err != nil || diff != "" {
		t.Fatalf("%v schemas left:\n%s", err, diff)
	}
}

func TestRebuildFindsAlteredRow_LOG06(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.fill(20, 2)
	w.await(w.project())
	for _, sql := range []string{
		`UPDATE read_test.shops SET name = 'somebody was here' WHERE shop_id = $1`,
		`UPDATE read_test.stream_head SET revision = revision + 1 WHERE stream = 'store-' || $1::uuid`,
	} {
		if _, err := w.pool.Exec(t.Context(), sql, ids[7]); err != nil {
			t.Fatal(err)
		}
	}
	before := w.dump("read_test")
	done, err := projector.Rebuild(t.Context(), w.pool, w.store, testGroup(), projector.RebuildOptions{})
	if !errors.Is(err, projector.ErrDifferent) || done.Swapped {
		t.Fatalf("%v %+v", err, done)
	}
	found := make(map[string][]string)
	for _, table := range done.Report.Tables {
		if !table.Same {
			found[table.Table] = table.Keys
		}
	}
	want := map[string][]string{"shops": {ids[7].String()}, "stream_head": {"store-" + ids[7].String()}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Fatalf("differences (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, w.dump("read_test")); diff != "" {
		t.Fatalf("the live tables changed:\n%s", diff)
	}
	forced := w.rebuild(projector.RebuildOptions{Force: true})
	if !forced.Swapped || forced.Report.Same() {
		t.Fatalf("%+v", forced)
	}
	w.exact()
}

func TestRebuildToAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(10, 2)
	old := w.project()
	w.await(old)

	g := testGroup()
	g.Version = 2
	fresh := w.project(withGroup(g))
	health := fresh.awaitCondition(projector.Refused)
	if !strings.Contains(health.Reason, "run: steward rebuild") {
		t.Fatalf("health %+v", health)
	}
	done, err := projector.Rebuild(t.Context(), w.pool, w.store, g, projector.RebuildOptions{})
	if err != nil || !done.Swapped || done.Report.LiveVersion != 1 || done.Report.NextVersion != 2 {
		t.Fatalf("%v %+v", err, done)
	}
	fresh.awaitCondition(projector.Running)
	w.fill(1, 1)
	old.awaitCondition(projector.Refused) // it may not write the new tables
	w.await(fresh)
}

// TestRebuildBeginsAnewAfterKill leaves the tables of a rebuild that was cut off.
func TestRebuildBeginsAnewAfterKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(300, 5)
	p := w.project()
	w.await(p)
	for _, after := range []uint64{0, 500, 1500} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := projector.Rebuild(ctx, w.pool, cutLog{w.store, after, cancel}, testGroup(), projector.RebuildOptions{})
		if err == nil {
			t.Fatal("the rebuild was not cut off")
		}
		cancel()
	}
	p.stop()
	w.exact()
}

// cutLog ends a context when a position is reached.
type cutLog struct {
	projector.Log
	at  uint64
	cut context.CancelFunc
}

func (l cutLog) SubscribeBatches(ctx context.Context, after events.Position, limit int, fn eventstore.BatchFunc) error {
	return l.Log.SubscribeBatches(ctx, after, min(limit, 100), func(ctx context.Context, batch []events.Record, caughtUp bool) error {
		if len(batch) > 0 && batch[len(batch)-1].Position.Commit > l.at {
			l.cut()
		}
		return fn(ctx, batch, caughtUp)
	})
}

func TestOneRebuildAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(50, 2)
	w.await(w.project())
	var second error
	done := w.rebuild(projector.RebuildOptions{Progress: func(uint64, uint64) {
		if second == nil {
			_, second = projector.Rebuild(t.Context(), w.pool, w.store, testGroup(), projector.RebuildOptions{})
		}
	}})
	if !done.Swapped || !errors.Is(second, projector.ErrRebuildRunning) {
		t.Fatalf("%+v, the second: %v", done, second)
	}
}

func TestRebuildStopsAtPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(2, 2)
	id, stream := shop()
	w.append(stream, events.StoreCreated{StoreID: id, Name: "a"})
	event := w.append(stream, bad(id, "a"))[0]
	_, err := projector.Rebuild(t.Context(), w.pool, w.store, testGroup(), projector.RebuildOptions{})
	if !errors.Is(err, projector.ErrEventNotApplicable) || !strings.Contains(err.Error(), event.String()) || strings.Contains(err.Error(), poison) {
		t.Fatal(err)
	}
	w.park(event, "test")
	if done := w.rebuild(projector.RebuildOptions{}); !done.Swapped || done.Report.None == "" {
		t.Fatalf("%+v", done)
	}
	w.exact()
}

func TestOwnerOfDatabaseCanCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	role := "owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	database := w.pool.Config().ConnConfig.Database
	for _, sql := range []string{
		`CREATE ROLE ` + role + ` LOGIN`,
		`ALTER DATABASE ` + database + ` OWNER TO ` + role,
	} {
		if _, err := w.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, sql := range []string{`REASSIGN OWNED BY ` + role + ` TO CURRENT_USER`, `DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err := w.pool.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	})
	g := testGroup()
	g.Extensions = []string{"pg_trgm"}
	err := pgx.BeginFunc(t.Context(), w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE `+role); err != nil {
			return err
		}
		return projector.Create(t.Context(), asTx{tx}, g)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// asTx is a transaction in the place of a pool.
type asTx struct{ pgx.Tx }
