package passwords

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// How many calls wait for a slot, and for how long.
const (
	queueLength = 32
	queueWait   = 2 * time.Second
)

// gate lets few calls in at a time, so that sign-ins cannot take all memory
// and all cores. A short queue evens out bursts; beyond it an early refusal is
// kinder than a late one.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	metrics *metrics
}

func newGate(slots int, m *metrics) *gate {
	return &gate{slots: make(chan struct{}, slots), metrics: m}
}

// enter waits for a slot, which leave gives back. It fails with [ErrBusy], or
// when ctx ends.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait to hash a password: %w", err)
	}
	select {
	case g.slots <- struct{}{}:
		g.metrics.running.Inc()
		return nil
	default:
	}
	if g.waiting.Add(1) > queueLength {
		g.waiting.Add(-1)
		g.metrics.refused.Inc()
		return ErrBusy
	}
	g.metrics.waiting.Inc()
	defer func() {
		g.waiting.Add(-1)
		g.metrics.waiting.Dec()
	}()
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		g.metrics.running.Inc()
		return nil
	case <-timer.C:
		g.metrics.refused.Inc()
		return ErrBusy
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}

func (g *gate) leave() {
	<-g.slots
	g.metrics.running.Dec()
}
