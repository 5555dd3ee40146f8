package eventstore

import (
	"context"
	"sync"
	"time"

	"github.com/stewardhq/steward/events"
)

// feedBytes is how much a feed holds before it makes the sender wait.
const feedBytes = 8 << 20

// feed hands records from the connection that receives them to the consumer,
// all that wait at once. It holds a bounded number, and two slices in turn, so
// that following the log costs no allocation of its own.
type feed struct {
	limit int
	more  chan struct{} // something waits for the consumer
	room  chan struct{} // something was taken

	mu      sync.Mutex
	waiting []events.Record
	spare   []events.Record
	bytes   int
	last    events.Position // of the newest record ever added
	heard   uint64          // how often something arrived
	blocked bool            // the sender waits for room
	live    bool            // everything there was has arrived
	tell    bool            // the consumer does not know that yet
	ended   bool
	err     error // why it ended

	// Since when something is outstanding, or zero: the end of the log was not
	// reached, records wait, records are being handled.
	reaching, arrived, handling time.Time
}

func newFeed(limit int, after events.Position) *feed {
	return &feed{limit: limit, last: after, more: make(chan struct{}, 1), room: make(chan struct{}, 1), reaching: time.Now()}
}

// add appends a record, once: one that is not after the last is left out. It
// waits for room and fails only with ctx.
func (f *feed) add(ctx context.Context, r events.Record) error {
	f.mu.Lock()
	for len(f.waiting) >= f.limit || f.bytes >= feedBytes {
		f.blocked = true
		f.mu.Unlock()
		select {
		case <-f.room:
		case <-ctx.Done():
			f.mu.Lock()
			f.blocked = false
			f.mu.Unlock()
			return ctx.Err()
		}
		f.mu.Lock()
	}
	f.blocked = false
	f.heard++
	if !f.last.Before(r.Position) {
		f.mu.Unlock()
		return nil
	}
	f.last = r.Position
	f.bytes += len(r.Data) + len(r.Metadata)
	f.waiting = append(f.waiting, r)
	first := len(f.waiting) == 1
	if first {
		f.arrived = time.Now()
	}
	f.mu.Unlock()
	if first {
		signal(f.more)
	}
	return nil
}

// setLive notes whether all that the log held has arrived.
func (f *feed) setLive(live bool) {
	f.mu.Lock()
	f.heard++
	f.tell = live && (!f.live || f.tell)
	switch {
	case live:
		f.reaching = time.Time{}
	case f.live:
		f.reaching = time.Now()
	}
	f.live = live
	f.mu.Unlock()
	signal(f.more)
}

// end lets the consumer take what waits, and then err.
func (f *feed) end(err error) {
	f.mu.Lock()
	f.ended, f.err = true, err
	f.mu.Unlock()
	signal(f.more)
}

// take waits for records, or for the news that there are none, and returns all
// that wait. They are the consumer's until the next call. live tells that the
// log held no more, reached that this has become so since the last call.
func (f *feed) take(ctx context.Context) (batch []events.Record, live, reached bool, err error) {
	for {
		if ctx.Err() != nil {
			return nil, false, false, context.Cause(ctx)
		}
		f.mu.Lock()
		f.handling = time.Time{} // the records of the call before are done with
		if len(f.waiting) > 0 || f.tell {
			batch, live, reached = f.waiting, f.live, f.tell
			clear(f.spare) // lets go of the records of the call before last
			f.waiting, f.spare = f.spare[:0], batch
			f.bytes, f.tell = 0, false
			f.handling, f.arrived = f.arrived, time.Time{}
			blocked := f.blocked
			f.mu.Unlock()
			if blocked {
				signal(f.room)
			}
			return batch, live, reached, nil
		}
		ended, err := f.ended, f.err
		f.mu.Unlock()
		if ended {
			return nil, false, false, err
		}
		select {
		case <-f.more:
		case <-ctx.Done():
		}
	}
}

// progress says how far the feed came, and whether its sender is waiting.
func (f *feed) progress() (heard uint64, last events.Position, blocked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard, f.last, f.blocked
}

// behind is for how long the consumer has not had all there is: since the oldest
// record that it has not finished arrived, or since the end of the log was last
// known to be reached. It is zero when nothing is outstanding.
func (f *feed) behind() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var longest time.Duration
	for _, since := range []time.Time{f.reaching, f.arrived, f.handling} {
		if !since.IsZero() {
			longest = max(longest, time.Since(since))
		}
	}
	return longest
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
