package eventstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// follower collects what a subscription delivers.
type follower struct {
	records chan events.Record
	caught  chan events.Record
	ended   chan error
	cancel  context.CancelFunc
}

func follow(t *testing.T, s *eventstore.Store, after events.Position) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{records: make(chan events.Record, 10_000), caught: make(chan events.Record, 10_000), ended: make(chan error, 1), cancel: cancel}
	go func() {
		f.ended <- s.Subscribe(ctx, after, eventstore.Handler{
			Deliver:  func(ctx context.Context, r events.Record) error { return offer(ctx, f.records, r) },
			CaughtUp: func(ctx context.Context) error { return offer(ctx, f.caught, events.Record{}) },
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-f.ended
		f.ended <- nil
	})
	return f
}

func offer(ctx context.Context, to chan<- events.Record, r events.Record) error {
	select {
	case to <- r:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take waits for the next n records.
func (f *follower) take(t *testing.T, n int) []events.Record {
	t.Helper()
	got := make([]events.Record, 0, n)
	limit := time.After(30 * time.Second)
	for len(got) < n {
		select {
		case r := <-f.records:
			got = append(got, r)
		case <-limit:
			t.Fatalf("%d of %d records came", len(got), n)
		}
	}
	return got
}

// mustBe fails unless got is want, in order.
func mustBe(t *testing.T, got []events.Record, want []events.Proposed) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i].ID {
			t.Fatalf("record %d is %s, want %s", i, got[i].ID, want[i].ID)
		}
		if i > 0 && !got[i-1].Position.Before(got[i].Position) {
			t.Fatalf("record %d is not after the one before", i)
		}
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	past := proposed(1500)
	mustAppend(t, s, stream(), eventstore.NoStream, past)
	all, err := s.ReadAll(t.Context(), events.Position{}, 2000)
	if err != nil {
		t.Fatal(err)
	}

	f := follow(t, s, events.Position{})
	mustBe(t, f.take(t, len(past)), past)
	<-f.caught
	tail := follow(t, s, all[1490].Position)
	mustBe(t, tail.take(t, 9), past[1491:])
	<-tail.caught

	live := proposed(50)
	for _, e := range live {
		mustAppend(t, s, stream(), eventstore.NoStream, []events.Proposed{e})
	}
	mustBe(t, f.take(t, len(live)), live)
	mustBe(t, tail.take(t, len(live)), live)

	f.cancel()
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	f.ended <- nil
}

func TestSubscribeEndsWithTheHandlersError(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	mustAppend(t, s, stream(), eventstore.NoStream, proposed(10))
	broken := errors.New("broken")
	count := 0
	err := s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{Deliver: func(context.Context, events.Record) error {
		if count++; count == 3 {
			return broken
		}
		return nil
	}})
	if !errors.Is(err, broken) || count != 3 {
		t.Errorf("%v after %d", err, count)
	}
	err = s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{
		Deliver:  func(context.Context, events.Record) error { return nil },
		CaughtUp: func(context.Context) error { return broken },
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestSubscribeRefusesToSkip(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	done := mustAppend(t, s, stream(), eventstore.NoStream, proposed(1))
	beyond := events.Position{Commit: done.Position.Commit + 1, Prepare: done.Position.Prepare + 1}
	if err := s.Subscribe(t.Context(), beyond, eventstore.Handler{}); !errors.Is(err, eventstore.ErrAhead) {
		t.Errorf("got %v", err)
	}
}

func TestSubscribeBatches(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)

	t.Run("takes as many as are waiting", func(t *testing.T) {
		t.Parallel()
		past := proposed(95)
		mustAppend(t, s, "batches-1", eventstore.NoStream, past)
		var got []events.Record
		sizes := map[int]int{}
		live := make(chan struct{})
		done := errors.New("done")
		next := proposed(30)
		appended := make(chan error, 1)
		go func() {
			<-live
			_, err := s.Append(t.Context(), "batches-1", 94, next)
			appended <- err
		}()
		told := false
		err := s.SubscribeBatches(t.Context(), events.Position{}, 10, func(_ context.Context, batch []events.Record, caughtUp bool) error {
			sizes[len(batch)]++
			for _, r := range batch {
				if r.Stream == "batches-1" {
					got = append(got, r)
				}
			}
			if len(batch) == 0 && !caughtUp {
				t.Error("an empty batch before the end")
			}
			if caughtUp && !told {
				told = true
				if len(got) < len(past) {
					t.Errorf("caught up after %d of %d", len(got), len(past))
				}
				close(live)
			}
			if len(got) == len(past)+len(next) {
				return done
			}
			return nil
		})
		if !errors.Is(err, done) {
			t.Fatal(err)
		}
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
		mustBe(t, got, append(append([]events.Proposed(nil), past...), next...))
		for size := range sizes {
			if size > 10 {
				t.Errorf("a batch of %d", size)
			}
		}
	})

	t.Run("fills up while the consumer is busy", func(t *testing.T) {
		t.Parallel()
		mustAppend(t, s, "batches-2", eventstore.NoStream, proposed(100))
		done := errors.New("done")
		count := 0
		err := s.SubscribeBatches(t.Context(), events.Position{}, 25, func(_ context.Context, batch []events.Record, _ bool) error {
			for _, r := range batch {
				if r.Stream == "batches-2" {
					count++
				}
			}
			if count == 100 {
				return done
			}
			return nil
		})
		if !errors.Is(err, done) {
			t.Error(err)
		}
	})

	t.Run("needs room for one", func(t *testing.T) {
		t.Parallel()
		if err := s.SubscribeBatches(t.Context(), events.Position{}, 0, nil); err == nil {
			t.Error("accepted")
		}
	})
}
