package esnode

import (
	"sort"
	"sync"
)

// tail keeps the newest events in memory, so that live subscriptions and reads of the end of $all touch no
// disk. Nobody may rely on it: whoever finds it too short reads the log instead.
type tail struct {
	mu       sync.RWMutex
	events   []*event // in order of position
	from     uint64   // every event after this position is held
	bytes    int
	maxBytes int
}

// eventOverhead is what an event costs in memory besides its contents, wire form included.
const eventOverhead = 400

func tailCost(e *event) int {
	// Twice, because a frame is kept beside the contents once somebody has read the event.
	return eventOverhead + 2*(len(e.data)+len(e.metadata)+len(e.stream)+len(e.kind))
}

// add appends events that follow everything added before.
func (t *tail) add(events []*event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, events...)
	for _, e := range events {
		t.bytes += tailCost(e)
	}
	drop := 0
	for t.bytes > t.maxBytes && drop < len(t.events) {
		t.bytes -= tailCost(t.events[drop])
		t.from = t.events[drop].position
		t.events[drop] = nil
		drop++
	}
	t.events = t.events[drop:]
}

// after appends to page the events with after < position <= upto, at most limit, and reports whether it
// holds them without a gap. With false the page is unchanged and the log must be read.
func (t *tail) after(page []*event, after, upto uint64, limit int) ([]*event, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if after < t.from {
		return page, false
	}
	first := sort.Search(len(t.events), func(i int) bool { return t.events[i].position > after })
	for _, e := range t.events[first:] {
		if e.position > upto || limit == 0 {
			break
		}
		page = append(page, e)
		limit--
	}
	return page, true
}

// at returns the event at a position, or nil when it is not held.
func (t *tail) at(position uint64) *event {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := sort.Search(len(t.events), func(i int) bool { return t.events[i].position >= position })
	if i < len(t.events) && t.events[i].position == position {
		return t.events[i]
	}
	return nil
}
