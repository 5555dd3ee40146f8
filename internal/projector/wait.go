package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// ErrBehind says that the read models did not reach a position in time.
var ErrBehind = fault.New(fault.Unavailable, "read_model_behind",
	"The lists are not yet as far as this change; try again in a moment.").After(time.Second)

const (
	// waitLimit bounds a wait.
	waitLimit = 2 * time.Second
	// pollPause is how often the checkpoint is looked at while somebody waits.
	pollPause = 20 * time.Millisecond
)

// Waiter lets reads wait until a group has reached a position.
type Waiter struct {
	group Group
	pool  *pgxpool.Pool
	known *progress

	mu      sync.Mutex
	waiting int
	stop    context.CancelFunc // of the poller
}

// NewWaiter makes a waiter for a group. With the projector of this process it is
// woken by each batch; it also looks at the checkpoint, as long as somebody
// waits, for another process may be the one that projects. p may be nil.
func NewWaiter(pool *pgxpool.Pool, g Group, p *Projector) *Waiter {
	w := &Waiter{group: g, pool: pool, known: &progress{changed: make(chan struct{})}}
	if p != nil {
		w.known = &p.progress
	}
	return w
}

// Wait returns when the group has reached position. It fails with [ErrBehind] when
// that takes longer than two seconds, and with the error of ctx when that ends.
func (w *Waiter) Wait(ctx context.Context, position events.Position) error {
	reached, changed := w.known.get()
	if !reached.Before(position) {
		return nil
	}
	w.enter()
	defer w.leave()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for reached.Before(position) {
		select {
		case <-changed:
		case <-limit.C:
			return ErrBehind
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w (%w)", ErrBehind, ctx.Err())
			}
			return ctx.Err()
		}
		reached, changed = w.known.get()
	}
	return nil
}

// enter starts the poller for the first who waits.
func (w *Waiter) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting++; w.waiting > 1 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go w.poll(ctx)
}

// leave stops it for the last.
func (w *Waiter) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting--; w.waiting == 0 {
		w.stop()
	}
}

// poll looks at the checkpoint until ctx ends. A failed look counts as nothing
// seen: whoever waits gives up in time. A look that was begun is finished, since
// breaking it off would cost the connection.
func (w *Waiter) poll(ctx context.Context) {
	for sleep(ctx, pollPause) {
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitLimit)
		at, err := readCheckpoint(look, w.pool, w.group.Name, w.group.Schema())
		cancel()
		if err == nil && !at.retired() {
			w.known.advance(at.Position)
		}
	}
}
