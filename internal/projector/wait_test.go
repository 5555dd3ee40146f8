package projector_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

func TestWait_LOG08(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1, 1)
	p := w.project()
	w.await(p)
	for name, waiter := range map[string]*projector.Waiter{
		"woken by the projector of this process":    projector.NewWaiter(w.pool, testGroup(), p.Projector),
		"polling the checkpoint of another process": projector.NewWaiter(w.pool, testGroup(), nil),
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				id, stream := shop()
				w.append(stream, events.StoreCreated{StoreID: id, Name: "a"})
				var all sync.WaitGroup
				for range 5 {
					all.Go(func() {
						if err := waiter.Wait(t.Context(), w.last); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				var found bool
				err := w.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM read_test.shops WHERE shop_id = $1)`, id).Scan(&found)
				if err != nil || !found {
					t.Fatalf("the row is not there: %v", err)
				}
			}
		})
	}
}

func TestWaitGivesUp_LOG08(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1, 1)
	p := w.project()
	w.await(p)
	p.stop()
	w.fill(1, 1)
	waiter := projector.NewWaiter(w.pool, testGroup(), p.Projector)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := waiter.Wait(ctx, w.last); !errors.Is(err, projector.ErrBehind) {
		t.Fatalf("a wait that its ctx ends: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := waiter.Wait(ctx, w.last); !errors.Is(err, context.Canceled) {
		t.Fatalf("a wait that is given up: %v", err)
	}
	if err := waiter.Wait(t.Context(), w.last); !errors.Is(err, projector.ErrBehind) {
		t.Fatalf("a wait that takes too long: %v", err)
	}
}
