package esnode_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
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
			b.StopTimer()
			b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// fillLog appends events in large batches, a stream for each.
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

// BenchmarkStore fills a store, kills its process and opens it again. Run it with a fixed count, such as
// -benchtime 1000000x.
func BenchmarkStore(b *testing.B) {
	dir := b.TempDir()
	c := startChild(b, roleNode, dir)
	client := c.connect()
	b.ResetTimer()
	fillLog(b, client, b.N)
	b.StopTimer()
	b.ReportMetric(float64(c.residentBytes())/(1<<20), "resident-MiB")
	c.kill()

	start := time.Now()
	again := startChild(b, roleNode, dir)
	found, err := again.connect().ReadAll(context.Background(), esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer found.Close()
	if _, err := found.Recv(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(start).Seconds(), "s-until-served-after-kill")
	b.ReportMetric(float64(again.residentBytes())/(1<<20), "resident-MiB-after")

	e := benchEvent()
	size := int64(len(e.Data)+len(e.Metadata)+len(e.EventType)) * int64(b.N)
	b.ReportMetric(float64(diskBytes(b, dir))/float64(size), "disk-bytes/event-byte")
}

// residentBytes is the memory that the child occupies.
func (c *child) residentBytes() int64 {
	c.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.command.Process.Pid))
	if err != nil {
		c.tb.Fatal(err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		c.tb.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

func diskBytes(tb testing.TB, dir string) int64 {
	tb.Helper()
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}
