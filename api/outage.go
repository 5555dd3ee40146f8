package api

import (
	"sync/atomic"
	"time"
)

// outageMemory is how long reads go by what one of them found out.
const outageMemory = time.Second

// outage remembers that the event store was found to be away. Commands never
// look at it: they always try.
type outage struct{ until atomic.Int64 }

func (o *outage) begin() { o.until.Store(time.Now().Add(outageMemory).UnixNano()) }

func (o *outage) recent() bool { return time.Now().UnixNano() < o.until.Load() }
