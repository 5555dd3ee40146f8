package esnode_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// benchPayload is an event of the usual size, about 600 bytes. Half of it is sealed, so it is random text that
// hardly compresses, as personal data in a log is.
func benchPayload() (data, metadata []byte) {
	random := make([]byte, 210)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	sealed := base64.StdEncoding.EncodeToString(random)
	data = []byte(`{"customer_id":"` + uuid.NewString() + `","email":"` + sealed + `","reason":"asked for it"}`)
	metadata = []byte(`{"schema":1,"store_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","actor":{"kind":"customer","id":"` + uuid.NewString() +
		`"},"source":"api","command_id":"` + uuid.NewString() + `","$correlationId":"` + uuid.NewString() + `"}`)
	return data, metadata
}

func benchEvent() esdb.EventData {
	data, metadata := benchPayload()
	return esdb.EventData{
		EventID: uuid.New(), EventType: "customer.registered", ContentType: esdb.ContentTypeJson, Data: data, Metadata: metadata,
	}
}

// BenchmarkAppend appends one event at a time through the official client to a server in another process:
// to the node, and to one that stores nothing, which is what the node is to be measured against. It is for work
// on the append path; make bench measures the rest as well, and compares in rounds.
func BenchmarkAppend(b *testing.B) {
	for _, role := range []string{roleNode, roleNull} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", role, writers), func(b *testing.B) {
				c := startChild(b, role, b.TempDir())
				client := c.connect()
				var next atomic.Int64
				latencies := make([][]time.Duration, writers)
				var group sync.WaitGroup
				b.ResetTimer()
				for w := range writers {
					group.Go(func() {
						stream := "customer-" + uuid.NewString()
						var expected esdb.ExpectedRevision = esdb.NoStream{}
						for revision := uint64(0); next.Add(1) <= int64(b.N); revision++ {
							if revision%10 == 0 {
								stream, expected, revision = "customer-"+uuid.NewString(), esdb.NoStream{}, 0
							}
							start := time.Now()
							if _, err := client.AppendToStream(context.Background(), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, benchEvent()); err != nil {
								b.Errorf("append: %v", err)
								return
							}
							latencies[w] = append(latencies[w], time.Since(start))
							expected = esdb.Revision(revision)
						}
					})
				}
				group.Wait()
				b.StopTimer()
				report(b, slices.Concat(latencies...))
				b.ReportMetric(float64(c.cpu().Microseconds())/float64(b.N), "server-cpu-µs/op")
			})
		}
	}
}

func report(b *testing.B, latencies []time.Duration) {
	b.Helper()
	slices.Sort(latencies)
	if n := len(latencies); n > 0 {
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "appends/s")
		b.ReportMetric(float64(latencies[n/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(latencies[n*99/100].Microseconds()), "p99-µs")
	}
}
