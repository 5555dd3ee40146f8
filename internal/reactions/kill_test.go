package reactions_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
)

// The variables that make this test binary a process to be killed.
const (
	childMode   = "REACTIONS_TEST_CHILD"
	childSocket = "REACTIONS_TEST_SOCKET"
	childURL    = "REACTIONS_TEST_URL"
	childLogID  = "REACTIONS_TEST_LOG_ID"
	childStop   = "REACTIONS_TEST_STOP" // what the renaming says at which it stops and waits
)

// The modes say where a child stops.
const (
	beforeAck        = "subscriber: handled, not acknowledged"
	beforeCheckpoint = "subscriber: acknowledged, checkpoint not moved"
	beforeCommit     = "router: handled, transaction open"
)

// reached is the line that a child writes when it stops.
const reached = "stopped"

// stopAt tells the parent, and waits to be killed.
func stopAt(ctx context.Context, what string) {
	if what != "" && what == os.Getenv(childStop) {
		fmt.Println(reached)
		<-ctx.Done()
	}
}

// runChild follows the log until the parent closes the pipe or dies.
func runChild(mode string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // what counts is that it ends
	}()
	pool, err := pgxpool.New(ctx, os.Getenv(childURL))
	if err != nil {
		return err
	}
	defer pool.Close()
	log, err := eventstore.Open(ctx, eventstore.Config{Socket: os.Getenv(childSocket)})
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	checkpoints := reactions.NewCheckpoints(pool, uuid.MustParse(os.Getenv(childLogID)))
	if mode == beforeCommit {
		return childRouter(ctx, log, checkpoints)
	}
	return childSubscriber(ctx, mode, log, pool, checkpoints)
}

// childRouter tells of each event in the transaction that moves the checkpoint.
func childRouter(ctx context.Context, log *eventstore.Store, checkpoints *reactions.Checkpoints) error {
	router, err := reactions.NewRouter(reactions.Config{
		Log: log, Checkpoints: checkpoints,
		Reactions: []reactions.Reaction{{Name: "tells", Wants: wantsRenamed, Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
			what := env.Event.(events.StoreRenamed).After
			if _, err := tx.Exec(ctx, `INSERT INTO ops.told (what) VALUES ($1)`, what); err != nil {
				return err
			}
			stopAt(ctx, what)
			return nil
		}}},
	})
	if err != nil {
		return err
	}
	return router.Run(ctx)
}

// childSubscriber tells of each event before it acknowledges it.
func childSubscriber(ctx context.Context, mode string, log *eventstore.Store, pool *pgxpool.Pool, checkpoints *reactions.Checkpoints) error {
	last := ""
	subscriber := reactions.NewSubscriber(reactions.SubscriberConfig{
		Log:   log,
		Wants: func(_ string, r events.Record) bool { return r.Type == events.StoreRenamed{}.EventType() },
		Checkpoint: func(topic string) reactions.Checkpoint {
			return slowCheckpoint{checkpoints.Of(topic), func(ctx context.Context) {
				if mode == beforeCheckpoint {
					stopAt(ctx, last)
				}
			}}
		},
	})
	defer func() { _ = subscriber.Close() }()
	messages, err := subscriber.Subscribe(ctx, "tells")
	if err != nil {
		return err
	}
	for msg := range messages {
		record, err := reactions.RecordOf(msg)
		if err != nil {
			return err
		}
		env, err := events.Decode(record)
		if err != nil {
			return err
		}
		what := env.Event.(events.StoreRenamed).After
		if _, err := pool.Exec(ctx, `INSERT INTO ops.told (what) VALUES ($1)`, what); err != nil {
			return err
		}
		if mode == beforeAck {
			stopAt(ctx, what)
		}
		last = what // the subscriber reads it after the acknowledgement
		msg.Ack()
	}
	return nil
}

// slowCheckpoint does something before it moves.
type slowCheckpoint struct {
	reactions.Checkpoint
	before func(context.Context)
}

func (s slowCheckpoint) Save(ctx context.Context, done events.Position) error {
	s.before(ctx)
	return s.Checkpoint.Save(ctx, done)
}

// startChild starts a child that stops at a renaming, or never. kill ends it as
// a crash would.
func (w *world) startChild(t *testing.T, mode, stop string) (output *bufio.Reader, kill func()) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childMode+"="+mode, childSocket+"="+w.socket, childURL+"="+w.url,
		childLogID+"="+w.logID.String(), childStop+"="+stop)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		if err := command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		_ = command.Wait() // says that it was killed
		_ = stdin.Close()
	}
	t.Cleanup(kill)
	return bufio.NewReader(stdout), kill
}

// TestNothingIsLostWhenAProcessIsKilled kills whoever follows the log at the
// worst moments. What a subscriber had handled and not yet noted comes again;
// what a reaction does in the transaction of its checkpoint is done once.
func TestNothingIsLostWhenAProcessIsKilled(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string][]string{
		beforeAck:        {"1", "2", "3", "3", "4", "5"},
		beforeCheckpoint: {"1", "2", "3", "3", "4", "5"},
		beforeCommit:     {"1", "2", "3", "4", "5"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.pool.Exec(t.Context(), `CREATE TABLE ops.told (nr serial, what text)`); err != nil {
				t.Fatal(err)
			}
			if err := w.checkpoints.Begin(t.Context(), "tells"); err != nil {
				t.Fatal(err)
			}
			last := w.write(t, renamed("1"), suspended(), renamed("2"), renamed("3"), renamed("4"), suspended(), renamed("5"))
			output, kill := w.startChild(t, mode, "3")
			if line, err := output.ReadString('\n'); err != nil || strings.TrimSpace(line) != reached {
				t.Fatalf("the child said %q, %v", line, err)
			}
			kill()
			w.startChild(t, mode, "")
			w.await(t, "tells", last)
			rows, err := w.pool.Query(t.Context(), `SELECT what FROM ops.told ORDER BY nr`)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("told %q, %v, want %q", got, err, want)
			}
		})
	}
}

// TestSubscriberGoesOnFromItsCheckpoint closes a subscriber between events.
func TestSubscriberGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.checkpoints.Begin(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	last := w.write(t, renamed("1"), renamed("2"), renamed("3"), renamed("4"), renamed("5"))
	records, err := w.log.ReadAll(t.Context(), events.Position{}, 100)
	if err != nil || len(records) != 5 {
		t.Fatal(len(records), err)
	}
	for len(records) > 0 {
		s := reactions.NewSubscriber(reactions.SubscriberConfig{Log: w.log, Checkpoint: w.checkpoints.Of})
		messages, err := s.Subscribe(t.Context(), "topic")
		if err != nil {
			t.Fatal(err)
		}
		// Two are done, a third is received and left.
		for i := range min(3, len(records)) {
			msg := receive(t, messages)
			if msg.UUID != records[i].ID.String() {
				t.Fatalf("message %d is %s, want %s", i, msg.UUID, records[i].ID)
			}
			if i < 2 {
				msg.Ack()
				w.await(t, "topic", records[i].Position)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		records = records[min(2, len(records)):]
	}
	w.await(t, "topic", last)
}
