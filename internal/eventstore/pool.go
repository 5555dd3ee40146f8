package eventstore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// failFast is how long a failed connection answers for those who ask next.
const failFast = 50 * time.Millisecond

// perClient is how many calls share a connection while another has room. A
// server admits a hundred, and the client lets the next one wait unseen.
const perClient = 90

// pool spreads calls over several clients and replaces those that fail.
type pool struct {
	target  target
	metrics *metrics

	slots     []slot
	turn      atomic.Uint64
	connected atomic.Int64 // when a connection was made last: older failures are history
	// closing ends what runs on the pool's clients when the pool is closed.
	closing context.Context
	end     context.CancelCauseFunc
	// running counts what has to end before close returns: calls that were
	// left behind by their callers, connections being made, subscriptions.
	running tally
}

// slot holds one client, or the attempt to get one.
type slot struct {
	mu      sync.Mutex
	client  *client
	attempt *attempt
	used    bool // there was a client before
}

// attempt is one connection being made, shared by all who wait for it.
type attempt struct {
	done chan struct{}
	err  error
	at   time.Time // when it failed
}

func newPool(t target, clients int, m *metrics) *pool {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &pool{target: t, metrics: m, slots: make([]slot, clients), closing: ctx, end: cancel}
}

// acquire admits a call to a client, connecting one if need be. It fails with
// [ErrUnavailable], [ErrClosed] or the error of ctx. The caller must leave it.
func (p *pool) acquire(ctx context.Context) (*client, error) {
	s := p.choose()
	for {
		c, a := p.ask(s)
		if c != nil {
			return c, nil
		}
		if a == nil {
			return nil, ErrClosed
		}
		select {
		case <-a.done:
			if a.err != nil {
				return nil, unavailable(a.err)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-p.closing.Done():
			return nil, ErrClosed
		}
	}
}

// choose prefers the first client that has room: calls that share a connection
// share its system calls. When all are full the calls wait their turn in them.
func (p *pool) choose() *slot {
	for i := range p.slots {
		s := &p.slots[i]
		s.mu.Lock()
		room := s.client == nil || s.client.calls.Load() < perClient
		s.mu.Unlock()
		if room {
			return s
		}
	}
	return &p.slots[p.turn.Add(1)%uint64(len(p.slots))]
}

// ask returns the slot's client with a call admitted, or the attempt to wait
// for, or neither when the pool is closed.
func (p *pool) ask(s *slot) (*client, *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.closing.Err() != nil {
		return nil, nil
	}
	if s.client != nil && s.client.enter() {
		return s.client, nil
	}
	s.client = nil
	if a := s.attempt; a != nil {
		select {
		case <-a.done:
			if a.err != nil && time.Since(a.at) < failFast && a.at.UnixNano() > p.connected.Load() {
				return nil, a
			}
		default:
			return nil, a
		}
	}
	if !p.running.add() {
		return nil, nil
	}
	a := &attempt{done: make(chan struct{})}
	s.attempt = a
	go func() {
		defer p.running.done()
		p.fill(s, a)
	}()
	return nil, a
}

// fill makes the connection that a slot waits for.
func (p *pool) fill(s *slot, a *attempt) {
	c, err := p.connect()
	s.mu.Lock()
	if s.client = c; c != nil && s.used {
		p.metrics.reconnects.Inc()
	}
	s.used = s.used || c != nil
	a.err, a.at = err, time.Now()
	close(a.done)
	s.mu.Unlock()
	if c != nil {
		c.leave()
		if p.closing.Err() != nil {
			c.retire()
		}
	}
}

// connect makes a client, with one call admitted. When that fails the other
// clients cannot be trusted either, and whoever comes next should learn so from
// a connection, before sending anything.
func (p *pool) connect() (*client, error) {
	c, err := connect(p.target)
	if err != nil {
		p.retire()
		return nil, err
	}
	p.connected.Store(time.Now().UnixNano())
	return c, nil
}

// dial makes a client that belongs to the caller, with one call admitted. When
// ctx ends first the attempt is left to end by itself.
func (p *pool) dial(ctx context.Context) (*client, error) {
	if !p.running.add() {
		return nil, ErrClosed
	}
	type dialed struct {
		client *client
		err    error
	}
	done := make(chan dialed)
	go func() {
		defer p.running.done()
		c, err := p.connect()
		select {
		case done <- dialed{c, err}:
		case <-ctx.Done():
			if c != nil {
				c.retire()
				c.leave()
			}
		}
	}()
	select {
	case d := <-done:
		return d.client, d.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// retire retires every client of the pool.
func (p *pool) retire() {
	for i := range p.slots {
		s := &p.slots[i]
		s.mu.Lock()
		if s.client != nil {
			s.client.retire()
		}
		s.mu.Unlock()
	}
}

// close refuses new calls, cuts those inside short and closes every client.
func (p *pool) close() {
	p.end(ErrClosed)
	p.retire()
	p.running.wait()
	p.retire()
}

// tally is a wait group that refuses to grow once somebody waits for it.
type tally struct {
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

func (t *tally) add() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.group.Add(1)
	}
	return !t.closed
}

func (t *tally) done() { t.group.Done() }

func (t *tally) wait() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.group.Wait()
}
