package importer

import "slices"

// batch is the rows of one request, in the order in which they are applied.
type batch struct{ rows []*row }

// schedule decides which rows may be sent. A row waits until every earlier row
// that shares a key with it is done, or goes right behind it in the same batch.
// It holds the rows between reading and reporting, in file order.
type schedule struct {
	maxRows, maxBytes int // of a batch

	order []*row          // read and not yet reported
	ready []*row          // may be sent
	last  map[string]*row // the latest row of a key that is not done
}

func newSchedule(maxRows, maxBytes int) *schedule {
	return &schedule{maxRows: maxRows, maxBytes: maxBytes, last: make(map[string]*row)}
}

// add takes the next row of the file.
func (s *schedule) add(r *row) {
	s.order = append(s.order, r)
	if r.settled {
		r.done = true
		return
	}
	for _, key := range r.keys {
		if before := s.last[key]; before != nil && !slices.Contains(r.blockers, before) {
			r.blockers = append(r.blockers, before)
			before.next = append(before.next, r)
		}
		s.last[key] = r
	}
	if len(r.blockers) == 0 {
		s.release(r)
	}
}

func (s *schedule) release(r *row) {
	r.released = true
	s.ready = append(s.ready, r)
}

// take builds the next batch of at most rows rows, or nil when no row may be sent.
func (s *schedule) take(rows int) *batch {
	rows = min(rows, s.maxRows)
	b, size := &batch{}, 0
	var behind []*row // wait for nothing but rows of this batch
	for len(b.rows) < rows {
		from := &behind
		if len(behind) == 0 {
			from = &s.ready
		}
		if len(*from) == 0 {
			break
		}
		r := (*from)[0]
		if size += len(r.wire); size > s.maxBytes && len(b.rows) > 0 {
			break
		}
		*from = (*from)[1:]
		r.batch = b
		b.rows = append(b.rows, r)
		for _, n := range r.next {
			if n.mayFollow(b) {
				behind = append(behind, n)
			}
		}
	}
	if len(b.rows) == 0 {
		return nil
	}
	return b
}

// mayFollow reports whether r may go behind the rows of b: it waits for no others.
func (r *row) mayFollow(b *batch) bool {
	for _, before := range r.blockers {
		if !before.done && before.batch != b {
			return false
		}
	}
	return true
}

// free reports whether r waits for nothing.
func (r *row) free() bool {
	for _, before := range r.blockers {
		if !before.done {
			return false
		}
	}
	return true
}

// finish takes a batch back whose rows are settled, and releases what waited.
func (s *schedule) finish(b *batch) {
	for _, r := range b.rows {
		r.done = true
		for _, key := range r.keys {
			if s.last[key] == r {
				delete(s.last, key)
			}
		}
	}
	for _, r := range b.rows {
		for _, n := range r.next {
			if n.batch == nil && !n.released && n.free() {
				s.release(n)
			}
		}
		r.next, r.blockers = nil, nil
	}
}

// reported takes out the rows at the front that are done.
func (s *schedule) reported() []*row {
	n := 0
	for n < len(s.order) && s.order[n].done {
		n++
	}
	front := s.order[:n]
	s.order = s.order[n:]
	return front
}

// rest takes out the settled rows among those that are left when an import stops
// half-way.
func (s *schedule) rest() []*row {
	var settled []*row
	for _, r := range s.order {
		if r.settled {
			settled = append(settled, r)
		}
	}
	s.order = nil
	return settled
}
