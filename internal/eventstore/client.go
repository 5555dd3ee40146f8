package eventstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// client is one client of the official library, which is one connection, and
// the count of calls that use it. It is closed when it was retired and the last
// call has left, not beside one.
type client struct {
	esdb *esdb.Client

	calls atomic.Int64 // changed under mu

	mu      sync.Mutex
	retired bool
	overdue *time.Timer // since it was retired
}

// retirement is how long calls may stay in a retired client. Only those stay
// longer that wait for the client's loop after it died; closing the client makes
// them panic, which [guard] expects.
const retirement = 20 * time.Second

// enter admits a call; it refuses once the client was retired.
func (c *client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return false
	}
	c.calls.Add(1)
	return true
}

// leave ends a call that was admitted.
func (c *client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls.Add(-1)
	c.closeWhenIdle()
}

// retire refuses further calls. Those inside go on.
func (c *client) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.retired {
		c.retired = true
		c.overdue = time.AfterFunc(retirement, c.close)
		c.closeWhenIdle()
	}
}

func (c *client) closeWhenIdle() {
	if c.retired && c.calls.Load() == 0 {
		c.overdue.Stop()
		c.close()
	}
}

func (c *client) close() { _ = c.esdb.Close() } // always nil, and harmless twice

// connect makes a client and has it connect, alone, so that nobody waits behind
// a discovery that fails. It takes at most [connectSeconds] for each address,
// whatever ctx says; the client comes with one call admitted.
func connect(t target) (*client, error) {
	c := &client{}
	inner, err := esdb.NewClient(t.client(func(_ esdb.LogLevel, format string, args ...any) {
		if len(args) != 1 {
			return
		}
		switch format {
		case reportsFailure:
			abort(args[0])
		case reportsRedirection:
			c.redirect(t, args[0])
		}
	}))
	if err != nil {
		return nil, fmt.Errorf("event store %s: %w", t.name, err)
	}
	c.esdb = inner
	c.calls.Store(1)
	if _, err := inner.GetServerVersion(); err != nil {
		c.retire()
		c.leave()
		return nil, fmt.Errorf("event store %s: %w", t.name, connectCause(err))
	}
	return c, nil
}

// connectCause is the last line of why a connection failed: the client wraps it
// in a count of attempts.
func connectCause(err error) error {
	var e *esdb.Error
	if errors.As(err, &e) && errors.Unwrap(e.Err()) != nil {
		err = errors.Unwrap(e.Err())
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		return errors.New(s.Message())
	}
	return err
}

// aborted carries the error of a lost connection past the client's own handling.
type aborted struct{ err error }

// What the client logs, and where: the logger is the one place where it can be
// interfered with.
const (
	reportsFailure     = "unexpected exception: %v"         // in the call that failed
	reportsRedirection = "Connecting to leader node %s ..." // in the loop
)

// abort is what the client's logger does with the error of a call. The client
// reports every failed call just before it would tell its own loop to discover
// the node anew: a loop that other calls wait for without looking at their ctx,
// that dies when a discovery fails, and that forgets to close the old connection.
// A lost connection therefore leaves the call right here; [guard] receives it,
// and the client is replaced.
func abort(reason any) {
	if err, ok := reason.(error); ok && status.Code(err) == codes.Unavailable {
		panic(aborted{err})
	}
}

// redirect is what the client's logger does when the loop is about to follow a
// node to the leader that it named. The loop forgets to close a connection to a
// leader that does not answer, and that connection would try for ever. So who is
// named is asked first; if there is no answer, the client is closed and its loop
// ends here. Calls that were named the same leader wait for the loop by then:
// closing makes them panic, [guard] receives it, and they are sent again.
func (c *client) redirect(t target, leader any) {
	t.config.Address, _ = leader.(string)
	t.config.GossipSeeds, t.config.DnsDiscover = nil, false
	probe, err := esdb.NewClient(t.client(esdb.NoopLogging()))
	if err == nil {
		_, err = probe.GetServerVersion()
		_ = probe.Close() // always nil
	}
	if err != nil {
		c.retire()
		c.close()
		runtime.Goexit()
	}
}

// guard runs fn and turns the panics of the client into errors.
func guard(fn func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case aborted:
			err = r.err
		default:
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return fn()
}

// errPanic marks a message that the client did not understand.
var errPanic = errors.New("event store client panicked")

// errSlow ends a call that the store did not answer in the time it has.
var errSlow = errors.New("no answer in time")

// broken reports whether a client that gave err to a call with this ctx should
// not be used again. A caller who gave up says nothing about the client.
func broken(ctx context.Context, err error) bool {
	switch {
	case err == nil:
		return false
	case ctx.Err() != nil:
		return errors.Is(context.Cause(ctx), errSlow)
	case isCode(err, esdb.ErrorCodeNotLeader):
		return false // the client is on its way to the leader
	default:
		return errors.Is(err, errPanic) || judge(err) != refused
	}
}
