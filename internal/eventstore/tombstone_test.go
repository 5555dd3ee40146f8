package eventstore_test

import (
	"errors"
	"testing"

	"github.com/stewardhq/steward/internal/eventstore"
)

func TestTombstone(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := open(t, n.socket)
	name := stream()
	done := mustAppend(t, s, name, eventstore.NoStream, proposed(2))

	if err := s.Tombstone(t.Context(), name, done.Revision-1); err == nil || errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("deleted at another revision: %v", err)
	}
	if got := len(mustRead(t, s, name)); got != 2 {
		t.Fatalf("%d events are left", got)
	}
	if err := s.Tombstone(t.Context(), name, done.Revision); err != nil {
		t.Fatal(err)
	}
	if err := s.Tombstone(t.Context(), name, done.Revision); !errors.Is(err, eventstore.ErrStreamDeleted) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := s.Append(t.Context(), name, done.Revision, proposed(1)); !errors.Is(err, eventstore.ErrStreamDeleted) {
		t.Errorf("appended after the end: %v", err)
	}
	if err := s.Tombstone(t.Context(), stream(), eventstore.NoStream); err != nil {
		t.Errorf("a stream that never was: %v", err)
	}

	n.stop()
	err := s.Tombstone(t.Context(), stream(), eventstore.NoStream)
	if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("with the store away: %v", err)
	}
}

// What is not JSON stays that: a copy of a foreign event is like the event.
func TestBinaryEvents(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	name, batch := stream(), proposed(2)
	batch[0].Binary, batch[0].Data = true, []byte{0, 0xff, '\n'}
	mustAppend(t, s, name, eventstore.NoStream, batch)
	records := mustRead(t, s, name)
	if len(records) != 2 || !records[0].Binary || string(records[0].Data) != string(batch[0].Data) || records[1].Binary {
		t.Errorf("read %+v", records)
	}
}
