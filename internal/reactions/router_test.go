package reactions_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
)

// hears is a reaction that tells what it gets.
func hears(name string, heard chan<- string) reactions.Reaction {
	return reactions.Reaction{Name: name, Wants: wantsRenamed, Handle: func(ctx context.Context, _ pgx.Tx, env events.Envelope) error {
		select {
		case heard <- env.Event.(events.StoreRenamed).After:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func TestRouterGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	_, stop := w.start(t, nil, hears("a", heard))
	last := w.write(t, renamed("1"), suspended(), renamed("2"))
	if one, two := receive(t, heard), receive(t, heard); one != "1" || two != "2" {
		t.Fatal(one, two)
	}
	w.await(t, "a", last)
	stop()
	last = w.write(t, renamed("3"), suspended())
	_, stop = w.start(t, nil, hears("a", heard))
	if three := receive(t, heard); three != "3" {
		t.Fatal(three)
	}
	w.await(t, "a", last) // the unwanted event is passed by without a further one
	stop()
	if len(heard) != 0 {
		t.Fatal("an event came again")
	}
}

func TestRouterRepeatsWhatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.pool.Exec(t.Context(), `CREATE TABLE ops.told (what text)`); err != nil {
		t.Fatal(err)
	}
	var attempts, running atomic.Int32
	failing := make(chan struct{}, 1)
	fixed := make(chan struct{})
	tells := reactions.Reaction{Name: "tells", Wants: wantsRenamed, Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
		if running.Add(1) != 1 {
			t.Error("two events at a time")
		}
		defer running.Add(-1)
		if _, err := tx.Exec(ctx, `INSERT INTO ops.told VALUES ($1)`, env.Event.(events.StoreRenamed).After); err != nil {
			return err
		}
		select {
		case <-fixed:
			return nil
		default:
		}
		switch attempts.Add(1) {
		case 1:
			return errors.New("not now")
		case 2:
			panic("a defect")
		case 5:
			failing <- struct{}{}
		}
		return errors.New("still not")
	}}
	heard := make(chan string, 16)
	router, stop := w.start(t, nil, tells, hears("other", heard))
	last := w.write(t, renamed("1"), renamed("2"), renamed("3"))
	receive(t, failing)
	for range 3 {
		receive(t, heard) // a reaction that fails does not hold up another
	}
	status := router.Statuses()[1]
	if status.Reaction != "tells" || status.Healthy() || status.Err == nil || status.FailingSince.IsZero() || status.Position != (events.Position{}) {
		t.Fatalf("%+v", status)
	}
	close(fixed)
	w.await(t, "tells", last)
	stop()
	rows, err := w.pool.Query(t.Context(), `SELECT what FROM ops.told`)
	if err != nil {
		t.Fatal(err)
	}
	told, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !slices.Equal(told, []string{"1", "2", "3"}) {
		t.Fatalf("told %q, %v: want each once, in order", told, err)
	}
	if status := router.Statuses()[1]; !status.Healthy() || status.Position != last || !status.CaughtUp || status.Handled != 3 {
		t.Fatalf("%+v", status)
	}
}

func TestRoutersShareOneCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.pool.Exec(t.Context(), `CREATE TABLE ops.jobs (event_id uuid)`); err != nil {
		t.Fatal(err)
	}
	enqueues := reactions.Reaction{Name: "jobs", Wants: wantsRenamed, Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
		_, err := tx.Exec(ctx, `INSERT INTO ops.jobs VALUES ($1)`, env.ID)
		return err
	}}
	for range 3 {
		w.start(t, nil, enqueues)
	}
	var last events.Position
	for range 50 {
		last = w.write(t, renamed("x"), suspended())
	}
	w.await(t, "jobs", last)
	var jobs, different int
	if err := w.pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT event_id) FROM ops.jobs`).Scan(&jobs, &different); err != nil {
		t.Fatal(err)
	}
	if jobs != 50 || different != 50 {
		t.Fatalf("%d jobs for %d of 50 events", jobs, different)
	}
}

func TestRouterRefusesToGuess(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	run := func(c *reactions.Checkpoints) error {
		router, err := reactions.NewRouter(reactions.Config{Log: w.log, Checkpoints: c, Reactions: []reactions.Reaction{hears("a", heard)}})
		if err != nil {
			t.Fatal(err)
		}
		return router.Run(t.Context())
	}
	last := w.write(t, renamed("1"))
	err := run(w.checkpoints)
	if !errors.Is(err, reactions.ErrNoCheckpoint) || !strings.Contains(err.Error(), "steward reactions reset a --to now|POSITION --reason") {
		t.Fatal(err)
	}
	_, stop := w.start(t, nil, hears("a", heard))
	receive(t, heard)
	w.await(t, "a", last)
	stop()
	if err := w.checkpoints.Begin(t.Context(), "a", "b"); err != nil { // moves nothing back
		t.Fatal(err)
	}
	w.await(t, "a", last)
	if err := run(reactions.NewCheckpoints(w.pool, uuid.New())); !errors.Is(err, reactions.ErrNoCheckpoint) {
		t.Fatalf("with the checkpoint of another log: %v", err)
	}
}

// A reaction that does no harm begins by itself where there was none before: who
// starts a newer version need not know of it.
func TestRouterBeginsAtTheStartWhatDoesNoHarm(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	last := w.write(t, renamed("1"), renamed("2"))
	harmless := hears("a", heard)
	harmless.FromStart = true
	router, err := reactions.NewRouter(reactions.Config{Log: w.log, Checkpoints: w.checkpoints, Reactions: []reactions.Reaction{harmless}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	if one, two := receive(t, heard), receive(t, heard); one != "1" || two != "2" {
		t.Error(one, two)
	}
	w.await(t, "a", last)
	cancel()
	if err := receive(t, ended); err != nil {
		t.Fatal(err)
	}
}

func TestRouterBeginsAnEmptyLog(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	router, err := reactions.NewRouter(reactions.Config{Log: w.log, Checkpoints: w.checkpoints, Reactions: []reactions.Reaction{hears("a", heard)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	w.await(t, "a", events.Position{})
	w.write(t, renamed("1"))
	receive(t, heard)
	cancel()
	if err := receive(t, ended); err != nil {
		t.Fatal(err)
	}
}

func TestRouterStopsAtWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	failed := make(chan int, 64)
	router, _ := w.start(t, func(c *reactions.Config) {
		backoff := c.Backoff
		c.Backoff = func(n int) time.Duration { trySend(failed, n); return backoff(n) }
	}, hears("a", heard))
	w.write(t, renamed("1"))
	receive(t, heard)
	_, err := w.log.Append(t.Context(), "thing-"+uuid.NewString(), eventstore.NoStream, []events.Proposed{
		{ID: uuid.New(), Type: "thing.happened", Data: []byte(`{}`), Metadata: []byte(`{"schema":1}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, renamed("2"))
	for receive(t, failed) < 3 {
	}
	var unknown *events.UnknownTypeError
	if s := router.Statuses()[0]; !errors.As(s.Err, &unknown) || s.Failures < 3 || len(heard) != 0 {
		t.Fatalf("%+v, %d events heard", s, len(heard))
	}
}

func TestRouterMetrics(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	router, _ := w.start(t, nil, hears("a", heard))
	w.await(t, "a", w.write(t, renamed("1")))
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(router); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 3 {
		t.Fatal(len(families), err)
	}
}

func TestNewRouterRefusesOneNameTwice(t *testing.T) {
	t.Parallel()
	same := reactions.Reaction{Name: "a", Wants: wantsRenamed}
	_, err := reactions.NewRouter(reactions.Config{Checkpoints: reactions.NewCheckpoints(nil, uuid.Nil), Reactions: []reactions.Reaction{same, same}})
	if err == nil {
		t.Fatal("two reactions share a checkpoint")
	}
}
