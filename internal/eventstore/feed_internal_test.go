package eventstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

func at(position uint64) events.Record {
	return events.Record{Position: events.Position{Commit: position, Prepare: position}}
}

func TestFeed(t *testing.T) {
	t.Parallel()

	t.Run("hands over all that waits, once and in order", func(t *testing.T) {
		t.Parallel()
		f := newFeed(10, events.Position{Commit: 3, Prepare: 3})
		for _, p := range []uint64{2, 3, 4, 4, 6, 5, 7} {
			if err := f.add(t.Context(), at(p)); err != nil {
				t.Fatal(err)
			}
		}
		f.setLive(true)
		batch, live, reached, err := f.take(t.Context())
		if err != nil || !live || !reached || len(batch) != 3 {
			t.Fatalf("took %d, %v, %v, %v", len(batch), live, reached, err)
		}
		for i, want := range []uint64{4, 6, 7} {
			if batch[i].Position.Commit != want {
				t.Errorf("record %d is at %d", i, batch[i].Position.Commit)
			}
		}
		f.setLive(false)
		f.setLive(true)
		if batch, live, reached, err = f.take(t.Context()); err != nil || !live || !reached || len(batch) != 0 {
			t.Errorf("took %d, %v, %v, %v", len(batch), live, reached, err)
		}
	})

	t.Run("bounds bytes as well as records", func(t *testing.T) {
		t.Parallel()
		f := newFeed(1000, events.Position{})
		large := at(1)
		large.Data = make([]byte, feedBytes)
		if err := f.add(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.add(ctx, at(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, _, blocked := f.progress(); blocked {
			t.Error("still counts as waiting")
		}
		if batch, _, _, err := f.take(t.Context()); err != nil || len(batch) != 1 {
			t.Errorf("took %d, %v", len(batch), err)
		}
		if err := f.add(t.Context(), at(2)); err != nil {
			t.Error(err)
		}
	})

	t.Run("hands over the rest before its end", func(t *testing.T) {
		t.Parallel()
		f := newFeed(10, events.Position{})
		if err := f.add(t.Context(), at(1)); err != nil {
			t.Fatal(err)
		}
		f.end(errSilent)
		if batch, _, _, err := f.take(t.Context()); err != nil || len(batch) != 1 {
			t.Errorf("took %d, %v", len(batch), err)
		}
		if _, _, _, err := f.take(t.Context()); !errors.Is(err, errSilent) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFeedKnowsHowFarItsConsumerIsBehind(t *testing.T) {
	t.Parallel()
	f := newFeed(10, events.Position{})
	if f.behind() == 0 {
		t.Error("nothing has arrived, and the end was reached")
	}
	f.setLive(true)
	if _, _, _, err := f.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := f.behind(); d != 0 {
		t.Errorf("%v behind, with nothing outstanding", d)
	}
	if err := f.add(t.Context(), at(1)); err != nil {
		t.Fatal(err)
	}
	if f.behind() == 0 {
		t.Error("a record waits, and counts as handled")
	}
	if _, _, _, err := f.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.behind() == 0 {
		t.Error("a record is being handled, and counts as handled")
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, _, _, _ = f.take(ctx) // comes for more: the record is handled
	}()
	for f.behind() != 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	<-waiting
	f.setLive(false)
	if f.behind() == 0 {
		t.Error("the connection is lost, and the end counts as reached")
	}
}

func BenchmarkFeed(b *testing.B) {
	f := newFeed(64, events.Position{})
	b.ReportAllocs()
	for position := uint64(1); b.Loop(); position++ {
		if err := f.add(b.Context(), at(position)); err != nil {
			b.Fatal(err)
		}
		if position%64 == 0 {
			if _, _, _, err := f.take(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
