package esnode

import (
	"context"
	"sync"
	"sync/atomic"
)

// horizon is the position up to which the log is known to be on disk. Pebble shows a write to readers before
// it is synced, so every reader stops here: an event that a crash could still take back is never seen.
type horizon struct {
	durable atomic.Uint64

	mu       sync.Mutex
	changed  chan struct{} // closed at the next advance; nil while nobody waits
	pending  []pendingCommit
	watchers map[string]map[*watcher]struct{}
}

// pendingCommit is a commit whose sync is under way. Commits stand in the queue in log order.
type pendingCommit struct {
	last   uint64
	stream string
	// metastream is set when the commit wrote to the stream's metadata too, or only to it.
	metastream string
}

// watcher is told when its stream got a durable event. One waiting signal is enough: whoever is woken reads
// all there is.
type watcher struct {
	stream string
	wake   chan struct{}
}

func newHorizon(durable uint64) *horizon {
	h := &horizon{watchers: make(map[string]map[*watcher]struct{})}
	h.durable.Store(durable)
	return h
}

func (h *horizon) position() uint64 { return h.durable.Load() }

// enqueue announces a commit. It must be called in log order.
func (h *horizon) enqueue(c pendingCommit) {
	h.mu.Lock()
	h.pending = append(h.pending, c)
	h.mu.Unlock()
}

// advance moves the horizon to a position whose commit has been synced and returns how many commits that
// made durable. The log is written in order, so everything before it is on disk as well.
func (h *horizon) advance(position uint64) int {
	if position <= h.durable.Load() {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if position <= h.durable.Load() {
		return 0
	}
	h.durable.Store(position)
	n := 0
	for n < len(h.pending) && h.pending[n].last <= position {
		if len(h.watchers) > 0 {
			h.wake(h.pending[n].stream)
			h.wake(h.pending[n].metastream)
		}
		h.pending[n] = pendingCommit{}
		n++
	}
	h.pending = h.pending[n:]
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
	return n
}

func (h *horizon) wake(stream string) {
	for w := range h.watchers[stream] {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// past returns a channel that is closed as soon as the horizon may lie beyond the position.
func (h *horizon) past(position uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.durable.Load() > position {
		passed := make(chan struct{})
		close(passed)
		return passed
	}
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.changed
}

// reach waits until everything up to the position is durable, which it may never be once writing has ended.
func (h *horizon) reach(ctx context.Context, position uint64, c *condition) error {
	for h.durable.Load() < position {
		select {
		case <-h.past(position - 1):
		case <-ctx.Done():
			return contextStatus(ctx)
		case <-c.ended:
			return c.writable()
		}
	}
	return nil
}

// watch registers for a stream; the caller must unwatch.
func (h *horizon) watch(stream string) *watcher {
	w := &watcher{stream: stream, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[stream] == nil {
		h.watchers[stream] = make(map[*watcher]struct{})
	}
	h.watchers[stream][w] = struct{}{}
	return w
}

func (h *horizon) unwatch(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[w.stream], w)
	if len(h.watchers[w.stream]) == 0 {
		delete(h.watchers, w.stream)
	}
}
