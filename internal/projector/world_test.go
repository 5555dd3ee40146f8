package projector_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = time.Minute

// world is an event store and a database.
type world struct {
	tb     testing.TB
	store  *eventstore.Store
	url    string // of the database
	pool   *pgxpool.Pool
	tenant uuid.UUID
	heads  map[string]eventstore.Revision
	last   events.Position
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	url := pgtest.URL(tb)
	return &world{
		tb: tb, store: startStore(tb), url: url, pool: pgtest.Connect(tb, url), tenant: uuid.New(),
		heads: make(map[string]eventstore.Revision),
	}
}

// startStore starts an embedded node and connects to it.
func startStore(tb testing.TB) *eventstore.Store {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pj")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	node, err := esnode.Open(filepath.Join(dir, "data"), esnode.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	socket := filepath.Join(dir, "s")
	go func() {
		err := node.Serve(ctx, socket)
		if closeErr := node.Close(); err == nil {
			err = closeErr
		}
		stopped <- err
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			tb.Errorf("stop the node: %v", err)
		}
	})
	store, err := eventstore.Open(tb.Context(), eventstore.Config{Socket: socket})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

// metadata is what the events of these tests carry.
func (w *world) metadata() events.Metadata {
	return events.Metadata{
		Schema: events.MetadataSchema, StoreID: w.tenant, Actor: events.System("test"), Source: events.SourceCLI,
		CommandID: uuid.New(), CorrelationID: uuid.New(), CausationID: uuid.New(), OccurredAt: time.Now(),
	}
}

// append appends events to a stream and returns their ids.
func (w *world) append(stream string, all ...events.Event) []uuid.UUID {
	w.tb.Helper()
	ids := make([]uuid.UUID, len(all))
	batch := make([]events.Proposed, len(all))
	for i, e := range all {
		data, metadata, err := events.Encode(e, w.metadata())
		if err != nil {
			w.tb.Fatal(err)
		}
		ids[i] = uuid.New()
		batch[i] = events.Proposed{ID: ids[i], Type: e.EventType(), Data: data, Metadata: metadata}
	}
	w.propose(stream, batch...)
	return ids
}

func (w *world) propose(stream string, batch ...events.Proposed) {
	w.tb.Helper()
	expected, ok := w.heads[stream]
	if !ok {
		expected = eventstore.NoStream
	}
	done, err := w.store.Append(w.tb.Context(), stream, expected, batch)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.heads[stream], w.last = done.Revision, done.Position
}

// shop is a stream that the test group counts.
func shop() (uuid.UUID, string) {
	id := uuid.New()
	return id, events.StoreStream(id)
}

// fill writes n streams of some events each.
func (w *world) fill(streams, renames int) []uuid.UUID {
	w.tb.Helper()
	ids := make([]uuid.UUID, streams)
	for i := range ids {
		id, stream := shop()
		ids[i] = id
		all := []events.Event{events.StoreCreated{StoreID: id, Name: "shop 0", Hosts: []string{"a.example"}}}
		for n := range renames {
			all = append(all, events.StoreRenamed{StoreID: id, Before: "shop " + strconv.Itoa(n), After: "shop " + strconv.Itoa(n+1)})
		}
		w.append(stream, all...)
	}
	return ids
}

// running is a projector that runs until the test ends or stop is called.
type running struct {
	*projector.Projector
	tb   testing.TB
	stop func()
}

type option func(*projector.Config)

func withLog(log projector.Log) option { return func(c *projector.Config) { c.Log = log } }

func withGroup(g projector.Group) option { return func(c *projector.Config) { c.Group = g } }

// project starts a projector.
func (w *world) project(options ...option) *running {
	w.tb.Helper()
	c := projector.Config{Group: testGroup(), Pool: w.pool, Log: w.store}
	for _, o := range options {
		o(&c)
	}
	p, err := projector.New(c)
	if err != nil {
		w.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stopped := false
	r := &running{Projector: p, tb: w.tb}
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.tb.Errorf("projector: %v", err)
		}
	}
	w.tb.Cleanup(r.stop)
	return r
}

// await waits until the group has reached the last event that was appended.
func (w *world) await(p *running) {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(w.tb.Context(), patience)
	defer cancel()
	waiter := projector.NewWaiter(w.pool, testGroup(), p.Projector)
	for {
		err := waiter.Wait(ctx, w.last)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.tb.Fatalf("the projector did not get to %v: %v, %+v", w.last, err, p.Health())
		}
	}
}

// awaitCondition waits until a projector is in a condition.
func (r *running) awaitCondition(c projector.Condition) projector.Health {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(r.tb.Context(), patience)
	defer cancel()
	health, err := r.AwaitHealth(ctx, func(h projector.Health) bool { return h.Condition == c })
	if err != nil {
		r.tb.Fatalf("the projector did not become %s: %+v", c, health)
	}
	return health
}

// dump is every row of every table of a schema but the checkpoint, as text.
func (w *world) dump(schema string) map[string][]string {
	w.tb.Helper()
	all := make(map[string][]string)
	for _, table := range []string{"shops", "visits", "stream_head", "trim_alarm"} {
		rows, err := w.pool.Query(w.tb.Context(), fmt.Sprintf(`SELECT r::text FROM %s.%s AS r ORDER BY 1`, schema, table))
		if err != nil {
			w.tb.Fatal(err)
		}
		if all[table], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			w.tb.Fatal(err)
		}
	}
	return all
}

// exact fails unless the live tables are exactly what the log says: a rebuild
// finds no difference, every event was applied once, and every stream's head is
// its last revision.
func (w *world) exact() {
	w.tb.Helper()
	before := w.dump("read_test")
	done := w.rebuild(projector.RebuildOptions{})
	if !done.Swapped || !done.Report.Same() {
		w.tb.Fatalf("rebuild: %+v", done)
	}
	if diff := cmp.Diff(before, w.dump("read_test")); diff != "" {
		w.tb.Fatalf("the rebuilt tables differ (-live +rebuilt):\n%s", diff)
	}
	records, err := w.store.ReadAll(w.tb.Context(), events.Position{}, 1_000_000)
	if err != nil {
		w.tb.Fatal(err)
	}
	heads := make(map[string]uint64)
	var ours int
	for _, r := range records {
		if !events.IsSystem(r.Type) && !events.IsSystem(r.Stream) {
			heads[r.Stream] = r.Revision
			ours++
		}
	}
	var want []string
	for stream, revision := range heads {
		want = append(want, fmt.Sprintf("(%s,%d)", stream, revision))
	}
	sortStrings(want)
	if diff := cmp.Diff(want, before["stream_head"]); diff != "" {
		w.tb.Fatalf("stream heads (-log +table):\n%s", diff)
	}
}

func (w *world) rebuild(options projector.RebuildOptions) projector.Rebuilt {
	w.tb.Helper()
	done, err := projector.Rebuild(w.tb.Context(), w.pool, w.store, testGroup(), options)
	if err != nil {
		w.tb.Fatalf("rebuild: %v, %+v", err, done)
	}
	return done
}
