package eventstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
)

// block is what one set of wrappers lives through.
type block struct {
	*lane
	name      string
	wrappers  []*eventstore.Store
	direct    *eventstore.Store // past the proxy
	witnesses []*witness

	mu      sync.Mutex
	batches []*batch
	probes  []probe
}

// batch is a set of events that somebody tried to append, and what came of it.
type batch struct {
	stream   string
	expected eventstore.Revision
	events   []events.Proposed
	schedule int
	verdict  outcomeVerdict
}

// outcomeVerdict is what the wrapper said of a batch in the end.
type outcomeVerdict int

const (
	unknown  outcomeVerdict = iota // there once, or not at all
	written                        // there, right after the expected revision
	absent                         // not there
	unsentSo                       // so far no sending left the wrapper
)

// propose makes a batch and notes it.
func (b *block) propose(rng *rand.Rand, number int, stream string, expected eventstore.Revision) *batch {
	x := &batch{stream: stream, expected: expected, schedule: number, verdict: unsentSo}
	x.events = proposed(1 + rng.IntN(4))
	if rng.IntN(8) == 0 { // long enough to be cut in the middle
		x.events[0].Data = fmt.Appendf(nil, `{"long":"%0*d"}`, 1+rng.IntN(longest), 7)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, x)
	return x
}

// append tries once, with so much time, and notes what is now known of x.
func (b *block) append(s *eventstore.Store, x *batch, patience time.Duration) (eventstore.Appended, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	done, err := s.Append(ctx, x.stream, x.expected, x.events)
	b.returned("append", begun, patience)
	switch {
	case err == nil:
		x.verdict = written
		if want := x.expected + eventstore.Revision(len(x.events)); done.Revision != want {
			b.t.Errorf("schedule %d: %s: written up to revision %d instead of %d", x.schedule, x.stream, done.Revision, want)
		}
	case errors.Is(err, eventstore.ErrWrongRevision):
		x.verdict = absent
	case errors.Is(err, eventstore.ErrOutcomeUnknown):
		x.verdict = unknown
	case errors.Is(err, eventstore.ErrUnavailable): // leaves what was known before
	default:
		b.t.Errorf("schedule %d: append to %s at %d: %v", x.schedule, x.stream, x.expected, err)
		x.verdict = unknown
	}
	return done, err
}

// late is how long after its deadline a call may return, on a machine that has
// much to do.
const late = 2 * time.Second

func (b *block) returned(what string, begun time.Time, patience time.Duration) {
	if over := time.Since(begun) - patience; over > 0 {
		b.campaign.overrun.note(over)
		if over > late {
			b.t.Errorf("%s returned %v after its deadline", what, over)
		}
	}
}

// live runs the workload through one schedule, and on until all works again.
func (b *block) live(ctx context.Context, s schedule) {
	ctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	contested := stream()
	for i, w := range b.wrappers {
		rng := func(worker int) *rand.Rand {
			return rand.New(rand.NewPCG(b.campaign.seed^uint64(s.number), uint64(2*worker+i)))
		}
		workers.Go(func() { b.write(ctx, rng(0), s.number, w) })
		workers.Go(func() { b.write(ctx, rng(1), s.number, w) })
		workers.Go(func() { b.contend(ctx, rng(2), s.number, w, contested) })
	}
	for _, step := range s.steps {
		end := step.apply(b.lane)
		<-time.After(step.hold)
		end()
	}
	if err := b.proxy.Heal(); err != nil {
		b.t.Error(err)
	}
	healed := time.Now()
	var probes sync.WaitGroup
	control := b.control(ctx, s.number)
	for i, w := range b.wrappers {
		probes.Go(func() { b.recover(s, healed, w, b.witnesses[2*i:2*i+2]) })
	}
	probes.Wait()
	stop()
	workers.Wait()
	b.judge(s, control())
}

// control appends past the faults, one event after the other, until the returned
// function is called, which tells how long the slowest took: what a machine that
// has much to do takes anyway.
func (b *block) control(ctx context.Context, number int) func() time.Duration {
	ctx, stop := context.WithCancel(ctx)
	slowest := make(chan time.Duration, 1)
	go func() {
		rng := rand.New(rand.NewPCG(uint64(number), 2))
		var most time.Duration
		for up := false; ctx.Err() == nil; pause(ctx, rng) {
			begun := time.Now()
			_, err := b.append(b.direct, b.propose(rng, number, stream(), eventstore.NoStream), 2*recovery)
			if up = up || err == nil; up { // a store that was killed is to be found again first
				most = max(most, time.Since(begun))
			}
		}
		slowest <- most
	}()
	return func() time.Duration {
		stop()
		return <-slowest
	}
}

// probe is when things worked again after a schedule, since the healing.
type probe struct{ appended, delivered time.Duration }

// busy is what an append past the faults takes on a machine that has too much to
// do for its times to mean anything.
const busy = 300 * time.Millisecond

// judge fails if recovery took longer than five seconds, unless everything did.
func (b *block) judge(s schedule, slowest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	probes := b.probes
	b.probes = nil
	if slowest > busy {
		b.campaign.unjudged.Add(1)
		return
	}
	for _, p := range probes {
		b.campaign.slowestAppend.note(p.appended)
		b.campaign.slowestDelivery.note(p.delivered)
		if max(p.appended, p.delivered) > recovery {
			b.t.Errorf("%v\nafter the faults had ended the first append took %v and its delivery %v, others no more than %v",
				s, p.appended, p.delivered, slowest)
		}
	}
}

// recover appends one event as soon as that can be done, and sees it delivered.
func (b *block) recover(s schedule, healed time.Time, w *eventstore.Store, witnesses []*witness) {
	rng := rand.New(rand.NewPCG(uint64(s.number), 1))
	x := b.propose(rng, s.number, stream(), eventstore.NoStream)
	var p probe
	for {
		_, err := b.append(w, x, 2*recovery)
		if err == nil {
			break
		}
		if time.Since(healed) > 6*recovery {
			b.t.Errorf("%v\nno append %v after the faults had ended: %v", s, time.Since(healed), err)
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	p.appended = time.Since(healed)
	limit := time.NewTimer(6 * recovery)
	defer limit.Stop()
	for i, witness := range witnesses {
		select {
		case <-witness.saw(x.events[0].ID):
		case <-limit.C:
			b.t.Errorf("%v\nsubscription %d delivers nothing after the faults had ended", s, i)
			return
		}
	}
	p.delivered = time.Since(healed)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probes = append(b.probes, p)
}

// pause keeps the machine free for what is to be measured.
func pause(ctx context.Context, rng *rand.Rand) {
	t := time.NewTimer(time.Duration(rng.IntN(20_000)) * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// write appends to streams of its own. It tries again until it knows, as the
// caller of a command does, or now and then gives up and begins a new stream.
func (b *block) write(ctx context.Context, rng *rand.Rand, number int, s *eventstore.Store) {
	name, revision := stream(), eventstore.NoStream
	var mine []events.Proposed
	for ctx.Err() == nil {
		x := b.propose(rng, number, name, revision)
		for {
			// The caller's own patience is often short, to meet every outcome.
			done, err := b.append(s, x, time.Duration(20<<rng.IntN(8))*time.Millisecond)
			if err == nil {
				revision = done.Revision
				mine = append(mine, x.events...)
				break
			}
			if errors.Is(err, eventstore.ErrWrongRevision) {
				b.t.Errorf("schedule %d: nobody else writes to %s: %v", number, name, err)
				return
			}
			if ctx.Err() != nil || rng.IntN(6) == 0 {
				name, revision, mine = stream(), eventstore.NoStream, nil
				break
			}
			pause(ctx, rng)
		}
		if len(mine) > 0 && rng.IntN(3) == 0 {
			b.read(rng, number, s, name, mine)
		}
		pause(ctx, rng)
	}
}

// read finds at least what was acknowledged, in its order, if it finds anything.
func (b *block) read(rng *rand.Rand, number int, s *eventstore.Store, name string, want []events.Proposed) {
	patience := time.Duration(50<<rng.IntN(7)) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	got, err := s.ReadStream(ctx, name, 0)
	b.returned("read", begun, patience)
	if err != nil {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			b.t.Errorf("schedule %d: read %s: %v", number, name, err)
		}
		return
	}
	if len(got) != len(want) {
		b.t.Errorf("schedule %d: %s has %d events, want %d", number, name, len(got), len(want))
		return
	}
	for i := range got {
		if got[i].ID != want[i].ID || got[i].Revision != uint64(i) {
			b.t.Errorf("schedule %d: event %d of %s is another", number, i, name)
			return
		}
	}
}

// contend appends to a stream that others append to as well: at each revision
// one of them wins.
func (b *block) contend(ctx context.Context, rng *rand.Rand, number int, s *eventstore.Store, name string) {
	revision := eventstore.NoStream
	for ctx.Err() == nil {
		x := b.propose(rng, number, name, revision)
		for x.verdict != written && x.verdict != absent && ctx.Err() == nil {
			_, _ = b.append(s, x, time.Duration(100<<rng.IntN(5))*time.Millisecond) // noted in x
			pause(ctx, rng)
		}
		reading, cancel := context.WithTimeout(ctx, time.Second)
		head, err := s.ReadStreamBackwards(reading, name, 1)
		cancel()
		if err == nil && len(head) == 1 {
			revision = eventstore.Revision(head[0].Revision)
		}
		pause(ctx, rng)
	}
}

// verify compares what was said with what is in the log, and what was delivered
// with the log.
func (b *block) verify(begin events.Position) {
	log, err := b.settled(begin)
	if err != nil {
		b.t.Errorf("%s: %v", b.name, err)
		return
	}
	b.campaign.events.Add(int64(len(log)))

	found := map[uuid.UUID]events.Record{}
	for _, r := range log {
		if _, twice := found[r.ID]; twice {
			b.t.Errorf("%s: event %s of %s is in the log twice", b.name, r.ID, r.Stream)
		}
		found[r.ID] = r
	}
	for _, x := range b.batches {
		b.verifyBatch(x, found)
	}
	for id, r := range found {
		b.t.Errorf("%s: nobody appended event %s of %s", b.name, id, r.Stream)
	}
}

// settled returns the log since begin as every subscription delivered it. An
// append whose outcome stayed unknown may be on its way still, so the log may
// grow while it is looked at.
func (b *block) settled(begin events.Position) ([]events.Record, error) {
	for limit := time.Now().Add(2 * recovery); ; {
		var log []events.Record
		for after := begin; ; after = log[len(log)-1].Position {
			page, err := b.direct.ReadAll(context.Background(), after, 5000)
			if err != nil {
				return nil, err
			}
			if log = append(log, page...); len(page) < 5000 {
				break
			}
		}
		grown := false
		for i, w := range b.witnesses {
			more, err := w.delivered(log)
			if err != nil {
				return nil, fmt.Errorf("subscription %d: %w", i, err)
			}
			grown = grown || more
		}
		if !grown {
			return log, nil
		}
		if time.Now().After(limit) {
			return nil, errors.New("subscriptions deliver what the log does not have")
		}
	}
}

// verifyBatch takes the events of a batch out of found, and fails unless it
// holds what the verdict says.
func (b *block) verifyBatch(x *batch, found map[uuid.UUID]events.Record) {
	there := 0
	for i, e := range x.events {
		r, ok := found[e.ID]
		if !ok {
			continue
		}
		delete(found, e.ID)
		there++
		if r.Stream != x.stream || r.Revision != uint64(x.expected+1)+uint64(i) || string(r.Data) != string(e.Data) {
			b.t.Errorf("schedule %d: event %d of a batch for %s after %d is at %s %d", x.schedule, i, x.stream, x.expected, r.Stream, r.Revision)
		}
	}
	want, exact := map[outcomeVerdict]int{written: len(x.events), absent: 0, unsentSo: 0}[x.verdict]
	if exact && there != want || there != 0 && there != len(x.events) {
		b.t.Errorf("schedule %d: %d of %d events of a batch for %s after %d are in the log; the verdict was %d",
			x.schedule, there, len(x.events), x.stream, x.expected, x.verdict)
	}
}

// witness remembers what a subscription delivered.
type witness struct {
	mu      sync.Mutex
	records []events.Record // without data
	waiting map[uuid.UUID]chan struct{}
	seen    map[uuid.UUID]bool
}

func newWitness() *witness {
	return &witness{waiting: map[uuid.UUID]chan struct{}{}, seen: map[uuid.UUID]bool{}}
}

func (w *witness) take(r events.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Data, r.Metadata = nil, nil
	w.records = append(w.records, r)
	w.seen[r.ID] = true
	if c := w.waiting[r.ID]; c != nil {
		close(c)
		delete(w.waiting, r.ID)
	}
}

// saw returns a channel that is closed once the event was delivered.
func (w *witness) saw(id uuid.UUID) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	if w.seen[id] {
		close(c)
	} else {
		w.waiting[id] = c
	}
	return c
}

// delivered waits for the end of the log and fails unless exactly the log came, or
// more tells that still more came after it.
func (w *witness) delivered(log []events.Record) (more bool, err error) {
	if len(log) > 0 {
		limit := time.NewTimer(4 * recovery)
		defer limit.Stop()
		select {
		case <-w.saw(log[len(log)-1].ID):
		case <-limit.C:
			return false, errors.New("the end of the log was not delivered")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range w.records[:min(len(w.records), len(log))] {
		if r.ID != log[i].ID || r.Position != log[i].Position || r.Revision != log[i].Revision {
			return false, fmt.Errorf("record %d is %s at %v, the log has %s at %v", i, r.ID, r.Position, log[i].ID, log[i].Position)
		}
	}
	if len(w.records) < len(log) {
		return false, fmt.Errorf("%d of %d records were delivered", len(w.records), len(log))
	}
	return len(w.records) > len(log), nil
}

func (b *block) subscribe(ctx context.Context, s *eventstore.Store, w *witness, after events.Position) {
	err := s.Subscribe(ctx, after, eventstore.Handler{Deliver: func(_ context.Context, r events.Record) error {
		w.take(r)
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		b.t.Errorf("a subscription ended: %v", err)
	}
}

func (b *block) subscribeBatches(ctx context.Context, s *eventstore.Store, w *witness, after events.Position) {
	err := s.SubscribeBatches(ctx, after, 100, func(_ context.Context, batch []events.Record, _ bool) error {
		for _, r := range batch {
			w.take(r)
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		b.t.Errorf("a subscription ended: %v", err)
	}
}

// sendings are the appends that the proxy saw, by the id of their first event:
// whatever is sent again has to be what was sent before.
type sendings struct {
	mu    sync.Mutex
	first map[string]uint64
	again int64
	bad   error
}

// observe is told of every request. The order of entries in a map is all that
// two encodings of a message may differ in, so they are compared in one order.
func (s *sendings) observe(r faultproxy.Request) {
	if r.Method != appendMethod {
		return
	}
	id, sum, err := digest(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[string]uint64{}
	}
	before, again := s.first[id]
	s.first[id] = sum
	switch {
	case err != nil:
		s.bad = err
	case again:
		s.again++
		if sum != before {
			s.bad = fmt.Errorf("the append of %s was sent again with other contents", id)
		}
	}
}

// repeated counts the sendings that repeated an earlier one, and begins anew. It
// fails if one of them was not the same.
func (s *sendings) repeated() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.again
	s.again, s.first = 0, nil
	return n, s.bad
}

// digest names an append by its first event and sums up all its messages.
func digest(body []byte) (id string, sum uint64, err error) {
	h := fnv.New64a()
	for len(body) > 0 {
		if len(body) < 5 || len(body)-5 < int(binary.BigEndian.Uint32(body[1:])) {
			return "", 0, errors.New("a request that ended in the middle of a message")
		}
		n := int(binary.BigEndian.Uint32(body[1:]))
		var message streams.AppendReq
		if err := proto.Unmarshal(body[5:5+n], &message); err != nil {
			return "", 0, err
		}
		body = body[5+n:]
		plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(&message)
		if err != nil {
			return "", 0, err
		}
		_, _ = h.Write(plain) // never fails
		if event := message.GetProposedMessage(); event != nil && id == "" {
			id = event.GetId().String()
		}
	}
	return id, h.Sum64(), nil
}
