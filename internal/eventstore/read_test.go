package eventstore_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

func TestReadStream(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	name := stream()
	mustAppend(t, s, name, eventstore.NoStream, proposed(700))

	t.Run("returns the whole rest", func(t *testing.T) {
		t.Parallel()
		for _, from := range []uint64{0, 1, 650, 699, 700, 5000} {
			records, err := s.ReadStream(t.Context(), name, from)
			if err != nil {
				t.Fatal(err)
			}
			if want := 700 - int(min(from, 700)); len(records) != want {
				t.Errorf("from %d: %d records, want %d", from, len(records), want)
			}
			for i, r := range records {
				if r.Revision != from+uint64(i) {
					t.Fatalf("from %d: record %d has revision %d", from, i, r.Revision)
				}
			}
		}
	})

	t.Run("backwards begins at the head", func(t *testing.T) {
		t.Parallel()
		records, err := s.ReadStreamBackwards(t.Context(), name, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != 2 || records[0].Revision != 699 || records[1].Revision != 698 {
			t.Errorf("got %v", records)
		}
	})

	t.Run("takes a missing stream for an empty one", func(t *testing.T) {
		t.Parallel()
		forwards, err := s.ReadStream(t.Context(), stream(), 0)
		if err != nil || forwards != nil {
			t.Errorf("forwards: %v, %v", forwards, err)
		}
		backwards, err := s.ReadStreamBackwards(t.Context(), stream(), 1)
		if err != nil || backwards != nil {
			t.Errorf("backwards: %v, %v", backwards, err)
		}
	})

	t.Run("returns bytes as they are", func(t *testing.T) {
		t.Parallel()
		name := stream()
		want := []events.Proposed{{ID: uuid.New(), Type: "thing.odd", Data: []byte{0xff, 0, 0xfe}, Metadata: []byte("not json")}}
		mustAppend(t, s, name, eventstore.NoStream, want)
		r := mustRead(t, s, name)[0]
		if diff := cmp.Diff(want[0], events.Proposed{ID: r.ID, Type: r.Type, Data: r.Data, Metadata: r.Metadata}); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	})
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	if head, err := s.Head(t.Context()); err != nil || head != (events.Position{}) {
		t.Fatalf("head of an empty log: %v, %v", head, err)
	}
	var last eventstore.Appended
	for range 5 {
		last = mustAppend(t, s, stream(), eventstore.NoStream, proposed(20))
	}
	if head, err := s.Head(t.Context()); err != nil || head != last.Position {
		t.Errorf("head: %v, %v; appended at %v", head, err, last.Position)
	}
	all, err := s.ReadAll(t.Context(), events.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 100 {
		t.Fatalf("read %d records", len(all))
	}

	t.Run("pages fit together", func(t *testing.T) {
		t.Parallel()
		var paged []events.Record
		var after events.Position
		for {
			page, err := s.ReadAll(t.Context(), after, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			after = page[len(page)-1].Position
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Errorf("(-at once +paged):\n%s", diff)
		}
	})

	t.Run("is empty after the end", func(t *testing.T) {
		t.Parallel()
		records, err := s.ReadAll(t.Context(), last.Position, 10)
		if err != nil || len(records) != 0 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})

	t.Run("refuses a position that says unknown", func(t *testing.T) {
		t.Parallel()
		unknown := events.Position{Commit: math.MaxUint64, Prepare: math.MaxUint64}
		if _, err := s.ReadAll(t.Context(), unknown, 10); err == nil {
			t.Error("accepted")
		}
		if err := s.Subscribe(t.Context(), unknown, eventstore.Handler{}); err == nil {
			t.Error("accepted by a subscription")
		}
	})
}
