package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/throttle"
)

func TestSweepsRunAtOnceAndHourlyWhateverFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		begun := time.Now()
		var broken, fine []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runSweeps(ctx, []sweep{
				{"broken", func(_ context.Context, now time.Time) (int64, error) {
					broken = append(broken, now.Sub(begun))
					return 0, errors.New("away")
				}},
				{"fine", func(_ context.Context, now time.Time) (int64, error) {
					fine = append(fine, now.Sub(begun))
					return int64(len(fine) - 1), nil
				}},
			}, slog.New(slog.NewTextHandler(&logged, nil)))
		}()
		time.Sleep(2*time.Hour + time.Minute) // of the bubble's own clock
		cancel()
		<-ended
		want := []time.Duration{0, time.Hour, 2 * time.Hour}
		for name, got := range map[string][]time.Duration{"broken": broken, "fine": fine} {
			if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
				t.Errorf("%s ran after %v, want %v", name, got, want)
			}
		}
		if text := logged.String(); strings.Count(text, "sweep failed") != 3 || strings.Count(text, "removed=") != 2 {
			t.Errorf("logged:\n%s", text)
		}
	})
}

func TestSweepsRemoveWhatIsOverAsTheWorker(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	answering := pgtest.As(t, url, postgres.API)
	now := time.Now()
	live, over := uuid.New(), uuid.New()
	kept := sessions.New(answering)
	for id, at := range map[uuid.UUID]time.Time{live: now, over: now.Add(-2 * time.Hour)} {
		err := kept.Begin(t.Context(), sessions.Session{
			ID: id, StoreID: uuid.New(), CustomerID: uuid.New(), At: at, Idle: sessions.CustomerIdle, ExpiresAt: at.Add(sessions.CustomerAbsolute),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limits := throttle.New(answering, []byte("a key of the tests, 32 bytes long"))
	for name, at := range map[string]time.Time{"live": now, "over": now.AddDate(-1, 0, 0)} {
		if _, err := limits.Take(t.Context(), at, throttle.Account(live, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range sweeps(pgtest.As(t, url, postgres.Worker)) {
		if removed, err := s.run(t.Context(), now); err != nil || removed != 1 {
			t.Errorf("%s: %d were removed, want 1: %v", s.of, removed, err)
		}
	}
	if _, err := kept.Touch(t.Context(), live, now); err != nil {
		t.Errorf("a session that is not over was swept: %v", err)
	}
}
