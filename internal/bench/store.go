package main

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"
)

// What the embedded event store is to reach. The ratios compare it, in the same
// run and through the official client, with a server that only talks.
const (
	storeAppendGoal   = 0.6
	storeLatencyGoal  = 1.25
	storeReadGoal     = 0.7
	storeDeliveryGoal = 10 // milliseconds
	storeDiskGoal     = 1.6
	storeOpenGoal     = 2 // seconds
)

// measureStore measures the embedded event store by itself: appends on a new
// store, everything else on one that has grown.
func measureStore(ctx context.Context, b *bench) (result, error) {
	all := result{numbers: make(map[string]float64)}
	for _, measure := range []func(context.Context, *bench) (result, error){measureAppends, measureGrown} {
		part, err := measure(ctx, b)
		if err != nil {
			return result{}, err
		}
		all.rows = append(all.rows, part.rows...)
		maps.Copy(all.numbers, part.numbers)
	}
	return all, nil
}

// round is what one round of measuring a server gave.
type round struct {
	calls    float64 // or events, of a read
	rate     float64 // of those per second
	p50, p99 time.Duration
	worked
}

// rounds are those of one server, which took turns with those of another.
type rounds []round

// median is the median over the rounds of what of says.
func (r rounds) median(of func(round) float64) float64 {
	values := make([]float64, len(r))
	for i := range r {
		values[i] = of(r[i])
	}
	return median(values)
}

// median of values, which must not be empty. Of an even number it is the mean of
// the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func rateOf(r round) float64 { return r.rate }
func p50Of(r round) float64  { return milliseconds(r.p50) }
func p99Of(r round) float64  { return milliseconds(r.p99) }

// serverCostOf and clientCostOf are microseconds of a processor for each call.
func serverCostOf(r round) float64 { return microseconds(r.server) / r.calls }
func clientCostOf(r round) float64 { return microseconds(r.client) / r.calls }

// usedOf is how many processors both sides used.
func usedOf(r round) float64 { return (r.server + r.client).Seconds() / r.elapsed.Seconds() }

// cost says where the processor time of each call went: whether that is what
// limits the rate, and on which side.
func (r rounds) cost() string {
	return fmt.Sprintf("server %.0f µs, client %.0f µs; %.1f of %d processors used",
		r.median(serverCostOf), r.median(clientCostOf), r.median(usedOf), runtime.NumCPU())
}

// numbers are the raw values of all rounds, under a name for the series.
func (r rounds) numbers(name string) map[string]float64 {
	numbers := map[string]float64{
		name + "_per_second": r.median(rateOf), name + "_server_cpu_us": r.median(serverCostOf),
		name + "_client_cpu_us": r.median(clientCostOf), name + "_used_cpus": r.median(usedOf),
	}
	for i, one := range r {
		numbers[fmt.Sprintf("%s_round_%d_per_second", name, i+1)] = one.rate
		if one.p50 > 0 {
			numbers[fmt.Sprintf("%s_round_%d_p50_ms", name, i+1)] = milliseconds(one.p50)
			numbers[fmt.Sprintf("%s_round_%d_p99_ms", name, i+1)] = milliseconds(one.p99)
		}
	}
	return numbers
}

// microseconds of a duration.
func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
