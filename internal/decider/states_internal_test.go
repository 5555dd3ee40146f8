package decider

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
)

// foldedStream is a stream of a log of its own, and the states that keep it.
type foldedStream struct {
	*states

	t    *testing.T
	name string
	next eventstore.Revision // of the event that is appended next
}

func newFoldedStream(t *testing.T) *foldedStream {
	t.Helper()
	dir, err := os.MkdirTemp("", "states") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	node, err := esnode.Open(filepath.Join(dir, "events"), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	listener, err := esnode.Listen(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = node.ServeListener(context.Background(), listener) }()
	log, err := eventstore.Open(t.Context(), eventstore.Config{Socket: filepath.Join(dir, "s")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &foldedStream{states: newStates(log, 1<<20, m), t: t, name: "staff-1"}
	f.append()
	f.catchUp()
	return f
}

// append writes one event to the stream.
func (f *foldedStream) append() {
	f.t.Helper()
	event := events.Proposed{ID: uuid.New(), Type: "staff.renamed", Data: []byte("{}"), Metadata: []byte("{}")}
	done, err := f.log.Append(f.t.Context(), f.name, f.next-1, []events.Proposed{event})
	if err != nil {
		f.t.Fatal(err)
	}
	f.next = done.Revision + 1
}

// catchUp does what a barrier does.
func (f *foldedStream) catchUp() {
	f.t.Helper()
	if err := f.advance(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// fold folds the stream to how many events it has, and lets something happen
// while the first of them are folded.
func (f *foldedStream) fold(meanwhile func()) foldFunc {
	return func(_ context.Context, before folded, records []events.Record) (folded, error) {
		n, _ := before.loaded.(int)
		for _, r := range records {
			if before.revision++; eventstore.Revision(r.Revision) != before.revision {
				f.t.Errorf("revision %d is folded where %d belongs", r.Revision, before.revision)
			}
			n++
		}
		before.loaded = n
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
		}
		return before, nil
	}
}

// holds asks for the stream and insists on so many events.
func (f *foldedStream) holds(want int, meanwhile func()) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	got, _, err := f.get(ctx, f.name, uuid.Nil, f.fold(meanwhile))
	if err != nil {
		f.t.Fatal(err)
	}
	if got.loaded != want || got.revision != eventstore.Revision(want-1) {
		f.t.Errorf("got %v events up to revision %d, want %d", got.loaded, got.revision, want)
	}
}

// Whatever the log tells while a stream is folded is in the state that comes of
// it, since whoever passes a barrier meanwhile gets that state.
func TestFlight_HoldsWhatCameInMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(f *foldedStream)
		want      int
	}{
		"one event": {func(f *foldedStream) {
			f.append()
			f.catchUp()
		}, 2},
		"the states began anew": {func(f *foldedStream) {
			f.append()
			if err := f.restart(t.Context()); err != nil {
				t.Error(err)
			}
		}, 2},
		"events that were missed": {func(f *foldedStream) {
			f.append()
			f.append()
			all, err := f.log.ReadStream(t.Context(), f.name, 2)
			if err != nil {
				t.Error(err)
			}
			f.apply(all)
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFoldedStream(t)
			f.holds(test.want, func() { test.meanwhile(f) })
			f.holds(test.want, nil)
		})
	}
}

// Somebody who asks after a state has landed gets what came in since, even while
// whoever folded it has not gone on: that state was folded for barriers before
// theirs.
func TestFlight_IsOverOnceItsStateHasLanded(t *testing.T) {
	t.Parallel()
	f := newFoldedStream(t)
	flight, _, leads := f.look(f.name)
	if !leads {
		t.Fatal("somebody else folds the stream")
	}
	if _, landed := f.land(f.name, flight, folded{loaded: 1, revision: 0}); !landed {
		t.Fatal("a state with nothing outstanding did not land")
	}
	f.append()
	f.catchUp()
	f.holds(2, nil)
}

// What a request writes while somebody else folds the stream may be missing
// there: it is news to the request.
func TestFlight_MayLackWhatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFoldedStream(t)
	f.holds(1, func() {
		f.append()
		if f.wrote(writing{stream: f.name, before: 0, after: 1, loaded: 2}) {
			t.Error("the state counts as kept")
		}
	})
	f.catchUp()
	f.holds(2, nil)
}
