package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// load is what clients measured: how long each call took, by class of call.
type load struct {
	took    [][]time.Duration
	elapsed time.Duration
}

// call does one thing and says which class it belongs to.
type call func(ctx context.Context, client int) (class int, err error)

// drive has clients do call again and again, each as soon as it has its answer,
// until limit has passed. The first failure ends it.
func drive(ctx context.Context, clients, classes int, limit time.Duration, fn call) (load, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	measured := make([][][]time.Duration, clients)
	began := time.Now()
	var group sync.WaitGroup
	for client := range clients {
		took := make([][]time.Duration, classes)
		measured[client] = took
		group.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				class, err := fn(ctx, client)
				if err != nil {
					cancel(err)
					return
				}
				took[class] = append(took[class], time.Since(start))
				if time.Since(began) > limit {
					return
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return load{}, err
	}
	all := load{took: make([][]time.Duration, classes), elapsed: time.Since(began)}
	for _, took := range measured {
		all.merge(load{took: took})
	}
	return all, nil
}

// merge adds what was measured at another time.
func (l *load) merge(other load) {
	if l.took == nil {
		l.took = make([][]time.Duration, len(other.took))
	}
	for class, took := range other.took {
		l.took[class] = append(l.took[class], took...)
	}
	l.elapsed += other.elapsed
}

// calls counts all classes.
func (l load) calls() int {
	n := 0
	for _, took := range l.took {
		n += len(took)
	}
	return n
}

// rate is how many calls there were per second.
func (l load) rate() float64 { return float64(l.calls()) / l.elapsed.Seconds() }

// quantile is the time that the share q of the calls of a class took at most.
func (l load) quantile(class int, q float64) time.Duration { return quantile(l.took[class], q) }

// quantile is what the share q of the times does not exceed; 0 when there are none.
func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// latency says the two quantiles that people ask for.
func (l load) latency(class int) string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", milliseconds(l.quantile(class, 0.5)), milliseconds(l.quantile(class, 0.99)))
}

// errNothingMeasured says that a class of calls never came to an end.
var errNothingMeasured = errors.New("not one call was answered in the time given")

// complete fails when a class has no measurements.
func (l load) complete() error {
	for class, took := range l.took {
		if len(took) == 0 {
			return fmt.Errorf("class %d of calls: %w", class, errNothingMeasured)
		}
	}
	return nil
}
