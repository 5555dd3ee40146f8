package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
)

// Writers, readers and a subscription live through two hundred faults: every
// event is written once, delivered once and in order, and nothing is left over.
func TestTwoHundredFaults(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p, direct := n.proxy(), open(t, n.socket, oneClient)
	label := stream()
	pprof.Do(t.Context(), pprof.Labels("campaign", label), func(ctx context.Context) {
		s := open(t, p.Path())
		f := follow(t, s, events.Position{})
		<-f.caught
		mustRecover(t, s)
		c := &campaign{t: t, store: s, commits: make(chan struct{}, 1)}
		before := goroutines(t, label)

		ctx, stop := context.WithCancel(ctx)
		for range 4 {
			c.running.Go(func() { c.write(ctx) })
		}
		for round := range 200 {
			c.fault(p, round)
			c.await(3)
		}
		stop()
		c.running.Wait()

		last := stream()
		mustAppend(t, s, last, eventstore.NoStream, proposed(1))
		delivered := map[string][]events.Record{}
		for delivered[last] == nil {
			r := f.take(t, 1)[0]
			delivered[r.Stream] = append(delivered[r.Stream], r)
		}
		for name, want := range c.written {
			mustBe(t, mustRead(t, direct, name), want)
			mustBe(t, delivered[name], want)
		}
		awaitGoroutines(t, label, before+5)
		f.cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	awaitGoroutines(t, label, 0)
}

// campaign keeps account of what was written.
type campaign struct {
	t       *testing.T
	store   *eventstore.Store
	running sync.WaitGroup
	commits chan struct{}

	mu      sync.Mutex
	written map[string][]events.Proposed
}

// write appends to a stream of its own, one event after the other, as a caller
// does who tries again until he knows.
func (c *campaign) write(ctx context.Context) {
	name := stream()
	revision := eventstore.NoStream
	for ctx.Err() == nil {
		batch := proposed(1)
		for {
			// The caller's own patience is short, to meet every outcome.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			done, err := c.store.Append(ctx, name, revision, batch)
			cancel()
			if err == nil {
				revision = done.Revision
				break
			}
			if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
				c.t.Errorf("append at %d: %v", revision, err)
				return
			}
			<-time.After(time.Millisecond)
		}
		c.mu.Lock()
		if c.written == nil {
			c.written = map[string][]events.Proposed{}
		}
		c.written[name] = append(c.written[name], batch...)
		c.mu.Unlock()
		select {
		case c.commits <- struct{}{}:
		default:
		}
		if _, err := c.store.ReadStreamBackwards(ctx, name, 1); err != nil && ctx.Err() == nil && !errors.Is(err, eventstore.ErrUnavailable) {
			c.t.Errorf("read: %v", err)
		}
	}
}

// await returns when n more events were written.
func (c *campaign) await(n int) {
	c.t.Helper()
	limit := time.After(2 * recovery)
	for range n {
		select {
		case <-c.commits:
		case <-limit:
			c.t.Fatal("nothing is written any more")
		}
	}
}

// fault breaks the link for some milliseconds.
func (c *campaign) fault(p *faultproxy.Proxy, round int) {
	hold := func() { <-time.After(time.Duration(1+round%7) * time.Millisecond) }
	switch round % 5 {
	case 0:
		p.Reset()
	case 1:
		p.Refuse()
		hold()
	case 2:
		p.Mute()
		hold()
		p.Reset()
	case 3:
		p.Delay(time.Millisecond)
		hold()
	case 4:
		p.Freeze()
		hold()
		if round%100 != 4 { // seldom leave the silent links to be found out
			p.Reset()
		}
	}
	if err := p.Heal(); err != nil {
		c.t.Fatal(err)
	}
}

// goroutines counts those that carry the label of a campaign, the proxy's own
// left out.
func goroutines(t *testing.T, label string) int {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	count := 0
	size := regexp.MustCompile(`^(\d+) @`)
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(group, "/faultproxy.") {
			continue
		}
		lines := strings.Split(group, "\n")
		for i, line := range lines {
			m := size.FindStringSubmatch(line)
			if m == nil || i+1 == len(lines) || !strings.Contains(lines[i+1], fmt.Sprintf("%q", label)) {
				continue
			}
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			count += n
		}
	}
	return count
}

func awaitGoroutines(t *testing.T, label string, most int) {
	t.Helper()
	limit := time.Now().Add(recovery)
	for {
		now := goroutines(t, label)
		if now <= most {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, want at most %d", now, most)
		}
		<-time.After(10 * time.Millisecond)
	}
}
