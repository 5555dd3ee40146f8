package esnode_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// BenchmarkDelivery measures the time from the answer to an append until a live subscription has the event,
// while a thousand events a second are appended. An event may well arrive before its answer: that counts as
// no time.
func BenchmarkDelivery(b *testing.B) {
	c := startChild(b, roleNode, b.TempDir())
	client := c.connect()
	sub, err := client.SubscribeToAll(b.Context(), esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	var acknowledged, arrived sync.Map
	var group sync.WaitGroup
	group.Go(func() {
		for seen := 0; seen < b.N; {
			message := sub.Recv()
			if message.SubscriptionDropped != nil {
				b.Errorf("dropped: %v", message.SubscriptionDropped.Error)
				return
			}
			if message.EventAppeared != nil {
				arrived.Store(message.EventAppeared.Event.EventID, time.Now())
				seen++
			}
		}
	})
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	b.ResetTimer()
	for range b.N {
		<-pace.C
		group.Go(func() {
			e := benchEvent()
			if _, err := client.AppendToStream(context.Background(), "customer-"+uuid.NewString(), esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, e); err != nil {
				b.Errorf("append: %v", err)
			}
			acknowledged.Store(e.EventID, time.Now())
		})
	}
	group.Wait()
	b.StopTimer()
	var delays []time.Duration
	acknowledged.Range(func(id, at any) bool {
		if there, ok := arrived.Load(id); ok {
			delays = append(delays, max(0, there.(time.Time).Sub(at.(time.Time))))
		}
		return true
	})
	slices.Sort(delays)
	if n := len(delays); n > 0 {
		b.ReportMetric(float64(delays[n/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(delays[n*99/100].Microseconds()), "p99-µs")
	}
}
