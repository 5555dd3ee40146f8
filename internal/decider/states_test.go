package decider_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
)

// anotherEngine decides on the same log as e, with states of its own.
func anotherEngine(t *testing.T, e *decider.Engine, bytes int) (*decider.Engine, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	other, err := decider.NewEngine(decider.Config{Log: e.Log, Sealer: e.Sealer, Names: e.Names, StatesBytes: bytes, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	return other, registry
}

// metric reads a counter or a gauge.
func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			if f.GetType() == dto.MetricType_COUNTER {
				return m.GetCounter().GetValue()
			}
			return m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// Whatever is kept, dropped, missed or folded at the same time: a load shows at
// least what was acknowledged before it began, and exactly what the stream holds
// up to there.
func TestStates_AreNeverBehindWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	first := newEngine(t)
	small, registry := anotherEngine(t, first, 8<<10)
	engines := []*decider.Engine{first, small}
	store := uuid.New()
	const streams, workers, rounds = 24, 8, 150
	type known struct {
		id    uuid.UUID
		acked atomic.Int64
		names sync.Map // by revision
	}
	all := make([]*known, streams)
	for i := range all {
		all[i] = &known{id: mustHire(t, first, newRequest(store))}
	}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range rounds {
				k, e := all[random.IntN(streams)], engines[random.IntN(2)]
				stream := events.StaffStream(k.id)
				ctx := decider.Arrive(t.Context())
				if random.IntN(2) == 0 {
					name := fmt.Sprintf("%d-%d", w, i)
					out, err := members.Handle(ctx, e, stream, rename{name}, newRequest(store))
					if errors.Is(err, decider.ErrBusy) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					k.names.Store(int64(out.Revision), name)
					for acked := k.acked.Load(); acked < int64(out.Revision) && !k.acked.CompareAndSwap(acked, int64(out.Revision)); {
						acked = k.acked.Load()
					}
				}
				acked := k.acked.Load()
				if random.IntN(2) == 0 {
					ctx = decider.Arrive(t.Context())
				} else if acked > 0 {
					continue // others may have gone on since this request arrived
				}
				loaded, err := members.Load(ctx, e, store, stream)
				if err != nil {
					t.Error(err)
					return
				}
				if int64(loaded.Revision) < acked {
					t.Errorf("loaded revision %d, and %d was acknowledged", loaded.Revision, acked)
				}
				if name, ok := k.names.Load(int64(loaded.Revision)); ok && loaded.State.name != events.Clear(name.(string)) {
					t.Errorf("revision %d is folded to another name than was written", loaded.Revision)
				}
			}
		})
	}
	group.Wait()
	if bytes := metric(t, registry, "steward_states_bytes"); bytes > 8<<10 {
		t.Errorf("%v bytes are kept of at most %d", bytes, 8<<10)
	}
	if metric(t, registry, "steward_states_hits_total") == 0 || metric(t, registry, "steward_states_misses_total") < streams {
		t.Error("the states were not used, or all were kept")
	}
	for _, e := range engines {
		for _, k := range all {
			loaded, err := members.Load(t.Context(), e, store, events.StaffStream(k.id))
			history, err2 := members.LoadHistory(t.Context(), e, store, events.StaffStream(k.id))
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if loaded != history.Loaded {
				t.Errorf("kept %+v, the stream says %+v", loaded, history.Loaded)
			}
		}
	}
}

// A request sees what it wrote itself, whether its state is kept or not.
func TestStates_ShowARequestItsOwnWriting(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]int{"kept": 1 << 20, "not kept": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := anotherEngine(t, newEngine(t), bytes)
			store := uuid.New()
			ctx := decider.Arrive(t.Context())
			id := uuid.New()
			stream := events.StaffStream(id)
			for i, c := range []command{hire{id}, rename{"Sam"}, rename{"Max"}} {
				if _, err := members.Handle(ctx, e, stream, c, newRequest(store)); err != nil {
					t.Fatal(err)
				}
				loaded, err := members.Load(ctx, e, store, stream)
				if err != nil || int(loaded.Revision) != i {
					t.Fatalf("after %d commands: revision %d, %v", i+1, loaded.Revision, err)
				}
			}
		})
	}
}

// Two instances handle the same request at the same time and both append the
// same ids: the log keeps the bytes of one, and that is what the other folds on.
func TestStates_TheLogHasTheLastWord(t *testing.T) {
	t.Parallel()
	first := newEngine(t)
	second, _ := anotherEngine(t, first, 0)
	store := uuid.New()
	id := mustHire(t, first, newRequest(store))
	stream := events.StaffStream(id)
	ctx := decider.Arrive(t.Context())
	if _, err := members.Load(ctx, first, store, stream); err != nil {
		t.Fatal(err)
	}
	r := newRequest(store)
	theirs := r
	theirs.At = r.At.Add(5 * time.Second)
	if _, err := members.Handle(t.Context(), second, stream, rename{"Sam"}, theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := members.Handle(ctx, first, stream, rename{"Sam"}, r); err != nil {
		t.Fatal(err)
	}
	if _, err := members.Handle(t.Context(), first, stream, rename{"Max"}, newRequest(store)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, first, id); n != 3 {
		t.Fatalf("the stream holds %d events, want 3", n)
	}
	if before, after := occurred(t, first, id, 1), occurred(t, first, id, 2); after.Before(before) {
		t.Errorf("time runs backwards in the stream: %s, then %s: it was not folded from what the log holds", before, after)
	}
}

// An instance that was left far behind forgets what it kept rather than read on
// for ever, and is right again.
func TestStates_StartAgainWhenFarBehind(t *testing.T) {
	t.Parallel()
	first := newEngine(t)
	behind, registry := anotherEngine(t, first, 0)
	store := uuid.New()
	id := mustHire(t, first, newRequest(store))
	stream := events.StaffStream(id)
	load := func(want eventstore.Revision) {
		t.Helper()
		loaded, err := members.Load(t.Context(), behind, store, stream)
		if err != nil || loaded.Revision != want {
			t.Fatalf("revision %d, want %d: %v", loaded.Revision, want, err)
		}
	}
	load(0)
	begun := metric(t, registry, "steward_states_restarts_total")
	fill := func(events int) {
		t.Helper()
		for left := events; left > 0; left -= 1000 {
			appendForeign(t, first.Log, min(left, 1000))
		}
	}
	fill(3000) // more than one read brings
	if _, err := members.Handle(t.Context(), first, stream, rename{"Sam"}, newRequest(store)); err != nil {
		t.Fatal(err)
	}
	load(1)
	if metric(t, registry, "steward_states_restarts_total") != begun {
		t.Error("a little behind was too far")
	}
	if _, err := members.Handle(t.Context(), first, stream, rename{"Max"}, newRequest(store)); err != nil {
		t.Fatal(err)
	}
	fill(10_000)
	load(2)
	if metric(t, registry, "steward_states_restarts_total") == begun {
		t.Error("it read on for ever")
	}
	load(2)
	following, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		behind.Follow(following)
		close(ended)
	}()
	stop()
	<-ended
}

func appendForeign(t *testing.T, log *eventstore.Store, n int) {
	t.Helper()
	batch := make([]events.Proposed, n)
	for i := range batch {
		batch[i] = events.Proposed{ID: uuid.New(), Type: "$test.noise", Data: []byte("{}"), Metadata: []byte("{}")}
	}
	if _, err := log.Append(t.Context(), "$test-"+uuid.NewString(), eventstore.NoStream, batch); err != nil {
		t.Fatal(err)
	}
}

// When another log answers in the place of the one that was read, as after a
// restore, nothing that was kept of the old one is believed.
func TestStates_DoNotSurviveTheirLog(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	socket := filepath.Join(t.TempDir(), "s")
	serve := func() (stop func()) {
		node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		listener, err := esnode.Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- node.ServeListener(context.Background(), listener) }()
		return func() {
			if err := errors.Join(node.Close(), <-served); err != nil {
				t.Error(err)
			}
		}
	}
	stop := serve()
	log, err := eventstore.Open(t.Context(), eventstore.Config{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	moved, err := decider.NewEngine(decider.Config{Log: log, Sealer: e.Sealer, Names: e.Names})
	if err != nil {
		t.Fatal(err)
	}
	store, id := uuid.New(), uuid.New()
	stream := events.StaffStream(id)
	// Names are reserved in the log of e, members are in this one.
	if _, err := members.Handle(t.Context(), moved, stream, hire{id}, newRequest(store)); err != nil {
		t.Fatal(err)
	}
	if loaded, err := members.Load(t.Context(), moved, store, stream); err != nil || !loaded.Exists() {
		t.Fatalf("%+v, %v", loaded, err)
	}
	stop()
	defer serve()()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		loaded, err := members.Load(ctx, moved, store, stream)
		if errors.Is(err, eventstore.ErrUnavailable) && ctx.Err() == nil {
			continue // the old connection
		}
		if err != nil || loaded.Exists() {
			t.Fatalf("the new log is empty, and holds %+v, %v", loaded, err)
		}
		return
	}
}

// Loads that want the same stream at the same time share one reading of it, and
// one who gives up does not take the others along.
func TestStates_ShareTheFoldingOfAStream(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	id := mustHire(t, e, newRequest(store))
	other, registry := anotherEngine(t, e, 0)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%4 == 0 {
				cancel()
			}
			loaded, err := members.Load(ctx, other, store, events.StaffStream(id))
			if i%4 == 0 {
				return // gave up
			}
			if err != nil || loaded.Revision != 0 {
				t.Errorf("loaded %+v, %v", loaded, err)
			}
		})
	}
	group.Wait()
	if hits, misses := metric(t, registry, "steward_states_hits_total"), metric(t, registry, "steward_states_misses_total"); misses < 1 || hits+misses > 32 {
		t.Errorf("%v hits, %v misses of 24 to 32 loads", hits, misses)
	}
}
