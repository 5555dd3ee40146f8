package eventstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
)

// The size of the campaign. Lanes run side by side, each with a store and a
// proxy of its own; the last ones have a store that is killed. A block is what
// one set of wrappers lives through.
const (
	schedules     = 200
	longSchedules = 2000
	lanes         = 12
	killableLanes = 2
	blockSize     = 4
)

// Two wrappers with their writers, readers and subscriptions live through every
// schedule of faults. What was acknowledged is in the log once and at its
// revision, what was refused is not, what stayed unknown is there once or not at
// all; every subscription delivers the whole log, once and in order; no call
// outlives its time; everything works again within five seconds of the end of
// the faults, on a machine that has time for it; and nothing is left over,
// neither goroutines nor connections.
func TestFaultSchedules(t *testing.T) {
	t.Parallel()
	long := os.Getenv("STEWARD_TEST_LONG") != ""
	total := schedules
	if long {
		total = longSchedules
	}
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("STEWARD_TEST_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("STEWARD_TEST_SEED: %v", err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: STEWARD_TEST_SEED=%d", seed)
		}
	})

	c := &campaign{total: total, seed: seed, long: long}
	var all sync.WaitGroup
	for number := range lanes {
		l := &lane{t: t, campaign: c, number: number, label: stream()}
		if number >= lanes-killableLanes {
			l.child = startChild(t)
			l.socket = l.child.socket
		} else {
			l.socket = startNode(t).socket
		}
		p, err := faultproxy.Listen(l.socket+"p", l.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		p.Observe(l.sendings.observe)
		l.proxy = p
		all.Go(func() { pprof.Do(t.Context(), pprof.Labels("campaign", l.label), l.run) })
	}
	all.Wait()
	t.Logf("%d schedules, %d events, %d replies lost after the commit, %d appends sent again with the same contents; slowest recovery: append %v, delivery %v (%d not judged, on a busy machine); latest return after a deadline: %v",
		total, c.events.Load(), c.lost.Load(), c.resends.Load(), c.slowestAppend.get(), c.slowestDelivery.get(), c.unjudged.Load(), c.overrun.get())
}

// campaign is what the lanes share.
type campaign struct {
	total int
	seed  uint64
	long  bool

	events          atomic.Int64
	resends, lost   atomic.Int64
	unjudged        atomic.Int64 // schedules whose times mean nothing
	slowestAppend   maximum
	slowestDelivery maximum
	overrun         maximum
}

// maximum is the largest of the durations it was told.
type maximum struct {
	mu  sync.Mutex
	max time.Duration
}

func (m *maximum) note(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.max = max(m.max, d)
}

func (m *maximum) get() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.max
}

// lane works off its share of the schedules, which depends on nothing but its
// number, a block at a time.
type lane struct {
	t        *testing.T
	campaign *campaign
	number   int
	label    string // of the goroutines that count
	socket   string
	child    *child // nil if the store cannot be killed
	proxy    *faultproxy.Proxy
	sendings sendings
	losses   []<-chan struct{} // closed when a reply was withheld
}

func (l *lane) run(ctx context.Context) {
	for first := l.number * blockSize; first < l.campaign.total && !l.t.Failed(); first += lanes * blockSize {
		l.block(ctx, first, min(first+blockSize, l.campaign.total))
	}
}

// mostConnections is what two wrappers may hold when all is quiet: three and one
// for their calls, and one for each of their four subscriptions.
const mostConnections = 8

// block opens wrappers, breaks their links and looks what came of it.
func (l *lane) block(ctx context.Context, first, end int) {
	b := &block{lane: l, name: fmt.Sprintf("schedules %d to %d", first, end-1)}
	begin, err := b.open(ctx)
	defer b.close()
	if err != nil {
		l.t.Errorf("before %s: %v", b.name, err)
		return
	}
	following, unfollow := context.WithCancel(ctx)
	var subscriptions sync.WaitGroup
	for i, w := range b.wrappers {
		subscriptions.Go(func() { b.subscribe(following, w, b.witnesses[2*i], begin) })
		subscriptions.Go(func() { b.subscribeBatches(following, w, b.witnesses[2*i+1], begin) })
	}
	for number := first; number < end && !l.t.Failed(); number++ {
		b.live(ctx, newSchedule(l.campaign.seed, number, l.child != nil, l.campaign.long))
	}
	if !l.t.Failed() {
		b.verify(begin)
		l.await(b.name+": connections", mostConnections, l.proxy.Open)
	}
	unfollow()
	subscriptions.Wait()
}

// open connects the wrappers, and one that is not to be disturbed, and returns
// where the log ends.
func (b *block) open(ctx context.Context) (events.Position, error) {
	for _, clients := range []int{3, 1} {
		w, err := eventstore.Open(ctx, eventstore.Config{Socket: b.proxy.Path(), Clients: clients})
		if err != nil {
			return events.Position{}, err
		}
		b.wrappers = append(b.wrappers, w)
		b.witnesses = append(b.witnesses, newWitness(), newWitness())
	}
	var err error
	if b.direct, err = eventstore.Open(ctx, eventstore.Config{Socket: b.socket, Clients: 1}); err != nil {
		return events.Position{}, err
	}
	return b.direct.Head(ctx)
}

// close closes the wrappers and looks what is left.
func (b *block) close() {
	for _, w := range append(b.wrappers, b.direct) {
		if w != nil {
			_ = w.Close() // always nil
		}
	}
	b.await(b.name+": connections after Close", 0, b.proxy.Open)
	b.await(b.name+": goroutines after Close", 1, func() int { return goroutines(b.t, b.label) }) // the lane's own
	again, err := b.sendings.repeated()
	if err != nil {
		b.t.Errorf("%s: %v", b.name, err)
	}
	b.campaign.resends.Add(again)
	for _, lost := range b.losses {
		select {
		case <-lost:
			b.campaign.lost.Add(1)
		default: // there was nothing to lose before the faults ended
		}
	}
	b.losses = nil
}

// await waits until a count has come down.
func (l *lane) await(what string, most int, count func() int) {
	limit := time.Now().Add(2 * recovery)
	for now := count(); now > most; now = count() {
		if time.Now().After(limit) {
			l.t.Errorf("%s: %d, want at most %d", what, now, most)
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

// goroutines counts those that carry the label of a campaign, the proxy's own
// left out.
func goroutines(t *testing.T, label string) int {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Error(err)
	}
	count := 0
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(group, "/faultproxy.") {
			continue
		}
		lines := strings.Split(group, "\n")
		for i, line := range lines {
			m := groupSize.FindStringSubmatch(line)
			if m == nil || i+1 == len(lines) || !strings.Contains(lines[i+1], fmt.Sprintf("%q", label)) {
				continue
			}
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Error(err)
			}
			count += n
		}
	}
	return count
}

var groupSize = regexp.MustCompile(`^(\d+) @`)
