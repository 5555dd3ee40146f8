package eventstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
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

// The proxy lets the request pass, waits for the node's answer and loses it: the
// event is in the log, and its writer does not know.
func TestAReplyLostAfterTheCommit(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	direct := open(t, n.socket)
	for ending, e := range map[string]faultproxy.Ending{"reset": faultproxy.Reset, "silence": faultproxy.Silence} {
		rounds := 1
		if e == faultproxy.Reset {
			rounds = 20
		}
		// lose appends through a store of its own and returns once the reply is lost.
		lose := func(t *testing.T) (s *eventstore.Store, name string, batch []events.Proposed, result chan outcome) {
			p, err := n.newProxy(t)
			if err != nil {
				t.Fatal(err)
			}
			s = open(t, p.Path(), oneClient)
			name, batch = stream(), proposed(2)
			lost := p.LoseReply(appendMethod, e)
			result = begin(t.Context(), s, name, batch)
			within(t, recovery, "losing the reply", func() { <-lost })
			mustBe(t, mustRead(t, direct, name), batch)
			return s, name, batch, result
		}
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				_, name, batch, result := lose(t)
				within(t, recovery, "learning the outcome", func() {
					if r := <-result; r.err != nil || r.done.Revision != 1 {
						t.Errorf("got %+v, %v", r.done, r.err)
					}
				})
				mustBe(t, mustRead(t, direct, name), batch)
			}
		})
		t.Run(ending+", then another event", func(t *testing.T) {
			t.Parallel()
			_, name, batch, result := lose(t)
			next := proposed(1)
			mustAppend(t, direct, name, 1, next)
			within(t, recovery, "learning the outcome", func() {
				if r := <-result; r.err != nil || r.done.Revision != 1 {
					t.Errorf("got %+v, %v", r.done, r.err)
				}
			})
			mustBe(t, mustRead(t, direct, name), append(batch, next...))
		})
	}

	t.Run("and the caller has no more time", func(t *testing.T) {
		t.Parallel()
		p, err := n.newProxy(t)
		if err != nil {
			t.Fatal(err)
		}
		s, name, batch := open(t, p.Path(), oneClient), stream(), proposed(2)
		lost := p.LoseReply(appendMethod, faultproxy.Silence)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := begin(ctx, s, name, batch)
		<-lost
		cancel()
		if r := <-result; !errors.Is(r.err, eventstore.ErrOutcomeUnknown) {
			t.Fatalf("got %+v, %v", r.done, r.err)
		}
		// Who repeats the command later sends the same, and learns what happened.
		if done := mustAppend(t, s, name, eventstore.NoStream, batch); done.Revision != 1 {
			t.Errorf("at revision %d", done.Revision)
		}
		if _, err := s.Append(t.Context(), name, eventstore.NoStream, proposed(2)); !errors.Is(err, eventstore.ErrWrongRevision) {
			t.Errorf("other events: %v", err)
		}
		mustBe(t, mustRead(t, direct, name), batch)
	})
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
