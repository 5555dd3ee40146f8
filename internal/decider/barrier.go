package decider

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// barrier lets callers wait for a read that began after they came. All who wait
// at the same time share one read; those who come while it is under way share
// the next.
type barrier struct {
	read    func(context.Context) error
	observe func(waiting int) // told how many share a read, as it begins

	mu   sync.Mutex
	busy bool
	next *round
	last time.Time // when a read began last
}

// round is one read and those who wait for it.
type round struct {
	done    chan struct{}
	err     error
	waiting int
}

// roundTimeout ends a read that nobody waits for any more.
const roundTimeout = 5 * time.Second

// wait returns when a read that began after the call has ended, with its error,
// or when ctx ends.
func (b *barrier) wait(ctx context.Context) error {
	r := b.join()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *barrier) join() *round {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = &round{done: make(chan struct{})}
		if !b.busy {
			b.busy = true
			go b.run()
		}
	}
	b.next.waiting++
	return b.next
}

// run reads as long as somebody waits.
func (b *barrier) run() {
	for r := b.begin(); r != nil; r = b.begin() {
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		r.err = b.read(ctx)
		cancel()
		close(r.done)
	}
}

// begin closes the waiting round to newcomers and returns it, nil when nobody
// waits.
func (b *barrier) begin() *round {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.next
	b.next, b.busy = nil, r != nil
	if r != nil {
		b.last = time.Now()
		b.observe(r.waiting)
	}
	return r
}

// idle reports whether no read has begun for that long.
func (b *barrier) idle(since time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Since(b.last) >= since
}

// arrival is the moment from which on what a request is told must hold. The
// request can move it forward.
type arrival struct {
	moved  atomic.Uint64 // how often it was moved
	passed atomic.Uint64 // one more than it had been moved when a barrier was begun that has ended
}

type arrivalKey struct{}

// Arrive marks the arrival of a request. Loads with the context that it returns
// share one barrier: the first waits for it, and what the log held when it began
// backs all that follow.
func Arrive(ctx context.Context) context.Context {
	return context.WithValue(ctx, arrivalKey{}, &arrival{})
}

// arrived waits for the barrier unless the request has passed one.
func (s *states) arrived(ctx context.Context) error {
	a, ok := ctx.Value(arrivalKey{}).(*arrival)
	if !ok {
		return s.barrier.wait(ctx)
	}
	moved := a.moved.Load()
	if a.passed.Load() > moved {
		return nil
	}
	if err := s.barrier.wait(ctx); err != nil {
		return err
	}
	for passed := a.passed.Load(); passed <= moved && !a.passed.CompareAndSwap(passed, moved+1); {
		passed = a.passed.Load()
	}
	return nil
}

// again moves the arrival of a request to now: the next load waits for another
// barrier.
func again(ctx context.Context) {
	if a, ok := ctx.Value(arrivalKey{}).(*arrival); ok {
		a.moved.Add(1)
	}
}
