package projector_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/projector"
)

// tamperedLog delivers what change makes of the batches.
type tamperedLog struct {
	projector.Log
	change func([]events.Record) []events.Record
}

func (l tamperedLog) SubscribeBatches(ctx context.Context, after events.Position, limit int, fn eventstore.BatchFunc) error {
	return l.Log.SubscribeBatches(ctx, after, limit, func(ctx context.Context, batch []events.Record, caughtUp bool) error {
		if batch = l.change(append([]events.Record(nil), batch...)); len(batch) == 0 {
			return nil
		}
		return fn(ctx, batch, caughtUp)
	})
}

func TestGapHalts_LOG07(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, stream := shop()
	w.append(stream, events.StoreCreated{StoreID: id, Name: "a"})
	missing := w.append(stream, events.StoreRenamed{StoreID: id, Before: "a", After: "b"})[0]
	w.append(stream, events.StoreRenamed{StoreID: id, Before: "b", After: "c"})
	var hide atomic.Bool
	hide.Store(true)
	p := w.project(withLog(tamperedLog{w.store, func(batch []events.Record) []events.Record {
		var kept []events.Record
		for _, r := range batch {
			if r.ID != missing || !hide.Load() {
				kept = append(kept, r)
			}
		}
		return kept
	}}))
	health := p.awaitCondition(projector.Stalled)
	if health.Event == nil || health.Event.Revision != 2 || health.Event.Stream != stream || !strings.Contains(health.Event.Reason, "missing") {
		t.Fatalf("health %+v", health)
	}
	if rows := w.dump("read_test"); len(rows["visits"]) != 1 {
		t.Fatalf("applied beyond the gap: %v", rows)
	}
	p.stop()
	hide.Store(false)
	w.await(w.project())
}

func TestDuplicateIsSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(5, 5)
	p := w.project(withLog(tamperedLog{w.store, func(batch []events.Record) []events.Record {
		var doubled []events.Record
		for _, r := range batch {
			doubled = append(doubled, r)
			again := r
			again.Position.Commit, again.Position.Prepare = r.Position.Commit, r.Position.Prepare
			doubled = append(doubled, again)
		}
		return doubled
	}}))
	w.await(p)
	p.stop()
	w.exact()
}

// bad is an event that a table refuses: the name breaks a check.
func bad(id uuid.UUID, before string) events.StoreRenamed {
	return events.StoreRenamed{StoreID: id, Before: before, After: poison}
}

func (w *world) park(event uuid.UUID, group string) {
	w.tb.Helper()
	w.append(events.PlatformStream, events.PlatformEventParked{EventID: event, Group: group})
}

func TestPoisonHaltsUntilParked_LOG07(t *testing.T) {
	t.Parallel()
	cases := map[string]func(w *world, id uuid.UUID, stream string) uuid.UUID{
		"a row that the database refuses": func(w *world, id uuid.UUID, stream string) uuid.UUID {
			return w.append(stream, bad(id, "a"))[0]
		},
		"a type of a newer version": func(w *world, _ uuid.UUID, stream string) uuid.UUID {
			event := uuid.New()
			w.propose(stream, events.Proposed{ID: event, Type: "store.turned_inside_out", Data: []byte(`{}`), Metadata: []byte(`{"schema":1}`)})
			return event
		},
		"data of another shape": func(w *world, _ uuid.UUID, stream string) uuid.UUID {
			event := uuid.New()
			w.propose(stream, events.Proposed{ID: event, Type: events.TypeStoreRenamed, Data: []byte(`{"after":1}`), Metadata: []byte(`{"schema":1}`)})
			return event
		},
		"metadata of a newer schema": func(w *world, _ uuid.UUID, stream string) uuid.UUID {
			event := uuid.New()
			w.propose(stream, events.Proposed{ID: event, Type: events.TypeStoreRenamed, Data: []byte(`{}`), Metadata: []byte(`{"schema":99}`)})
			return event
		},
	}
	for name, write := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fill(3, 3)
			id, stream := shop()
			w.append(stream, events.StoreCreated{StoreID: id, Name: "a"})
			event := write(w, id, stream)
			w.append(stream, events.StoreRenamed{StoreID: id, Before: "a", After: "b"})
			w.fill(3, 3)

			p := w.project()
			health := p.awaitCondition(projector.Stalled)
			if health.Event == nil || health.Event.ID != event || health.Event.Revision != 1 || health.Event.Stream != stream {
				t.Fatalf("health %+v", health)
			}
			if strings.Contains(health.Reason, poison) {
				t.Fatalf("the reason quotes a value: %s", health.Reason)
			}
			if _, err := projector.Rebuild(t.Context(), w.pool, w.store, testGroup(), projector.RebuildOptions{}); err != nil {
				t.Fatalf("a rebuild up to the stalled position: %v", err)
			}
			w.park(uuid.New(), "test") // another event
			w.park(event, "other")     // another group
			p.awaitCondition(projector.Stalled)
			w.park(event, "test")
			w.await(p)
			if health := p.Health(); health.Condition != projector.Running || health.Event != nil {
				t.Fatalf("health %+v", health)
			}
			var row shopRow
			err := w.pool.QueryRow(t.Context(), `SELECT name, events, revision FROM read_test.shops WHERE shop_id = $1`, id).
				Scan(&row.Name, &row.Events, &row.Revision)
			if diff := cmp.Diff(shopRow{Name: "b", Events: 2, Revision: 2}, row); err != nil || diff != "" {
				t.Fatalf("%v %s", err, diff)
			}
			p.stop()
			w.exact()

			again := w.project()
			w.await(again)
		})
	}
}

func TestPanicStalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1, 1)
	g := testGroup()
	g.Models = append(g.Models, projector.Journal{
		Name: "broken", Create: `CREATE TABLE broken (one integer PRIMARY KEY)`, Columns: []string{"one"},
		Row: func(projector.Event) ([]any, bool) { panic("a personal value") },
	})
	health := w.project(withGroup(g)).awaitCondition(projector.Stalled)
	if strings.Contains(health.Reason, "a personal value") {
		t.Fatalf("the reason quotes a value: %s", health.Reason)
	}
}

func TestStalledEventThatCanBeAppliedAfterAllIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1, 1)
	g := testGroup()
	var broken atomic.Bool
	broken.Store(true)
	g.Open = func(_ context.Context, envelopes []events.Envelope) ([]events.Envelope, error) {
		if broken.Load() {
			return nil, errors.New("the vault presents another key")
		}
		return envelopes, nil
	}
	p := w.project(withGroup(g))
	p.awaitCondition(projector.Stalled)
	broken.Store(false)
	w.await(p)
	p.stop()
	w.exact()
}

func TestKilledAnywhereLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(200, 5)
	rounds := 25
	for i := range rounds {
		p := w.project()
		// Not to wait for something, but to be cut off at an arbitrary point.
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		if i%5 == 0 {
			w.fill(20, 3)
		}
		p.stop()
	}
	p := w.project()
	w.await(p)
	p.stop()
	w.exact()
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3, 3)
	p := w.project()
	w.await(p)
	p.stop()

	other := newWorld(t)
	other.fill(8, 8)
	health := w.project(withLog(other.store)).awaitCondition(projector.Refused)
	if !strings.Contains(health.Reason, "steward rebuild") {
		t.Fatalf("health %+v", health)
	}
	empty := newWorld(t)
	w.project(withLog(empty.store)).awaitCondition(projector.Refused)

	// A rebuild from the other log has nothing to compare with, and heals it.
	done, err := projector.Rebuild(t.Context(), w.pool, other.store, testGroup(), projector.RebuildOptions{})
	if err != nil || !done.Swapped || done.Report.None == "" {
		t.Fatalf("%v %+v", err, done)
	}
	w.store, w.last, w.heads = other.store, other.last, other.heads
	next := w.project()
	w.await(next)
	next.stop()
	w.exact()
}

// copyTo writes the log of w into another store, behind n events that are none of
// ours, so that every event has another position there.
func (w *world) copyTo(n int) *world {
	w.tb.Helper()
	other := &world{tb: w.tb, store: startStore(w.tb), url: w.url, pool: w.pool, tenant: w.tenant, heads: make(map[string]eventstore.Revision)}
	for range n {
		other.propose("$elsewhere", events.Proposed{ID: uuid.New(), Type: "$noise", Data: []byte(`{}`)})
	}
	records, err := w.store.ReadAll(w.tb.Context(), events.Position{}, 10_000)
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, r := range records {
		if !events.IsSystem(r.Stream) {
			other.propose(r.Stream, events.Proposed{ID: r.ID, Type: r.Type, Data: r.Data, Metadata: r.Metadata})
		}
	}
	return other
}

// A copy of the log in another event store has every event, at another position.
// Following it from the old checkpoint would repeat events, or leave some out.
func TestCopiedLogIsRefused(t *testing.T) {
	t.Parallel()
	for name, noise := range map[string]struct{ here, there int }{"positions grew": {0, 20}, "positions shrank": {20, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for range noise.here {
				w.propose("$elsewhere", events.Proposed{ID: uuid.New(), Type: "$noise", Data: []byte(`{}`)})
			}
			w.fill(3, 3)
			p := w.project()
			w.await(p)
			p.stop()

			other := w.copyTo(noise.there)
			if health := other.project().awaitCondition(projector.Refused); !strings.Contains(health.Reason, "steward rebuild") {
				t.Fatalf("health %+v", health)
			}
			done, err := projector.Rebuild(t.Context(), w.pool, other.store, testGroup(), projector.RebuildOptions{})
			if err != nil || !done.Swapped || done.Report.None == "" {
				t.Fatalf("%v %+v", err, done)
			}
			next := other.project()
			other.await(next)
			next.stop()
			other.exact()
		})
	}
}
