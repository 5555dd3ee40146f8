package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// The benchmarks run client and node in one process, and the node does not
// sync: they compare this package with the bare client, nothing else.

// cpu is the processor time of this process so far: on a busy machine it says
// more than the clock.
func cpu() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func bare(b *testing.B, socket string) *esdb.Client {
	b.Helper()
	conf, err := esdb.ParseConnectionString("esdb://localhost?tls=false")
	if err != nil {
		b.Fatal(err)
	}
	conf.Address, conf.Logger = "unix://"+socket, esdb.NoopLogging()
	c, err := esdb.NewClient(conf)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	if _, err := c.GetServerVersion(); err != nil {
		b.Fatal(err)
	}
	return c
}

func body() []byte {
	return append(append([]byte(`{"text":"`), bytes.Repeat([]byte("x"), 400)...), `"}`...)
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		for _, kind := range []string{"bare", "store"} {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, kind), func(b *testing.B) {
				n := startNode(b)
				data, metadata := body(), []byte(`{"schema":1}`)
				client, store := bare(b, n.socket), open(b, n.socket)
				appendOne := func(ctx context.Context, stream string) error {
					_, err := store.Append(ctx, stream, eventstore.NoStream,
						[]events.Proposed{{ID: uuid.New(), Type: "thing.happened", Data: data, Metadata: metadata}})
					return err
				}
				if kind == "bare" {
					appendOne = func(ctx context.Context, stream string) error {
						_, err := client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}},
							esdb.EventData{EventID: uuid.New(), EventType: "thing.happened", ContentType: esdb.ContentTypeJson, Data: data, Metadata: metadata})
						return err
					}
				}
				b.ReportAllocs()
				b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				used := cpu()
				if writers == 1 {
					for range b.N {
						if err := appendOne(b.Context(), stream()); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := appendOne(b.Context(), stream()); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
				b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

func BenchmarkCatchUp(b *testing.B) {
	const count = 100_000
	n := startNode(b)
	store, client := open(b, n.socket), bare(b, n.socket)
	for written := 0; written < count; written += 1000 {
		batch := make([]events.Proposed, 1000)
		for i := range batch {
			batch[i] = events.Proposed{ID: uuid.New(), Type: "thing.happened", Data: body(), Metadata: []byte(`{"schema":1}`)}
		}
		if _, err := store.Append(b.Context(), stream(), eventstore.NoStream, batch); err != nil {
			b.Fatal(err)
		}
	}
	done := errors.New("done")
	rate := func(b *testing.B, used time.Duration) {
		b.ReportMetric(float64(b.N*count)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64((cpu()-used).Nanoseconds())/1000/float64(b.N*count), "cpu-µs/event")
	}

	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		used := cpu()
		for range b.N {
			s, err := client.SubscribeToAll(b.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
			if err != nil {
				b.Fatal(err)
			}
			for got := 0; got < count; {
				if s.Recv().EventAppeared != nil {
					got++
				}
			}
			_ = s.Close()
		}
		rate(b, used)
	})
	b.Run("batches", func(b *testing.B) {
		b.ReportAllocs()
		used := cpu()
		var calls atomic.Int64
		for range b.N {
			got := 0
			err := store.SubscribeBatches(b.Context(), events.Position{}, 1000, func(_ context.Context, batch []events.Record, _ bool) error {
				calls.Add(1)
				if got += len(batch); got == count {
					return done
				}
				return nil
			})
			if !errors.Is(err, done) {
				b.Fatal(err)
			}
		}
		rate(b, used)
		b.ReportMetric(float64(b.N*count)/float64(calls.Load()), "events/batch")
	})
	b.Run("one by one", func(b *testing.B) {
		b.ReportAllocs()
		used := cpu()
		for range b.N {
			got := 0
			err := store.Subscribe(b.Context(), events.Position{}, eventstore.Handler{Deliver: func(context.Context, events.Record) error {
				if got++; got == count {
					return done
				}
				return nil
			}})
			if !errors.Is(err, done) {
				b.Fatal(err)
			}
		}
		rate(b, used)
	})
	b.Run("read all", func(b *testing.B) {
		b.ReportAllocs()
		used := cpu()
		for range b.N {
			got := 0
			for after := (events.Position{}); got < count; {
				page, err := store.ReadAll(b.Context(), after, 4096)
				if err != nil {
					b.Fatal(err)
				}
				got += len(page)
				after = page[len(page)-1].Position
			}
		}
		rate(b, used)
	})
}
