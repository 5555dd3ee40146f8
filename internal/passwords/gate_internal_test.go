package passwords

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// full returns a Hasher whose slots are all taken.
func full(t *testing.T) *Hasher {
	t.Helper()
	h, err := New(Config{Params: Weak(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	for range cap(h.gate.slots) {
		if err := h.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// P5: as many at a time as there are cores for.
func TestSlots_P5(t *testing.T) {
	t.Parallel()
	cores := runtime.GOMAXPROCS(0)
	for threads, want := range map[uint8]int{1: cores, 2: max(1, cores/2), 16: max(1, cores/16)} {
		if got := (Params{Threads: threads}).slots(); got != want {
			t.Errorf("p=%d on %d cores: %d slots", threads, cores, got)
		}
	}
}

// P5: 32 wait, up to two seconds; the 33rd does not wait at all.
func TestQueue_P5(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := full(t)
		started := time.Now()
		results := make(chan error, queueLength)
		for range queueLength {
			go func() { results <- h.VerifyNobody(t.Context(), "password") }()
		}
		synctest.Wait()
		if err := h.VerifyNobody(t.Context(), "password"); !errors.Is(err, ErrBusy) || time.Since(started) != 0 {
			t.Errorf("beyond the queue: %v after %v", err, time.Since(started))
		}
		if _, err := h.Hash(t.Context(), "password"); !errors.Is(err, ErrBusy) {
			t.Errorf("hashing beyond the queue: %v", err)
		}
		for range queueLength {
			if err := <-results; !errors.Is(err, ErrBusy) {
				t.Errorf("in the queue: %v", err)
			}
		}
		if took := time.Since(started); took != queueWait {
			t.Errorf("refused after %v", took)
		}
		if h.Calls() != 0 {
			t.Errorf("%d calls", h.Calls())
		}
		// All of it is as before.
		h.gate.leave()
		if err := h.VerifyNobody(t.Context(), "password"); err != nil || h.Calls() != 1 {
			t.Errorf("after a slot came free: %v, %d calls", err, h.Calls())
		}
	})
}

// Who waits gets the slot that comes free.
func TestQueueMovesOn_P5(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := full(t)
		results := make(chan error, queueLength)
		for range queueLength {
			go func() { results <- h.VerifyNobody(t.Context(), "password") }()
		}
		synctest.Wait()
		h.gate.leave()
		for range queueLength {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if h.Calls() != queueLength {
			t.Errorf("%d calls", h.Calls())
		}
	})
}

// Whoever goes away leaves the queue, and one who has gone starts no work.
func TestQueueLeft_P5(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := full(t)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- h.VerifyNobody(ctx, "password") }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("in the queue: %v", err)
		}
		if n := h.gate.waiting.Load(); n != 0 {
			t.Errorf("%d still wait", n)
		}
		h.gate.leave()
		if _, err := h.Hash(ctx, "password"); !errors.Is(err, context.Canceled) || h.Calls() != 0 {
			t.Errorf("gone before: %v, %d calls", err, h.Calls())
		}
	})
}
