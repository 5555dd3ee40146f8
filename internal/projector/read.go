package projector

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// feed reads and prepares batches while earlier ones are applied.
type feed struct {
	batches chan fed
	running sync.WaitGroup
	mu      sync.Mutex
	failure error
}

// fed is a prepared batch; caughtUp tells that the log held no more.
type fed struct {
	batch
	caughtUp bool
}

// read follows the log after a position until ctx ends or something fails, which
// closes the channel of batches. Reading, decoding and opening, and the caller's
// applying run side by side.
func read(ctx context.Context, g Group, log Log, after events.Position, limit int) *feed {
	f := &feed{batches: make(chan fed, 1)}
	ctx, cancel := context.WithCancel(eventstore.WithSubscriber(ctx, "projector "+g.Name))
	type raw struct {
		records  []events.Record
		caughtUp bool
	}
	read := make(chan raw, 1)
	f.running.Go(func() {
		defer close(read)
		f.fail(log.SubscribeBatches(ctx, after, limit, func(ctx context.Context, records []events.Record, caughtUp bool) error {
			select {
			case read <- raw{slices.Clone(records), caughtUp}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
	})
	f.running.Go(func() {
		defer close(f.batches)
		defer cancel()
		for r := range read {
			b, err := g.prepare(ctx, after, r.records)
			if err != nil {
				f.fail(err)
				return
			}
			after = b.end()
			select {
			case f.batches <- fed{b, r.caughtUp}:
			case <-ctx.Done():
				return
			}
		}
	})
	return f
}

// fail keeps the first failure, which is the cause of the others.
func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failure = err
	}
}

// err is why the feed ended.
func (f *feed) err() error {
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		return errors.New("the log ended")
	}
	return f.failure
}

// wait lets what runs end; its context must have ended.
func (f *feed) wait() {
	for range f.batches { // lets nobody wait to hand one over
	}
	f.running.Wait()
}
