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

// await returns when stream has got an event, told by a subscription on a link
// that has no faults.
func await(t *testing.T, direct *eventstore.Store, stream string) {
	t.Helper()
	found := errors.New("found")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := direct.Subscribe(ctx, events.Position{}, eventstore.Handler{Deliver: func(_ context.Context, r events.Record) error {
		if r.Stream == stream {
			return found
		}
		return nil
	}})
	if !errors.Is(err, found) {
		t.Fatalf("nothing was written to %s: %v", stream, err)
	}
}

// oneClient makes the connection that a fault hits the one that is used.
func oneClient(c *eventstore.Config) { c.Clients = 1 }

// outcome is what an append running beside the test returned.
type outcome struct {
	done eventstore.Appended
	err  error
}

func begin(ctx context.Context, s *eventstore.Store, stream string, batch []events.Proposed) chan outcome {
	c := make(chan outcome, 1)
	go func() {
		done, err := s.Append(ctx, stream, eventstore.NoStream, batch)
		c <- outcome{done, err}
	}()
	return c
}

func TestALostReplyIsFoundOut(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	direct := open(t, n.socket)
	for name, after := range map[string]func(t *testing.T, stream string){
		"written once":              func(*testing.T, string) {},
		"and another event came on": func(t *testing.T, stream string) { mustAppend(t, direct, stream, 1, proposed(1)) },
	} {
		for _, ending := range []string{"reset", "silence"} {
			t.Run(name+", "+ending, func(t *testing.T) {
				t.Parallel()
				p, err := n.newProxy(t)
				if err != nil {
					t.Fatal(err)
				}
				s := open(t, p.Path(), oneClient)
				stream, batch := stream(), proposed(2)
				p.Mute()
				result := begin(t.Context(), s, stream, batch)
				await(t, direct, stream)
				after(t, stream)
				if err := p.Heal(); err != nil {
					t.Fatal(err)
				}
				if ending == "reset" {
					p.Reset()
				}
				within(t, recovery, "learning the outcome", func() {
					if r := <-result; r.err != nil || r.done.Revision != 1 {
						t.Errorf("got %+v, %v", r.done, r.err)
					}
				})
				mustBe(t, mustRead(t, direct, stream)[:2], batch)
			})
		}
	}
}

func TestAnUnknownOutcomeIsSaidToBeUnknown(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p := n.proxy()
	s := open(t, p.Path(), oneClient)
	p.Mute()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	within(t, 2*time.Second, "giving up", func() {
		_, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1))
		if !errors.Is(err, eventstore.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAResendLosesToWhoeverWasFirst(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p := n.proxy()
	s, direct := open(t, p.Path(), oneClient), open(t, n.socket)
	stream := stream()
	p.Freeze()
	result := begin(t.Context(), s, stream, proposed(1))
	mustAppend(t, direct, stream, eventstore.NoStream, proposed(1))
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	within(t, recovery, "learning the outcome", func() {
		if r := <-result; !errors.Is(r.err, eventstore.ErrWrongRevision) {
			t.Errorf("got %v", r.err)
		}
	})
}

func TestCallsReturnWhenTheirTimeIsUp(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p := n.proxy()
	s := open(t, p.Path())
	p.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	calls := map[string]func() error{
		"append": func() error {
			_, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1))
			return err
		},
		"read":           func() error { _, err := s.ReadStream(ctx, stream(), 0); return err },
		"read backwards": func() error { _, err := s.ReadStreamBackwards(ctx, stream(), 1); return err },
		"read all":       func() error { _, err := s.ReadAll(ctx, events.Position{}, 10); return err },
		"head":           func() error { _, err := s.Head(ctx); return err },
		"subscribe":      func() error { return s.Subscribe(ctx, events.Position{}, eventstore.Handler{}) },
		"open": func() error {
			s, err := eventstore.Open(ctx, eventstore.Config{Socket: p.Path()})
			if err == nil {
				_ = s.Close()
			}
			return err
		},
	}
	var all sync.WaitGroup
	for name, call := range calls {
		for range 16 {
			all.Go(func() {
				if err := call(); err == nil {
					t.Errorf("%s: no error", name)
				}
			})
		}
	}
	within(t, 2*time.Second, "returning", all.Wait)
}

func TestAStoreThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p := n.proxy()
	s := open(t, p.Path())
	f := follow(t, s, events.Position{})
	<-f.caught
	p.Refuse()
	// A sending that met the broken link itself cannot be sure; the next can.
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1))
		cancel()
		if errors.Is(err, eventstore.ErrUnavailable) {
			break
		}
		if !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			t.Fatalf("got %v", err)
		}
	}
	took := within(t, time.Second, "refusing", func() {
		for range 20 {
			if _, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1)); !errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("append: %v", err)
			}
			if _, err := s.Head(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("head: %v", err)
			}
		}
	})
	t.Logf("40 refusals took %v", took)
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	mustRecover(t, s)
	f.take(t, 1)
}
