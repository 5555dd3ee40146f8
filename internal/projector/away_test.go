package projector_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/projector"
)

func TestDatabaseAwayAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(5, 5)
	p := w.project()
	for range 5 {
		w.await(p)
		// Every connection of the projector is cut, as when the server restarts.
		if _, err := w.pool.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
		w.fill(3, 3)
	}
	w.await(p)
	if health := p.Health(); health.Condition != projector.Running || health.Event != nil {
		t.Fatalf("health %+v", health)
	}
	p.stop()
	w.pool.Reset() // what was cut is still in the pool
	w.exact()
}

// awayLog is an event store that cannot be reached while away is set.
type awayLog struct {
	projector.Log
	away *atomic.Bool
}

func (l awayLog) SubscribeBatches(ctx context.Context, after events.Position, limit int, fn eventstore.BatchFunc) error {
	return l.Log.SubscribeBatches(ctx, after, limit, func(ctx context.Context, batch []events.Record, caughtUp bool) error {
		if l.away.Load() {
			return eventstore.ErrUnavailable
		}
		return fn(ctx, batch, caughtUp)
	})
}

func (l awayLog) ReadStream(ctx context.Context, stream string, from uint64) ([]events.Record, error) {
	if l.away.Load() {
		return nil, eventstore.ErrUnavailable
	}
	return l.Log.ReadStream(ctx, stream, from)
}

func TestEventStoreAwayAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(5, 5)
	var away atomic.Bool
	p := w.project(withLog(awayLog{w.store, &away}))
	w.await(p)
	away.Store(true)
	w.fill(1, 1)
	if health := p.awaitCondition(projector.Waiting); !strings.Contains(health.Reason, "event store") {
		t.Fatalf("health %+v", health)
	}
	away.Store(false)
	w.await(p)
	p.stop()
	w.exact()
}

func TestTablesDroppedAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(5, 5)
	p := w.project()
	w.await(p)
	if _, err := w.pool.Exec(t.Context(), `DROP SCHEMA read_test CASCADE`); err != nil {
		t.Fatal(err)
	}
	w.fill(1, 1)
	other := projector.NewWaiter(w.pool, testGroup(), nil) // has not seen the dropped checkpoint
	for other.Wait(t.Context(), w.last) != nil {
		if t.Context().Err() != nil {
			t.Fatal(p.Health())
		}
	}
	p.stop()
	w.exact()
}

func TestAlarmOnTrimming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stream := shop()
	w.fill(2, 2)
	p := w.project()
	w.await(p)
	set := func(metadata string) {
		t.Helper()
		w.propose("$$"+stream, events.Proposed{ID: uuid.New(), Type: "$metadata", Data: []byte(metadata), Metadata: []byte(`{}`)})
		w.await(p)
	}
	trimmed := func(want int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if h, err := p.AwaitHealth(ctx, func(h projector.Health) bool { return len(h.Trimmed) == want }); err != nil {
			t.Fatalf("health %+v", h)
		}
	}
	set(`{"$acl":{}}`)
	trimmed(0)
	set(`{"$tb":3,"$maxCount":1}`)
	trimmed(1)
	if h := p.Health(); h.OK() || h.Trimmed[0] != (projector.TrimAlarm{Stream: stream, Setting: "$tb $maxCount"}) {
		t.Fatalf("health %+v", h)
	}
	again := w.project() // an alarm outlives the process
	again.awaitCondition(projector.Running)
	if h := again.Health(); len(h.Trimmed) != 1 {
		t.Fatalf("health %+v", h)
	}
	set(`{}`)
	trimmed(0)
}

func TestStatus_LOG07(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3, 2)
	before, err := projector.ReadStatus(t.Context(), w.pool, w.store, testGroup())
	if err != nil || before.LagEvents != 9 || before.Lag <= 0 || before.Position != (events.Position{}) || before.Head != w.last {
		t.Fatalf("before there are tables: %+v %v", before, err)
	}
	registry := prometheus.NewRegistry()
	p := w.project(func(c *projector.Config) { c.Registerer = registry })
	w.await(p)
	p.awaitCondition(projector.Running)
	s, err := p.Status(t.Context())
	if err != nil || s.LagEvents != 0 || s.Lag != 0 || s.Position != w.last || s.Head != w.last || s.Version != 1 || s.Health.Condition != projector.Running || s.UpdatedAt.IsZero() {
		t.Fatalf("caught up: %+v %v", s, err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 8 {
		t.Fatalf("%d metrics, %v", len(families), err)
	}
	p.stop()
	w.fill(200, 1)
	s, err = projector.ReadStatus(t.Context(), w.pool, w.store, testGroup())
	if err != nil || s.LagEvents < 200 || s.LagEvents > 800 {
		t.Fatalf("behind by 400: %+v %v", s, err)
	}
}
