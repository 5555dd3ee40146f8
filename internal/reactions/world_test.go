package reactions_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/reactions"
)

// TestMain looks for goroutines left behind, but for those of a helper inside
// Watermill's suite that nobody can stop.
//
// In a process that a test has started to be killed, it runs that instead.
func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		if err := runChild(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"))
}

// patience bounds every wait of a test.
const patience = 30 * time.Second

// world is a log and a database.
type world struct {
	socket      string // of the log
	log         *eventstore.Store
	url         string // of the database
	pool        *pgxpool.Pool
	checkpoints *reactions.Checkpoints
	logID       uuid.UUID
	store       uuid.UUID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{socket: newNode(t), url: pgtest.URL(t), logID: uuid.New(), store: uuid.New()}
	w.log, w.pool = openLog(t, w.socket), pgtest.Connect(t, w.url)
	w.checkpoints = reactions.NewCheckpoints(w.pool, w.logID)
	return w
}

// newNode starts a node and returns its socket.
func newNode(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "es") // a socket's path has little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	node, err := esnode.Open(filepath.Join(dir, "data"), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- node.Serve(ctx, filepath.Join(dir, "s")) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, node.Close()); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}

func openLog(t *testing.T, socket string) *eventstore.Store {
	t.Helper()
	log, err := eventstore.Open(t.Context(), eventstore.Config{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func (w *world) metadata() events.Metadata {
	return events.Metadata{
		Schema: events.MetadataSchema, StoreID: w.store, Actor: events.System("test"), Source: events.SourceCLI,
		CommandID: uuid.New(), OccurredAt: time.Now().UTC(),
	}
}

// write appends events without personal values to a new stream, one by one, and
// returns the position of the last.
func (w *world) write(t *testing.T, all ...events.Event) events.Position {
	t.Helper()
	var last events.Position
	for _, e := range all {
		data, metadata, err := events.Encode(e, w.metadata())
		if err != nil {
			t.Fatal(err)
		}
		done, err := w.log.Append(t.Context(), events.StoreStream(uuid.New()), eventstore.NoStream, []events.Proposed{
			{ID: uuid.New(), Type: e.EventType(), Data: data, Metadata: metadata},
		})
		if err != nil {
			t.Fatal(err)
		}
		last = done.Position
	}
	return last
}

// renamed is an event that the test reactions want, suspended one that they do
// not.
func renamed(n string) events.Event { return events.StoreRenamed{After: n} }

func suspended() events.Event { return events.CustomerSuspended{} }

func wantsRenamed(e events.Event) bool {
	_, ok := e.(events.StoreRenamed)
	return ok
}

// start runs a router until the test ends or the function returned is called.
func (w *world) start(t *testing.T, edit func(*reactions.Config), all ...reactions.Reaction) (*reactions.Router, func()) {
	t.Helper()
	c := reactions.Config{
		Log: w.log, Checkpoints: w.checkpoints, Reactions: all,
		Backoff: func(int) time.Duration { return time.Millisecond },
	}
	if edit != nil {
		edit(&c)
	}
	router, err := reactions.NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, reaction := range all { // as whoever begins the log does
		if err := w.checkpoints.Begin(t.Context(), reaction.Name); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- router.Run(ctx)
	}()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return router, stop
}

// receive takes a value from a channel, in time.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("waited too long")
		panic("unreachable")
	}
}

// await waits until the checkpoint of a reaction in Postgres is at a position.
func (w *world) await(t *testing.T, reaction string, want events.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		at, err := w.checkpoints.Of(reaction).Load(ctx)
		if err == nil && !at.Before(want) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the checkpoint of %s is %v, %v; want %v", reaction, at, err, want)
		}
	}
}

// trySend sends unless the channel is full.
func trySend[T any](to chan<- T, v T) {
	select {
	case to <- v:
	default:
	}
}
