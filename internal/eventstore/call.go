package eventstore

import (
	"context"
	"errors"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// reply is what a call brings back.
type reply struct {
	result any
	err    error
}

// grace is how long a call that its caller has left goes on. A sending that fails
// at that moment would otherwise be cancelled while the client looks, without a
// lock, for the trailers of a connection that is about to write them.
const grace = 100 * time.Millisecond

// call runs fn beside the caller, which leaves as soon as ctx ends: the client
// has waits that do not look at ctx. What fn brings comes back only if it was
// in time; begun tells whether fn was started. It has until limit, or as long as
// it likes if that is zero. A client that failed, or let time run out (see
// [errSlow]), is retired.
func (p *pool) call(ctx context.Context, limit time.Time, fn func(context.Context, *esdb.Client) (any, error)) (result any, begun bool, err error) {
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
	ctx, cancel := deadline(ctx, limit)
	defer cancel()
	inner, abandon := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan reply, 1)
	go func() {
		defer p.running.done()
		defer c.leave()
		defer abandon()
		var r reply
		r.err = guard(func() (err error) {
			r.result, err = fn(inner, c.esdb)
			return err
		})
		done <- r
	}()
	var r reply
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = context.Cause(ctx)
		time.AfterFunc(grace, abandon)
	case <-p.closing.Done():
		r.err = ErrClosed
		time.AfterFunc(grace, abandon)
	}
	if broken(ctx, r.err) {
		c.retire()
	}
	if errors.Is(r.err, errSlow) {
		p.retire() // what silenced one connection silenced the others
	}
	return r.result, true, r.err
}

func deadline(ctx context.Context, limit time.Time) (context.Context, context.CancelFunc) {
	if limit.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, limit, errSlow)
}
