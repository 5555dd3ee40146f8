package esnode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// An event of the usual size: about 600 bytes with its metadata.
var (
	benchData     = []byte(`{"customer_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","email":"` + string(bytes.Repeat([]byte("x"), 280)) + `"}`)
	benchMetadata = []byte(`{"schema":1,"store_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","actor":{"kind":"customer"},"command_id":"` + string(bytes.Repeat([]byte("y"), 130)) + `"}`)
)

func benchEvent() esdb.EventData {
	return esdb.EventData{
		EventID: uuid.New(), EventType: "customer.registered", ContentType: esdb.ContentTypeJson, Data: benchData, Metadata: benchMetadata,
	}
}

// BenchmarkAppend appends one event at a time through the official client to a server in another process:
// to the node, and to one that stores nothing, which is what the node is to be measured against.
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

// BenchmarkReadAll reads $all through the official client, from the node and from a server that sends the
// same bytes from memory.
func BenchmarkReadAll(b *testing.B) {
	for _, role := range []string{roleNode, roleNull} {
		b.Run(role, func(b *testing.B) {
			c := startChild(b, role, b.TempDir())
			client := c.connect()
			if role == roleNode {
				fillLog(b, client, b.N)
			}
			b.ResetTimer()
			found, err := client.ReadAll(context.Background(), esdb.ReadAllOptions{From: esdb.Start{}}, uint64(b.N))
			if err != nil {
				b.Fatal(err)
			}
			defer found.Close()
			count := 0
			for {
				_, err := found.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				count++
			}
			if count != b.N {
				b.Fatalf("%d of %d events", count, b.N)
			}
			b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// fillLog appends events in large batches to streams of ten.
func fillLog(tb testing.TB, client *esdb.Client, count int) {
	tb.Helper()
	for count > 0 {
		batch := make([]esdb.EventData, min(count, 500))
		for i := range batch {
			batch[i] = benchEvent()
		}
		if _, err := client.AppendToStream(context.Background(), "customer-"+uuid.NewString(), esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, batch...); err != nil {
			tb.Fatal(err)
		}
		count -= len(batch)
	}
}
