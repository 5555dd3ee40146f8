package eventstore

import (
	"context"
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// reply is what a call brings back.
type reply struct {
	result any
	err    error
}

// call runs fn beside the caller, which leaves as soon as ctx ends: the client
// has waits that do not look at ctx. What fn brings comes back only if it was
// in time; begun tells whether fn was started. A client that failed, or let
// time run out (see [errSlow]), is retired.
func (p *pool) call(ctx context.Context, fn func(context.Context, *esdb.Client) (any, error)) (result any, begun bool, err error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	if !p.running.add() {
		c.leave()
		return nil, false, ErrClosed
	}
	ctx, cancel := p.bind(ctx)
	defer cancel()
	done := make(chan reply, 1)
	go func() {
		defer p.running.done()
		defer c.leave()
		var r reply
		r.err = guard(func() (err error) {
			r.result, err = fn(ctx, c.esdb)
			return err
		})
		done <- r
	}()
	var r reply
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = context.Cause(ctx)
	}
	if broken(ctx, r.err) {
		c.retire()
	}
	if errors.Is(r.err, errSlow) {
		p.retire() // what silenced one connection silenced the others
	}
	return r.result, true, r.err
}

// bind returns a ctx that also ends with the pool.
func (p *pool) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.closing, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
