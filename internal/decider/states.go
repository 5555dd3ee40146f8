package decider

import (
	"container/list"
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

const (
	// window is how many events one read of the log brings, maxWindows how many
	// of them a barrier reads before it is faster to forget everything.
	window     = 2048
	maxWindows = 4
	// maxPending is how many events of a stream wait to be folded. A stream that
	// others write to and nobody asks for is not worth keeping.
	maxPending = 16
	// emptyWeight is about what a cached state takes up by itself.
	emptyWeight = 512
)

// states holds the folded states of the streams in use. One rule makes them good
// for decisions: every state in here has in it, or beside it, all events of its
// stream up to position. The barrier reads the log on from there, so after it
// they are as current as the log was when it began.
//
// A state may be ahead of position: it was read from its stream, or written by
// this process. Events that come in for it later and that it has are passed over.
type states struct {
	log     *eventstore.Store
	barrier barrier
	metrics *metrics
	limit   int // of the weight

	mu       sync.Mutex
	position events.Position
	entries  map[string]*list.Element // of *entry
	recent   *list.List               // the most recently used in front
	weight   int
	flights  map[string]*flight
}

// entry is a stream folded up to a revision, and what came in since.
type entry struct {
	stream  string
	folded  folded
	pending []events.Record
	// own are the events that this process appended and the log has not told of
	// yet. The log has the last word: an append can succeed because another one
	// with the same ids was there first, with other bytes.
	own    []ownEvent
	weight int
}

// ownEvent is what the log is expected to tell of.
type ownEvent struct {
	revision uint64
	sum      uint64
}

var sumSeed = maphash.MakeSeed()

// sum is a hash of an event's bytes.
func sum(data, metadata []byte) uint64 {
	return maphash.Bytes(sumSeed, data) ^ bits.RotateLeft64(maphash.Bytes(sumSeed, metadata), 1)
}

// confirmed takes in that the log holds an event which is folded already. It
// reports false when it is another one than this process took it for.
func (e *entry) confirmed(r events.Record) bool {
	for i, own := range e.own {
		if own.revision == r.Revision {
			e.own = slices.Delete(e.own, i, i+1)
			return own.sum == sum(r.Data, r.Metadata)
		}
	}
	return true
}

// next is the revision of the first event that the entry does not know of.
func (e *entry) next() uint64 { return uint64(int64(e.folded.revision) + 1 + int64(len(e.pending))) }

// flight is a stream being folded outside the lock, for all who want it.
type flight struct {
	done chan struct{}
	// arriving are the events that came in meanwhile; lost says that some may
	// have been missed.
	arriving []events.Record
	lost     bool

	folded folded // when done
	err    error
}

func newStates(log *eventstore.Store, limit int, m *metrics) *states {
	s := &states{
		log: log, limit: limit, metrics: m,
		entries: make(map[string]*list.Element), recent: list.New(), flights: make(map[string]*flight),
	}
	s.barrier.read = s.advance
	s.barrier.observe = func(waiting int) { m.group.Observe(float64(waiting)) }
	return s
}

// advance takes in what was appended since the last time. Only the barrier calls
// it, one call after the other.
func (s *states) advance(ctx context.Context) error {
	s.mu.Lock()
	after := s.position
	s.mu.Unlock()
	if after == (events.Position{}) {
		return s.restart(ctx)
	}
	for range maxWindows {
		batch, err := s.log.ReadOn(ctx, after, window)
		if errors.Is(err, eventstore.ErrAhead) {
			return s.restart(ctx)
		}
		if err != nil {
			return err
		}
		s.apply(batch)
		if len(batch) < window {
			return nil
		}
		after = batch[len(batch)-1].Position
	}
	return s.restart(ctx)
}

// restart forgets all states and goes on from the end of the log.
func (s *states) restart(ctx context.Context) error {
	head, err := s.log.Head(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = head
	s.weight = 0
	s.recent.Init()
	clear(s.entries)
	for _, f := range s.flights {
		f.lost = true
	}
	s.metrics.restarts.Inc()
	s.measure()
	return nil
}

// apply takes in events that follow on position.
func (s *states) apply(batch []events.Record) {
	if len(batch) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range batch {
		if f, ok := s.flights[r.Stream]; ok {
			f.arriving = append(f.arriving, r)
		}
		element, ok := s.entries[r.Stream]
		if !ok {
			continue
		}
		e := element.Value.(*entry)
		switch next := e.next(); {
		case r.Revision < next:
			if !e.confirmed(r) {
				s.drop(element)
			}
		case r.Revision > next || len(e.pending) == maxPending:
			s.drop(element)
		default:
			e.pending = append(e.pending, r)
			s.weigh(e, len(r.Data)+len(r.Metadata))
		}
	}
	s.position = batch[len(batch)-1].Position
	s.shrink()
}

// get returns a stream as folded by fold, and whether the command may have
// written to it. The caller has passed the barrier.
func (s *states) get(ctx context.Context, stream string, command uuid.UUID, fold foldFunc) (folded, bool, error) {
	for {
		f, known, leads := s.look(stream)
		if f == nil {
			s.metrics.hits.Inc()
			return known, known.mayHold(command), nil
		}
		if leads {
			s.metrics.misses.Inc()
			s.fly(ctx, stream, f, known, fold)
			return f.folded, f.folded.mayHold(command), f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return folded{}, false, context.Cause(ctx)
		}
		if !canceled(f.err) || ctx.Err() != nil {
			return f.folded, f.folded.mayHold(command), f.err
		}
		// Whoever folded it gave up; the others need not.
	}
}

// look returns what is known of a stream, or else the flight that is to fold
// what is missing, which the caller leads if it has just begun.
func (s *states) look(stream string) (f *flight, known folded, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.flights[stream]; ok {
		return f, folded{}, false
	}
	f = &flight{done: make(chan struct{})}
	known.revision = eventstore.NoStream
	if element, ok := s.entries[stream]; ok {
		e := element.Value.(*entry)
		if len(e.pending) == 0 {
			s.recent.MoveToFront(element)
			return nil, e.folded, false
		}
		known, f.arriving = e.folded, e.pending
		s.drop(element)
	}
	s.flights[stream] = f
	return f, known, true
}

// fly folds a stream, from the state that was known before if there was one, and
// puts the outcome in its place.
func (s *states) fly(ctx context.Context, stream string, f *flight, known folded, fold foldFunc) {
	var err error
	for landed := false; err == nil && !landed; {
		records := s.takeArrivals(f)
		if known.loaded == nil {
			// What arrived meanwhile is among these.
			records, err = s.log.ReadStream(ctx, stream, 0)
		}
		if err == nil {
			known, err = fold(ctx, known, records)
		}
		if err == nil {
			known, landed = s.land(stream, f, known)
		}
	}
	if err != nil {
		s.mu.Lock()
		delete(s.flights, stream)
		s.mu.Unlock()
	}
	f.folded, f.err = known, err
	close(f.done)
}

func (s *states) takeArrivals(f *flight) []events.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	records := f.arriving
	f.arriving = nil
	return records
}

// land puts a state among the others and ends the flight, in one step: whoever
// joined the flight later would get a state that lacks what came in since. If
// there is more to fold it returns what to go on from.
func (s *states) land(stream string, f *flight, known folded) (folded, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.lost {
		f.lost, f.arriving = false, nil
		return folded{revision: eventstore.NoStream}, false
	}
	f.arriving = slices.DeleteFunc(f.arriving, func(r events.Record) bool {
		return eventstore.Revision(r.Revision) <= known.revision
	})
	if len(f.arriving) > 0 {
		if eventstore.Revision(f.arriving[0].Revision) > known.revision+1 {
			known = folded{revision: eventstore.NoStream}
		}
		return known, false
	}
	delete(s.flights, stream)
	e := &entry{stream: stream, folded: known}
	s.entries[stream] = s.recent.PushFront(e)
	s.weigh(e, emptyWeight+len(stream)+known.weight)
	s.shrink()
	return known, true
}

// writing is an append of this process that succeeded: its events follow on the
// revision before and lead to the state loaded at the revision after.
type writing struct {
	stream        string
	before, after eventstore.Revision
	loaded        any
	command       uuid.UUID
	proposed      []events.Proposed
}

// wrote takes in what this process appended. It reports whether the state is
// kept: if not, the caller's own writing is news to it, like anybody else's.
func (s *states) wrote(w writing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.entries[w.stream]
	if !ok {
		return false
	}
	e := element.Value.(*entry)
	if e.folded.revision >= w.after {
		return true // the log told of it first
	}
	if e.folded.revision != w.before {
		s.drop(element)
		return false
	}
	weight := e.folded.weight
	e.folded = e.folded.extended(1)
	e.folded.loaded, e.folded.revision = w.loaded, w.after
	for i, p := range w.proposed {
		e.folded.add(w.command, len(p.Data))
		e.own = append(e.own, ownEvent{uint64(w.before) + 1 + uint64(i), sum(p.Data, p.Metadata)})
	}
	told := e.pending
	e.pending = nil
	for _, r := range told {
		if eventstore.Revision(r.Revision) > w.after {
			e.pending = append(e.pending, r)
		} else if !e.confirmed(r) {
			s.drop(element)
			return false
		}
	}
	s.weigh(e, e.folded.weight-weight)
	s.shrink()
	return true
}

// weigh adds to the weight of an entry.
func (s *states) weigh(e *entry, more int) {
	e.weight += more
	s.weight += more
}

// drop removes an entry.
func (s *states) drop(element *list.Element) {
	e := s.recent.Remove(element).(*entry)
	delete(s.entries, e.stream)
	s.weight -= e.weight
}

// shrink drops what was not used for longest until the rest is within bounds.
func (s *states) shrink() {
	for s.weight > s.limit {
		s.drop(s.recent.Back())
	}
	s.measure()
}

func (s *states) measure() {
	s.metrics.states.Set(float64(len(s.entries)))
	s.metrics.bytes.Set(float64(s.weight))
}

func canceled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// quiet is how long the states are left alone while nobody asks for them.
const quiet = time.Second

// follow keeps the states current while nobody asks for them, until ctx ends.
func (s *states) follow(ctx context.Context) {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.barrier.idle(quiet) {
				// An outage shows where somebody waits; here it passes.
				_ = s.barrier.wait(ctx)
			}
		}
	}
}
