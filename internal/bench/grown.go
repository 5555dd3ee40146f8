package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

// fillWriters is how many fill the store.
const fillWriters = 32

// grown is a store that has grown large, and what was measured on it.
type grown struct {
	bench *bench
	dir   string
	bytes int64 // of all events, as their authors wrote them

	opens      []time.Duration // after each kill
	disk       int64
	read, null rounds
	delivery   delivery
}

// measureGrown fills a store, kills it, opens it again, and reads and follows what
// it holds.
func measureGrown(ctx context.Context, b *bench) (_ result, err error) {
	g := &grown{bench: b, dir: filepath.Join(b.dir, "grown")}
	defer func() { err = errors.Join(err, os.RemoveAll(g.dir)) }()
	node, err := b.startServer(ctx, roleNode, g.dir)
	if err != nil {
		return result{}, err
	}
	if err := g.fill(ctx, node.client); err != nil {
		return result{}, errors.Join(err, node.stop())
	}
	if node, err = g.killAndOpen(ctx, node); err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, node.stop()) }() // whichever it is by then
	b.progress.say("letting the store come to rest")
	if err := node.awaitQuiet(ctx); err != nil {
		return result{}, err
	}
	if g.disk, err = diskUsage(g.dir); err != nil {
		return result{}, err
	}
	if err := g.measureReads(ctx, node); err != nil {
		return result{}, err
	}
	if err := g.measureDelivery(ctx, node); err != nil {
		return result{}, err
	}
	if node, err = g.killAtWork(ctx, node); err != nil {
		return result{}, err
	}
	return g.result(), nil
}

// fill appends streams of ten events, each stream in one go.
func (g *grown) fill(ctx context.Context, client *yardstick.Client) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	count := g.bench.progress.count("filling the store", g.bench.sizes.storeEvents)
	var left, size atomic.Int64
	left.Store(int64(g.bench.sizes.storeEvents))
	var group sync.WaitGroup
	for i := range fillWriters {
		source := yardstick.NewSource(writerSeed(g.bench.seed, i))
		group.Go(func() {
			for ctx.Err() == nil && left.Add(-streamLength) >= 0 {
				batch := make([]yardstick.Event, streamLength)
				written := 0
				for i := range batch {
					batch[i] = source.Next()
					written += batch[i].Size()
				}
				if err := client.Append(ctx, source.Stream(), yardstick.NoStream, batch...); err != nil {
					cancel(err)
					return
				}
				size.Add(int64(written))
				count.add(streamLength)
			}
		})
	}
	group.Wait()
	g.bytes = size.Load()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("fill the store: %w", err)
	}
	count.finish()
	return nil
}

// killAndOpen kills a node and times the next start on its store.
func (g *grown) killAndOpen(ctx context.Context, node *server) (*server, error) {
	if err := node.crash(); err != nil {
		return nil, err
	}
	again, err := g.bench.startServer(ctx, roleNode, g.dir)
	if err != nil {
		return nil, err
	}
	g.opens = append(g.opens, again.ready)
	g.bench.progress.say("killed it; open again after %.2f s", again.ready.Seconds())
	return again, nil
}

// killAtWork is killAndOpen in the midst of appends.
func (g *grown) killAtWork(ctx context.Context, node *server) (*server, error) {
	work := newWriters(g.bench.seed+1, node, storeWriters)
	ended := make(chan error, 1)
	go func() {
		_, err := drive(ctx, storeWriters, 1, time.Hour, work.append)
		ended <- err
	}()
	select {
	case err := <-ended:
		return node, fmt.Errorf("appends before the kill: %w", err)
	case <-time.After(g.bench.sizes.storeTime):
	}
	if err := node.kill(); err != nil {
		return node, err
	}
	<-ended // with the failure of an append that got no answer
	return g.killAndOpen(ctx, node)
}

// measureReads reads $all from the store, and as much from a server that makes the
// same bytes up, in turn.
func (g *grown) measureReads(ctx context.Context, node *server) (err error) {
	null, err := g.bench.startServer(ctx, roleNull, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, null.stop()) }()
	for i := range g.bench.sizes.storeRounds {
		g.bench.progress.say("round %d of %d: reading $all, of nothing, then of the store", i+1, g.bench.sizes.storeRounds)
		without, size, err := g.readRound(ctx, null)
		if err != nil {
			return err
		}
		with, stored, err := g.readRound(ctx, node)
		if err != nil {
			return err
		}
		if size != stored {
			return fmt.Errorf("the two reads are no match: %d bytes made up and %d stored", size, stored)
		}
		g.null, g.read = append(g.null, without), append(g.read, with)
	}
	return nil
}

func (g *grown) readRound(ctx context.Context, s *server) (round, int, error) {
	limit := g.bench.sizes.storeReads
	var seen yardstick.Amount
	took, err := s.observe(func() (err error) {
		seen, err = s.client.ReadAll(ctx, limit)
		return err
	})
	if err == nil && seen.Events != limit {
		err = fmt.Errorf("read %d of %d events", seen.Events, limit)
	}
	return round{calls: float64(limit), rate: float64(limit) / took.elapsed.Seconds(), worked: took}, seen.Bytes, err
}

func (g *grown) result() result {
	reading := g.read.median(rateOf) / g.null.median(rateOf)
	disk := float64(g.disk) / float64(g.bytes)
	slowest := max(g.opens[0], g.opens[1]).Seconds()
	d := g.delivery
	p99 := milliseconds(quantile(d.sinceAnswer, 0.99))
	sent50, sent99 := milliseconds(quantile(d.sinceSent, 0.5)), milliseconds(quantile(d.sinceSent, 0.99))
	goalRead, metRead := atLeast(reading, storeReadGoal)
	goalDelivery, metDelivery := atMost(p99, storeDeliveryGoal, "ms")
	goalDisk, metDisk := atMost(disk, storeDiskGoal, "")
	goalOpen, metOpen := atMost(slowest, storeOpenGoal, "s")
	events := grouped(float64(g.bench.sizes.storeEvents))
	numbers := map[string]float64{
		"read_ratio": reading, "delivery_p99_ms": p99, "delivery_p50_ms": milliseconds(quantile(d.sinceAnswer, 0.5)),
		"delivery_since_sent_p50_ms": sent50, "delivery_since_sent_p99_ms": sent99, "delivery_appends_per_second": d.rate,
		"disk_ratio": disk, "disk_bytes": float64(g.disk), "event_bytes": float64(g.bytes), "events": float64(g.bench.sizes.storeEvents),
		"open_after_fill_seconds": g.opens[0].Seconds(), "open_under_appends_seconds": g.opens[1].Seconds(),
	}
	maps.Copy(numbers, g.read.numbers("read_node"))
	maps.Copy(numbers, g.null.numbers("read_null"))
	return result{
		rows: []row{
			{"reading $all of the event store / of a server that makes the same bytes up", fmt.Sprintf("%.2f", reading), goalRead, metRead},
			{"- event store", fmt.Sprintf("%s events/s; %s", grouped(g.read.median(rateOf)), g.read.cost()), "", ""},
			{"- server that stores nothing", fmt.Sprintf("%s events/s; %s", grouped(g.null.median(rateOf)), g.null.cost()), "", ""},
			{"from the answer to an append to its delivery on a subscription, 1,000 appends per second, p99", fmt.Sprintf("%.2f ms", p99), goalDelivery, metDelivery},
			{"- from the sending of the append", fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, at %s/s", sent50, sent99, grouped(d.rate)), "", ""},
			{fmt.Sprintf("bytes on disk / bytes of events (data, metadata, type), %s events", events), fmt.Sprintf("%.2f", disk), goalDisk, metDisk},
			{"- on disk / of events", fmt.Sprintf("%s MiB / %s MiB", grouped(float64(g.disk)/(1<<20)), grouped(float64(g.bytes)/(1<<20))), "", ""},
			{fmt.Sprintf("event store open after kill -9 with %s events", events), fmt.Sprintf("%.2f s", slowest), goalOpen, metOpen},
			{"- right after it was filled / under appends", fmt.Sprintf("%.2f s / %.2f s", g.opens[0].Seconds(), g.opens[1].Seconds()), "", ""},
		},
		numbers: numbers,
	}
}

// diskUsage is how much of the disk the files below dir occupy, which with room
// set aside for a log is more than their lengths.
func diskUsage(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			size += stat.Blocks * 512 // whatever the size of a block of the file system
		} else {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("size of the store: %w", err)
	}
	return size, nil
}
