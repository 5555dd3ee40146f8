package contract

import (
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// follower is a subscription under test. Its waits end with the context of the case.
type follower struct {
	t     *testing.T
	s     *server
	sub   *esdb.Subscription
	names map[string]bool // streams whose events count; empty means all
}

func (st stream) follow(from esdb.StreamPosition) *follower {
	st.t.Helper()
	sub, err := st.s.client.SubscribeToStream(st.ctx, st.name, esdb.SubscribeToStreamOptions{From: from})
	if err != nil {
		st.t.Fatalf("subscribe to %s: %v", st.name, err)
	}
	return st.s.newFollower(st.t, sub)
}

func (s *server) newFollower(t *testing.T, sub *esdb.Subscription, streams ...stream) *follower {
	t.Helper()
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Errorf("close a subscription: %v", err)
		}
	})
	f := &follower{t: t, s: s, sub: sub, names: map[string]bool{}}
	for _, st := range streams {
		f.names[st.name] = true
	}
	return f
}

// followAll subscribes to $all and sees only events of the given streams, since others write as well.
func (s *server) followAll(t *testing.T, options esdb.SubscribeToAllOptions, streams ...stream) *follower {
	t.Helper()
	sub, err := s.client.SubscribeToAll(testContext(t), options)
	if err != nil {
		t.Fatalf("subscribe to $all: %v", err)
	}
	return s.newFollower(t, sub, streams...)
}

// next returns the next message that concerns the case. No server before 25.1 says that a subscription fell
// behind. Some that count as 24.10 or 25.0 send a checkpoint at the highest number there is (1.7, number 23),
// which no client may use.
func (f *follower) next() *esdb.SubscriptionEvent {
	f.t.Helper()
	for {
		message := f.sub.Recv()
		if message.SubscriptionDropped != nil {
			f.t.Fatalf("dropped: %v", message.SubscriptionDropped.Error)
		}
		if v := f.s.version; message.FellBehind != nil && (v.Major < 25 || v.Major == 25 && v.Minor == 0) {
			f.t.Fatal("the subscription is told that it fell behind")
		}
		if p := message.CheckPointReached; p != nil && p.Commit == math.MaxUint64 {
			continue
		}
		if e := message.EventAppeared; e != nil && len(f.names) > 0 && !f.names[e.OriginalEvent().StreamID] {
			continue
		}
		return message
	}
}

// events insists that these come next; a CaughtUp in between is passed over.
func (f *follower) events(st stream, labels ...string) []*esdb.ResolvedEvent {
	f.t.Helper()
	var got []*esdb.ResolvedEvent
	for _, label := range labels {
		e := f.event()
		if id := e.OriginalEvent().EventID; id != st.id(label) {
			f.t.Fatalf("got event %s (revision %d), want %s", id, e.OriginalEvent().EventNumber, label)
		}
		got = append(got, e)
	}
	return got
}

// event returns the next event and passes over everything else.
func (f *follower) event() *esdb.ResolvedEvent {
	f.t.Helper()
	for {
		if e := f.next().EventAppeared; e != nil {
			return e
		}
	}
}

// caughtUp insists that nothing but CaughtUp comes next, checkpoints aside.
func (f *follower) caughtUp() {
	f.t.Helper()
	message := f.next()
	for message.CheckPointReached != nil {
		message = f.next()
	}
	if message.CaughtUp == nil {
		f.t.Fatalf("got %+v, want CaughtUp", message.EventAppeared)
	}
}

// dropped insists that the subscription ends next.
func (f *follower) dropped() error {
	f.t.Helper()
	message := f.sub.Recv()
	if message.SubscriptionDropped == nil {
		f.t.Fatalf("got %+v, want the end", message)
	}
	return message.SubscriptionDropped.Error
}
