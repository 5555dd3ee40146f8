package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

// storeWriters is how many append at a time where many do.
const storeWriters = 64

// streamLength is how many events a stream gets before the next one begins.
const streamLength = 10

// appends is what appending to a node and to nothing gave, and what the disk
// takes by itself.
type appends struct {
	many, manyNull     rounds // storeWriters writers
	single, singleNull rounds // one writer
	flush              []float64
}

// measureAppends has writers append to a new store and to nothing in turn.
func measureAppends(ctx context.Context, b *bench) (_ result, err error) {
	dir := filepath.Join(b.dir, "appends")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	null, err := b.startServer(ctx, roleNull, "")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, null.stop()) }()
	node, err := b.startServer(ctx, roleNode, filepath.Join(dir, "store"))
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, node.stop()) }()
	flusher, err := newFlusher(filepath.Join(dir, "flushed"))
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, flusher.close()) }()

	toNull, toNode := newWriters(b.seed, null, storeWriters), newWriters(b.seed, node, storeWriters)
	var a appends
	for i := range b.sizes.storeRounds {
		b.progress.say("round %d of %d: %d writers, on nothing, then on the store", i+1, b.sizes.storeRounds, storeWriters)
		without, err := toNull.round(ctx, storeWriters, b.sizes.storeTime)
		if err != nil {
			return result{}, err
		}
		with, err := toNode.round(ctx, storeWriters, b.sizes.storeTime)
		if err != nil {
			return result{}, err
		}
		a.manyNull, a.many = append(a.manyNull, without), append(a.many, with)
		b.progress.say("%s/s on nothing, %s/s on the store", grouped(without.rate), grouped(with.rate))
	}
	for i := range b.sizes.storeRounds {
		b.progress.say("round %d of %d: one writer, on nothing, on the disk alone, then on the store", i+1, b.sizes.storeRounds)
		without, err := toNull.round(ctx, 1, b.sizes.storeSyncTime)
		if err != nil {
			return result{}, err
		}
		flushed, err := drive(ctx, 1, 1, b.sizes.storeSyncTime, flusher.flush)
		if err := errors.Join(err, flushed.complete()); err != nil {
			return result{}, err
		}
		with, err := toNode.round(ctx, 1, b.sizes.storeSyncTime)
		if err != nil {
			return result{}, err
		}
		a.singleNull, a.single = append(a.singleNull, without), append(a.single, with)
		a.flush = append(a.flush, milliseconds(flushed.quantile(0, 0.5)))
	}
	return a.result(), nil
}

func (a *appends) result() result {
	ratio := a.many.median(rateOf) / a.manyNull.median(rateOf)
	goal, met := atLeast(ratio, storeAppendGoal)
	flush, null, node := median(a.flush), a.singleNull.median(p50Of), a.single.median(p50Of)
	latency := node / (flush + null)
	goalLatency, metLatency := atMost(latency, storeLatencyGoal, "")
	side := func(r rounds) string {
		return fmt.Sprintf("%s/s, p50 %.1f ms, p99 %.1f ms", grouped(r.median(rateOf)), r.median(p50Of), r.median(p99Of))
	}
	numbers := map[string]float64{
		"append_ratio": ratio, "single_ratio": latency,
		"flush_p50_ms": flush, "single_null_p50_ms": null, "single_node_p50_ms": node,
	}
	for name, r := range map[string]rounds{
		"append_node": a.many, "append_null": a.manyNull, "single_node": a.single, "single_null": a.singleNull,
	} {
		maps.Copy(numbers, r.numbers(name))
	}
	for i, value := range a.flush {
		numbers[fmt.Sprintf("flush_round_%d_p50_ms", i+1)] = value
	}
	return result{
		rows: []row{
			{fmt.Sprintf("appends to the event store, on disk / to a server that stores nothing, %d writers", storeWriters), fmt.Sprintf("%.2f", ratio), goal, met},
			{"- event store", side(a.many), "", ""},
			{"- server that stores nothing", side(a.manyNull), "", ""},
			{"- processor time per append, event store", a.many.cost(), "", ""},
			{"- processor time per append, nothing stored", a.manyNull.cost(), "", ""},
			{"one append, one writer, median / (fsync of 600 bytes + append that stores nothing)", fmt.Sprintf("%.2f", latency), goalLatency, metLatency},
			{"- event store / fsync / nothing stored", fmt.Sprintf("%.0f µs / %.0f µs / %.0f µs", 1000*node, 1000*flush, 1000*null), "", ""},
			{"- processor time per append, event store", a.single.cost(), "", ""},
			{"- processor time per append, nothing stored", a.singleNull.cost(), "", ""},
		},
		numbers: numbers,
	}
}

// writers append one event at a time through the client of a server, each to
// stream after stream of its own.
type writers struct {
	server *server
	each   []writer
}

type writer struct {
	source *yardstick.Source
	stream string
	last   int64
}

func newWriters(seed uint64, s *server, count int) *writers {
	w := &writers{server: s, each: make([]writer, count)}
	for i := range w.each {
		w.each[i] = writer{source: yardstick.NewSource(writerSeed(seed, i)), last: streamLength - 1}
	}
	return w
}

// writerSeed gives each writer something else to say.
func writerSeed(seed uint64, writer int) uint64 { return seed<<16 + uint64(writer) + 1 }

// append appends the next event of a writer.
func (w *writers) append(ctx context.Context, i int) (int, error) {
	writer := &w.each[i]
	if writer.last == streamLength-1 {
		writer.stream, writer.last = writer.source.Stream(), yardstick.NoStream
	}
	if err := w.server.client.Append(ctx, writer.stream, writer.last, writer.source.Next()); err != nil {
		return 0, err
	}
	writer.last++
	return 0, nil
}

// round has the first count writers append for a while.
func (w *writers) round(ctx context.Context, count int, limit time.Duration) (round, error) {
	var done load
	took, err := w.server.observe(func() (err error) {
		done, err = drive(ctx, count, 1, limit, w.append)
		return err
	})
	if err := errors.Join(err, done.complete()); err != nil {
		return round{}, err
	}
	return round{
		calls: float64(done.calls()), rate: done.rate(), p50: done.quantile(0, 0.5), p99: done.quantile(0, 0.99), worked: took,
	}, nil
}
