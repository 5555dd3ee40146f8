package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/stewardhq/steward/events"
)

// Handler receives what a subscription delivers, one call at a time.
type Handler struct {
	// Deliver takes every record, those of the event store itself included. An
	// error ends the subscription.
	Deliver func(context.Context, events.Record) error
	// CaughtUp is told whenever the end of the log is reached: once after
	// catching up, and again after every interruption. It may be nil.
	CaughtUp func(context.Context) error
}

// BatchFunc receives records in the order of the log, at least one, or none to
// say that the end was reached. caughtUp tells that the log held no more than
// these. The slice is reused: what is needed later has to be copied out of it,
// while the bytes of a record may be kept. An error ends the subscription.
type BatchFunc func(ctx context.Context, batch []events.Record, caughtUp bool) error

// handlerBatch is how many records may wait for a [Handler].
const handlerBatch = 512

// Subscribe follows the log after a position, the zero position being its
// start: first what is there, then what comes. It reconnects by itself and goes
// on after the last record, so every record comes once and in order. It returns
// what the handler failed with, the error of ctx when that ends, [ErrClosed],
// [ErrAhead], or the store's refusal to begin. [WithSubscriber] names the
// subscriber in the metrics.
func (s *Store) Subscribe(ctx context.Context, after events.Position, h Handler) error {
	return s.subscribe(ctx, after, handlerBatch, func(ctx context.Context, batch []events.Record, _, reached bool) error {
		for _, r := range batch {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := h.Deliver(ctx, r); err != nil {
				return err
			}
		}
		if reached && h.CaughtUp != nil {
			return h.CaughtUp(ctx)
		}
		return nil
	})
}

// SubscribeBatches is [Store.Subscribe] for a consumer that takes as many
// records at once as are waiting, from 1 to limit.
func (s *Store) SubscribeBatches(ctx context.Context, after events.Position, limit int, fn BatchFunc) error {
	return s.subscribe(ctx, after, limit, func(ctx context.Context, batch []events.Record, live, _ bool) error {
		return fn(ctx, batch, live)
	})
}

// consumer is a [BatchFunc] that also hears when live has become true.
type consumer func(ctx context.Context, batch []events.Record, live, reached bool) error

func (s *Store) subscribe(ctx context.Context, after events.Position, limit int, fn consumer) error {
	if limit < 1 {
		return fmt.Errorf("subscribe: limit %d", limit)
	}
	if err := checkPosition(after); err != nil {
		return fmt.Errorf("subscribe after %d/%d: %w", after.Commit, after.Prepare, err)
	}
	if !s.pool.running.add() {
		return ErrClosed
	}
	defer s.pool.running.done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.pool.closing, func() { cancel(ErrClosed) })()

	f := newFeed(limit, after)
	defer s.metrics.followers.add(subscriberOf(ctx), f)()
	sub := &subscription{pool: s.pool, log: s.log, feed: f, resuming: after != events.Position{}}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		f.end(sub.run(ctx))
	}()
	defer func() {
		cancel(nil)
		<-finished
	}()
	for {
		batch, live, reached, err := f.take(ctx)
		if err != nil {
			return subscribeError(err)
		}
		if err := fn(ctx, batch, live, reached); err != nil {
			return err
		}
	}
}

func subscribeError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("subscribe: %w", err)
}
