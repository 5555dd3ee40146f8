package eventstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// recovery is how soon calls must work again once the store is back.
const recovery = 5 * time.Second

// mustRecover fails unless every kind of call works again in time, for as many
// calls as there are connections.
func mustRecover(t *testing.T, s *eventstore.Store) {
	t.Helper()
	within(t, recovery, "recovery", func() {
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if err := retry(t.Context(), func() error {
					_, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1))
					return err
				}); err != nil {
					t.Errorf("append: %v", err)
				}
				if err := retry(t.Context(), func() error { _, err := s.Head(t.Context()); return err }); err != nil {
					t.Errorf("head: %v", err)
				}
			})
		}
		all.Wait()
	})
}

// retry repeats what a client of the API would after a 503.
func retry(ctx context.Context, call func() error) error {
	for {
		err := call()
		if !errors.Is(err, eventstore.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for name, fault := range map[string]func(t *testing.T, s *eventstore.Store, p faults){
		"reset":            func(_ *testing.T, _ *eventstore.Store, p faults) { p.Reset() },
		"refused":          func(_ *testing.T, _ *eventstore.Store, p faults) { p.Refuse() },
		"half-open":        func(_ *testing.T, _ *eventstore.Store, p faults) { p.Freeze() },
		"replies lost":     func(_ *testing.T, _ *eventstore.Store, p faults) { p.Mute() },
		"delay":            func(_ *testing.T, _ *eventstore.Store, p faults) { p.Delay(20 * time.Millisecond) },
		"peer vanished":    func(_ *testing.T, _ *eventstore.Store, p faults) { p.Abandon() },
		"little at a time": func(_ *testing.T, _ *eventstore.Store, p faults) { p.Throttle(20_000) },
		"half-open, used":  func(t *testing.T, s *eventstore.Store, p faults) { p.Freeze(); giveUp(t, s) },
		"refused, used":    func(t *testing.T, s *eventstore.Store, p faults) { p.Refuse(); giveUp(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := n.newProxy(t)
			if err != nil {
				t.Fatal(err)
			}
			s := open(t, p.Path())
			f := follow(t, s, events.Position{})
			<-f.caught
			mustRecover(t, s) // every connection is in use
			fault(t, s, p)
			if err := p.Heal(); err != nil {
				t.Fatal(err)
			}
			healed := time.Now()
			mustRecover(t, s)
			last := stream()
			mustAppend(t, s, last, eventstore.NoStream, proposed(1))
			within(t, recovery-time.Since(healed), "the subscription's recovery", func() {
				for r := range f.records {
					if r.Stream == last {
						return
					}
				}
			})
		})
	}
}

// faults is what a fault proxy can do to a link.
type faults interface {
	Reset()
	Refuse()
	Freeze()
	Mute()
	Delay(time.Duration)
	Abandon()
	Throttle(bytesPerSecond int)
}

// giveUp makes calls during a fault, whose callers do not wait for the end.
func giveUp(t *testing.T, s *eventstore.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1)); err == nil {
				t.Error("appended during a fault")
			}
			if _, err := s.Head(ctx); err == nil {
				t.Error("read during a fault")
			}
		})
	}
	all.Wait()
}

func TestANodeThatComesBack(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := open(t, n.socket)
	f := follow(t, s, events.Position{})
	name := stream()
	var want []events.Proposed
	for round := range 5 {
		batch := proposed(100)
		want = append(want, batch...)
		expected := eventstore.Revision(100*round - 1)
		if err := retry(t.Context(), func() error {
			_, err := s.Append(t.Context(), name, expected, batch)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		n.stop()
		n.start()
		mustRecover(t, s)
	}
	mustBe(t, mustRead(t, s, name), want)

	var got []events.Record
	within(t, 10*time.Second, "the subscription", func() {
		for r := range f.records {
			if r.Stream == name {
				got = append(got, r)
			}
			if len(got) == len(want) {
				return
			}
		}
	})
	mustBe(t, got, want)
}
