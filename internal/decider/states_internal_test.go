package decider

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// countEvents folds a stream to how many events it has.
func countEvents(_ context.Context, before folded, records []events.Record) (folded, error) {
	n, _ := before.loaded.(int)
	before.loaded, before.revision = n+len(records), before.revision+eventstore.Revision(len(records))
	return before, nil
}

// Somebody who asks after a state has landed gets what came in since, even while
// whoever folded it has not gone on: that state was folded for barriers before
// theirs.
func TestFlightIsOverOnceItsStateHasLanded(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStates(nil, 1<<20, m)
	const stream = "staff-1"
	_, _, leads := s.look(stream)
	if !leads {
		t.Fatal("nobody folds the stream")
	}
	f := s.flights[stream]
	if _, landed := s.land(stream, f, folded{loaded: 1, revision: 0}); !landed {
		t.Fatal("a state with nothing outstanding did not land")
	}
	s.apply([]events.Record{{Stream: stream, Revision: 1, Position: events.Position{Commit: 2, Prepare: 2}}})

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, _, err := s.get(ctx, stream, uuid.Nil, countEvents)
	if err != nil {
		t.Fatal(err)
	}
	if got.loaded != 2 || got.revision != 1 {
		t.Errorf("got %v events up to revision %d, and the log has told of 2 up to revision 1", got.loaded, got.revision)
	}
}
