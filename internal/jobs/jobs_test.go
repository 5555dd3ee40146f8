package jobs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := pgtest.URL(t)
	owner := pgtest.As(t, url, postgres.Owner)
	// Twice at once, as two processes that start do.
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- jobs.Migrate(t.Context(), owner) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return pgtest.As(t, url, postgres.Worker)
}

// run runs a queue until the test ends.
func run(t *testing.T, c jobs.Config) *jobs.Queue {
	t.Helper()
	q, err := jobs.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return q
}

func add(t *testing.T, pool *pgxpool.Pool, q *jobs.Queue, m jobs.Mail, commit bool) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = q.AddMail(t.Context(), tx, m)
	if err == nil && commit {
		err = tx.Commit(t.Context())
	}
	if err := errors.Join(err, tx.Rollback(t.Context())); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		t.Fatal(err)
	}
}

func schedule(t *testing.T, pool *pgxpool.Pool, q *jobs.Queue, i jobs.Impersonation, at time.Time) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return q.AddImpersonation(t.Context(), tx, i, at) })
	if err != nil {
		t.Fatal(err)
	}
}

const patience = 30 * time.Second

// A job that fails is tried again until it is done, in whichever process works; one of a
// transaction that was rolled back never is.
func TestAJobIsTriedUntilItIsDone(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	writer, err := jobs.New(jobs.Config{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	wanted, never, last := jobs.Mail{StoreID: uuid.New(), MailID: uuid.New()}, jobs.Mail{MailID: uuid.New()}, jobs.Mail{MailID: uuid.New()}
	add(t, pool, writer, never, false)
	add(t, pool, writer, wanted, true)
	var mu sync.Mutex
	var seen []int
	done, ended := make(chan jobs.Mail, 10), make(chan jobs.Impersonation, 10)
	run(t, jobs.Config{
		Pool: pool, Wait: func(int) time.Duration { return time.Millisecond },
		SendMail: func(_ context.Context, m jobs.Mail, attempt int) error {
			if m == wanted {
				mu.Lock()
				seen = append(seen, attempt)
				mu.Unlock()
				if attempt < 3 {
					return errors.New("not yet")
				}
			}
			done <- m
			return nil
		},
		EndImpersonation: func(_ context.Context, i jobs.Impersonation) error {
			ended <- i
			return nil
		},
	})
	await := func(want jobs.Mail) {
		t.Helper()
		select {
		case got := <-done:
			if got != want {
				t.Errorf("%v was done, not %v", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%v was not done", want)
		}
	}
	await(wanted)
	add(t, pool, writer, last, true)
	await(last)
	over, later := jobs.Impersonation{ImpersonationID: uuid.New()}, jobs.Impersonation{ImpersonationID: uuid.New()}
	schedule(t, pool, writer, later, time.Now().Add(time.Hour))
	schedule(t, pool, writer, over, time.Now())
	select {
	case got := <-ended:
		if got != over {
			t.Errorf("%v was done, not %v", got, over)
		}
	case <-time.After(patience):
		t.Fatal("what was due was not done")
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]int{1, 2, 3}, seen); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	total := time.Duration(0)
	for failures := 1; failures < 12; failures++ {
		if failures > 1 && jobs.Pause(failures) < jobs.Pause(failures-1) {
			t.Errorf("after %d failures the pause is shorter", failures)
		}
		total += jobs.Pause(failures)
	}
	if jobs.Pause(0) != jobs.Pause(1) || total < 20*time.Hour {
		t.Errorf("all pauses together take %v", total)
	}
}
