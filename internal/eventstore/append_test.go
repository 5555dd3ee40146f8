package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := open(t, n.socket)

	t.Run("writes what was given, at exact revisions", func(t *testing.T) {
		t.Parallel()
		name, batch := stream(), proposed(3)
		first := mustAppend(t, s, name, eventstore.NoStream, batch[:1])
		rest := mustAppend(t, s, name, first.Revision, batch[1:])
		if first.Revision != 0 || rest.Revision != 2 || !first.Position.Before(rest.Position) {
			t.Fatalf("appended at %+v and %+v", first, rest)
		}
		records := mustRead(t, s, name)
		if len(records) != 3 {
			t.Fatalf("read %d records", len(records))
		}
		for i, r := range records {
			got := events.Proposed{ID: r.ID, Type: r.Type, Data: r.Data, Metadata: r.Metadata}
			if diff := cmp.Diff(batch[i], got); diff != "" {
				t.Errorf("record %d (-written +read):\n%s", i, diff)
			}
			if r.Stream != name || r.Revision != uint64(i) || r.RecordedAt.IsZero() {
				t.Errorf("record %d is at %s@%d, %v", i, r.Stream, r.Revision, r.RecordedAt)
			}
		}
		if records[2].Position != rest.Position {
			t.Errorf("read at %v, appended at %v", records[2].Position, rest.Position)
		}
	})

	t.Run("refuses another revision and writes nothing", func(t *testing.T) {
		t.Parallel()
		name := stream()
		mustAppend(t, s, name, eventstore.NoStream, proposed(2))
		for _, expected := range []eventstore.Revision{eventstore.NoStream, 0, 2, 7} {
			if _, err := s.Append(t.Context(), name, expected, proposed(2)); !errors.Is(err, eventstore.ErrWrongRevision) {
				t.Errorf("append at %d: %v", expected, err)
			}
		}
		if _, err := s.Append(t.Context(), stream(), 0, proposed(1)); !errors.Is(err, eventstore.ErrWrongRevision) {
			t.Errorf("append to a missing stream at 0: %v", err)
		}
		if got := len(mustRead(t, s, name)); got != 2 {
			t.Errorf("%d events", got)
		}
	})

	t.Run("takes a repetition for what it is", func(t *testing.T) {
		t.Parallel()
		name, batch := stream(), proposed(2)
		first := mustAppend(t, s, name, eventstore.NoStream, batch)
		mustAppend(t, s, name, first.Revision, proposed(1))
		if again := mustAppend(t, s, name, eventstore.NoStream, batch); again != first {
			t.Errorf("repeated at %+v, written at %+v", again, first)
		}
		overlap := append(append([]events.Proposed(nil), batch[:1]...), proposed(1)...)
		if _, err := s.Append(t.Context(), name, eventstore.NoStream, overlap); !errors.Is(err, eventstore.ErrWrongRevision) {
			t.Errorf("half a repetition: %v", err)
		}
		if got := len(mustRead(t, s, name)); got != 3 {
			t.Errorf("%d events", got)
		}
	})

	t.Run("checks the size before sending", func(t *testing.T) {
		t.Parallel()
		name := stream()
		// Data, metadata, and the type in UTF-16.
		e := events.Proposed{ID: uuid.New(), Type: "t", Metadata: []byte("{}")}
		e.Data = bytes.Repeat([]byte("x"), eventstore.MaxAppendSize-4)
		mustAppend(t, s, name, eventstore.NoStream, []events.Proposed{e})
		e.ID, e.Data = uuid.New(), append(e.Data, 'x')
		_, err := s.Append(t.Context(), name, 0, []events.Proposed{e})
		if !errors.Is(err, eventstore.ErrTooLarge) {
			t.Fatalf("one byte too many: %v", err)
		}
		if f, ok := fault.As(err); !ok || f.Kind != fault.TooLarge {
			t.Errorf("not a fault: %v", err)
		}
		if got := len(mustRead(t, s, name)); got != 1 {
			t.Errorf("%d events", got)
		}
	})

	t.Run("refuses what has no meaning", func(t *testing.T) {
		t.Parallel()
		anonymous, untyped := proposed(1), proposed(1)
		anonymous[0].ID, untyped[0].Type = uuid.Nil, ""
		for name, c := range map[string]struct {
			stream   string
			expected eventstore.Revision
			batch    []events.Proposed
		}{
			"no stream":    {"", eventstore.NoStream, proposed(1)},
			"the log":      {"$all", eventstore.NoStream, proposed(1)},
			"any revision": {stream(), -2, proposed(1)},
			"no events":    {stream(), eventstore.NoStream, nil},
			"no id":        {stream(), eventstore.NoStream, anonymous},
			"no type":      {stream(), eventstore.NoStream, untyped},
		} {
			if _, err := s.Append(t.Context(), c.stream, c.expected, c.batch); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})

	t.Run("sends nothing for a caller who has gone", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1))
		if !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOutcomesAreFaults(t *testing.T) {
	t.Parallel()
	f, ok := fault.As(eventstore.ErrUnavailable)
	if !ok || f.Kind != fault.Unavailable || f.Code != "event_store_unavailable" || f.RetryAfter == 0 {
		t.Errorf("unavailable: %+v", f)
	}
	f, ok = fault.As(eventstore.ErrOutcomeUnknown)
	if !ok || f.Kind != fault.Unknown || f.Code != "outcome_unknown" {
		t.Errorf("unknown: %+v", f)
	}
}

// A store that takes no more writes says so at once, and is known to be so.
func TestAStoreThatTakesNoMoreWrites(t *testing.T) {
	t.Parallel()
	s := &stub{append: func(int, streams.Streams_AppendServer) error {
		return status.Error(codes.FailedPrecondition, "the event store takes no more writes until it is opened again")
	}}
	store := open(t, startStub(t, s))
	if err := store.Writable(); err != nil {
		t.Fatal(err)
	}
	_, err := store.Append(t.Context(), stream(), eventstore.NoStream, proposed(1))
	if !errors.Is(err, eventstore.ErrReadOnly) || errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("append: %v", err)
	}
	if err := store.Writable(); !errors.Is(err, eventstore.ErrReadOnly) {
		t.Errorf("the store is thought to be writable: %v", err)
	}
}
