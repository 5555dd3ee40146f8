package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/stewardhq/steward/events"
)

const (
	// confirmTimeout bounds how long a subscription waits for its confirmation.
	confirmTimeout = 2500 * time.Millisecond
	// idleCheck is how often a silent subscription looks at the log by itself.
	// A dead link, which would show only after the keepalive's 20 s, and a
	// subscription that the server forgot, are so found within 3 s.
	idleCheck = 500 * time.Millisecond
	// probeTimeout bounds that look.
	probeTimeout = 1500 * time.Millisecond
	// aheadAttempts is how often a position beyond the end is looked at again:
	// a node may be a little behind the others.
	aheadAttempts = 6
)

// Why a subscription that got no error of its own was given up.
var (
	errSilent  = errors.New("the subscription's connection does not answer")
	errStalled = errors.New("the subscription misses events that the log has")
)

// subscription keeps a feed supplied, on a connection of its own.
type subscription struct {
	pool      *pool
	log       *slog.Logger
	feed      *feed
	resuming  bool // begins after a position, which has to be in the log
	confirmed bool // was accepted by the store at least once
	lost      bool // has not been accepted again since
	ahead     int  // how often the position was beyond the end
	wait      backoff
}

// run follows the log until ctx ends. It fails when the store refuses to begin.
func (s *subscription) run(ctx context.Context) error {
	for {
		err := s.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrClosed):
			return err
		case errors.Is(err, ErrAhead):
			if s.ahead++; s.ahead == aheadAttempts {
				return err
			}
		case !s.confirmed && judge(err) == refused:
			return err
		case !s.lost:
			s.lost = true
			s.log.WarnContext(ctx, "event store subscription lost", "err", err)
		}
		s.feed.setLive(false)
		if !s.wait.sleep(ctx) {
			return context.Cause(ctx)
		}
	}
}

// follow connects, subscribes and receives until something fails.
func (s *subscription) follow(ctx context.Context) error {
	c, err := s.pool.dial(ctx)
	if err != nil {
		return err
	}
	defer c.leave()
	defer c.retire()
	return guard(func() error { return s.receive(ctx, c) })
}

func (s *subscription) receive(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)

	source, err := s.open(ctx, cancel, c)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // always nil
	watching.Go(func() { s.watch(ctx, cancel, c) })

	for {
		switch e := source.Recv(); {
		case e.EventAppeared != nil:
			if r, ok := record(e.EventAppeared); ok {
				if err := s.feed.add(ctx, r); err != nil {
					return because(ctx, err)
				}
			}
		case e.CaughtUp != nil:
			s.wait = backoff{}
			s.feed.setLive(true)
		case e.FellBehind != nil:
			s.feed.setLive(false)
		case e.SubscriptionDropped != nil:
			return because(ctx, e.SubscriptionDropped.Error)
		}
	}
}

// open subscribes after the last record and waits for the confirmation.
func (s *subscription) open(ctx context.Context, cancel context.CancelCauseFunc, c *client) (*esdb.Subscription, error) {
	patience := time.AfterFunc(confirmTimeout, func() { cancel(errSlow) })
	defer patience.Stop()

	_, last, _ := s.feed.progress()
	if s.resuming && !s.confirmed {
		head, err := newest(ctx, c.esdb)
		if err != nil {
			return nil, because(ctx, err)
		}
		if head.Before(last) {
			return nil, fmt.Errorf("%w: %d/%d is after %d/%d", ErrAhead, last.Commit, last.Prepare, head.Commit, head.Prepare)
		}
	}
	opts := esdb.SubscribeToAllOptions{From: esdb.Start{}}
	if last != (events.Position{}) {
		opts.From = esdb.Position{Commit: last.Commit, Prepare: last.Prepare}
	}
	source, err := c.esdb.SubscribeToAll(ctx, opts)
	if err != nil {
		return nil, because(ctx, err)
	}
	if s.lost {
		s.log.InfoContext(ctx, "event store subscription resumed", "commit", last.Commit, "prepare", last.Prepare)
	}
	if s.confirmed {
		s.pool.metrics.reconnects.Inc()
	}
	s.confirmed, s.lost = true, false
	return source, nil
}

// watch cancels a subscription that went silent although it should not have.
func (s *subscription) watch(ctx context.Context, cancel context.CancelCauseFunc, c *client) {
	tick := time.NewTicker(idleCheck)
	defer tick.Stop()
	before, _, _ := s.feed.progress()
	missing := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		heard, last, blocked := s.feed.progress()
		if heard != before || blocked {
			before, missing = heard, false
			continue
		}
		head, err := s.probe(ctx, c)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && judge(err) != refused:
			cancel(errSilent)
			return
		case err == nil && last.Before(head) && missing:
			cancel(errStalled)
			return
		}
		missing = err == nil && last.Before(head)
	}
}

func (s *subscription) probe(ctx context.Context, c *client) (head events.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err = guard(func() (err error) {
		head, err = newest(ctx, c.esdb)
		return err
	})
	return head, err
}

// because prefers the reason why ctx was ended to the error that came of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
