package api

import (
	"sync/atomic"
	"time"
)

// maxLead is how far ahead of our clock an event may be that we still believe.
// A larger lead means that some clock is broken, and nobody adopts that.
const maxLead = 10 * time.Second

// clock never runs behind an event that was seen, so that what follows an event
// is not older than it.
type clock struct {
	wall   func() time.Time
	newest atomic.Int64 // in nanoseconds
}

// now is the time for the events of a request.
func (c *clock) now() time.Time {
	now := c.wall()
	if newest := time.Unix(0, c.newest.Load()); newest.After(now) && newest.Sub(now) <= maxLead {
		return newest
	}
	return now
}

// saw takes note of when an event happened.
func (c *clock) saw(at time.Time) {
	if at.Sub(c.wall()) > maxLead {
		return
	}
	for {
		newest := c.newest.Load()
		if at.UnixNano() <= newest || c.newest.CompareAndSwap(newest, at.UnixNano()) {
			return
		}
	}
}
