package decider

import (
	"context"
	"errors"
	"testing"
	"time"
)

const patience = 20 * time.Second

// gatedReads is a read that tells of its beginning and ends when it is let.
type gatedReads struct{ begun, let chan error }

func newGate() (*barrier, gatedReads) {
	g := gatedReads{make(chan error), make(chan error)}
	b := &barrier{observe: func(int) {}}
	b.read = func(context.Context) error {
		g.begun <- nil
		return <-g.let
	}
	return b, g
}

// waitAll lets n callers wait and returns what they get.
func waitAll(t *testing.T, b *barrier, n int) <-chan error {
	t.Helper()
	results := make(chan error, n)
	rounds := make([]*round, n)
	for i := range n {
		rounds[i] = b.join()
	}
	for _, r := range rounds {
		go func() {
			<-r.done
			results <- r.err
		}()
	}
	return results
}

func expect(t *testing.T, results <-chan error, n int, want error) {
	t.Helper()
	for range n {
		select {
		case err := <-results:
			if !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
		case <-time.After(patience):
			t.Fatal("nobody was let through")
		}
	}
}

// Who comes while a read is under way waits for the next one, together with all
// who come meanwhile; a failure is everybody's in the round, and nobody else's.
func TestBarrierLetsThroughAfterAReadThatBeganLater(t *testing.T) {
	t.Parallel()
	b, g := newGate()
	early := waitAll(t, b, 1)
	<-g.begun
	late := waitAll(t, b, 5)
	failed := errors.New("failed")
	g.let <- failed
	expect(t, early, 1, failed)
	<-g.begun // the second read
	select {
	case <-late:
		t.Fatal("a read that began too early let somebody through")
	default:
	}
	latest := waitAll(t, b, 1)
	g.let <- nil
	expect(t, late, 5, nil)
	<-g.begun
	g.let <- nil
	expect(t, latest, 1, nil)
	if !b.idle(0) || b.idle(time.Hour) {
		t.Error("the barrier does not know when it read last")
	}
}

func TestBarrierCanBeLeft(t *testing.T) {
	t.Parallel()
	b, g := newGate()
	ctx, cancel := context.WithCancelCause(t.Context())
	left := make(chan error, 1)
	go func() { left <- b.wait(ctx) }()
	<-g.begun
	gone := errors.New("gone")
	cancel(gone)
	expect(t, left, 1, gone)
	g.let <- nil
}

// A request passes one barrier, and another only after something happened that
// it has to know of. What passed before that does not count.
func TestArrival(t *testing.T) {
	t.Parallel()
	b, g := newGate()
	s := &states{}
	s.barrier.read, s.barrier.observe = b.read, b.observe
	ctx := Arrive(t.Context())
	passes := func(want bool) {
		t.Helper()
		done := make(chan error, 1)
		go func() { done <- s.arrived(ctx) }()
		if want {
			expect(t, done, 1, nil)
			return
		}
		<-g.begun
		g.let <- nil
		expect(t, done, 1, nil)
	}
	passes(false)
	passes(true)
	again(ctx)
	passes(false)
	passes(true)

	again(ctx)
	done := make(chan error, 1)
	go func() { done <- s.arrived(ctx) }()
	<-g.begun
	again(ctx) // while a barrier is being passed
	g.let <- nil
	expect(t, done, 1, nil)
	passes(false)
	passes(true)
}
