package esnode_test

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/esnode"
)

func TestMetricsMove(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := start(t, t.TempDir(), esnode.Options{Registerer: registry})
	client := connect(t, r.socket)
	metric := func(name string) float64 { return gauge(t, registry, "steward_esnode_"+name) }
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()), newEvent(uuid.New()))
	result := mustAppend(t, client, "s-2", esdb.NoStream{}, newEvent(uuid.New()))
	for name, want := range map[string]float64{
		"appends_total": 2, "events_total": 3, "fsync_wait_seconds": 2, "group_commits": 2,
		"durable_position": float64(result.CommitPosition),
		"subscriptions":    0, "all_subscription_lag_bytes": 0, "stream_subscription_lag_events": 0,
	} {
		if got := metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if metric("event_bytes_total") < 3 {
		t.Error("no bytes are counted")
	}
}

// A subscriber that does not read is behind by what the connection does not hold, and no longer once it has
// read on.
func TestTheLagOfSlowSubscribers(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true, Registerer: registry})
	client := connect(t, r.socket)
	const events = 64
	large := newEvent(uuid.New())
	for i := range events {
		large.EventID, large.Data = uuid.New(), make([]byte, 256<<10)
		mustAppend(t, client, "s-1", previous(i), large)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := client.SubscribeToStream(ctx, "s-1", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	within := func(what string, reached func() bool) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); !reached(); {
			if time.Now().After(limit) {
				t.Fatalf("%s: %v bytes, %v events", what,
					gauge(t, registry, "steward_esnode_all_subscription_lag_bytes"), gauge(t, registry, "steward_esnode_stream_subscription_lag_events"))
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	within("behind", func() bool {
		return gauge(t, registry, "steward_esnode_subscriptions") == 2 &&
			gauge(t, registry, "steward_esnode_all_subscription_lag_bytes") > 256<<10 &&
			gauge(t, registry, "steward_esnode_stream_subscription_lag_events") > 1
	})
	for _, s := range []*esdb.Subscription{all, stream} {
		for s.Recv().CaughtUp == nil {
			// Everything comes before.
		}
	}
	within("caught up", func() bool {
		return gauge(t, registry, "steward_esnode_all_subscription_lag_bytes") == 0 &&
			gauge(t, registry, "steward_esnode_stream_subscription_lag_events") == 0
	})
}

// previous is the revision before the i-th event of a stream.
func previous(i int) esdb.ExpectedRevision {
	if i == 0 {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(i - 1))
}
