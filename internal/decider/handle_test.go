package decider_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
)

// A small aggregate on the real staff events: a member has an email, which is
// unique, and a name, which is not.
type member struct {
	id          uuid.UUID
	email, name events.Personal
}

type command interface{ memberCommand() }

func (hire) memberCommand()   {}
func (rename) memberCommand() {}
func (move) memberCommand()   {}

type (
	hire   struct{ id uuid.UUID }
	rename struct{ to string }
	move   struct{ to string }
)

var (
	errNobody  = fault.New(fault.NotFound, "nobody", "no such member")
	errPresent = fault.New(fault.Conflict, "present", "is a member already")
)

func emailOf(id uuid.UUID) string { return id.String() + "@shop.example" }

var members = decider.Decider[member, command, events.StaffEvent]{
	Decide: func(s member, c command) ([]events.StaffEvent, error) {
		if c, ok := c.(hire); ok {
			if s.id != uuid.Nil {
				return nil, errPresent
			}
			return []events.StaffEvent{events.StaffCreated{StaffID: c.id, Email: events.Clear(emailOf(c.id)), Role: events.RoleSupport}}, nil
		}
		if s.id == uuid.Nil {
			return nil, errNobody
		}
		switch c := c.(type) {
		case rename:
			if s.name == events.Clear(c.to) {
				return nil, nil
			}
			return []events.StaffEvent{events.StaffRenamed{StaffID: s.id, Before: s.name, After: events.Clear(c.to)}}, nil
		case move:
			if s.email == events.Clear(c.to) {
				return nil, nil
			}
			return []events.StaffEvent{events.StaffEmailChanged{StaffID: s.id, Before: s.email, After: events.Clear(c.to)}}, nil
		}
		return nil, fmt.Errorf("no decision for %T", c)
	},
	Evolve: func(s member, e events.StaffEvent) member {
		switch e := e.(type) {
		case events.StaffCreated:
			s.id, s.email = e.StaffID, e.Email
		case events.StaffRenamed:
			s.name = e.After
		case events.StaffEmailChanged:
			s.email = e.After
		}
		return s
	},
}

func newEngine(t *testing.T) *decider.Engine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "master.key")
	if err := vault.CreateKEKFile(file); err != nil {
		t.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.Open(t.Context(), pgtest.New(t), kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Init(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	log := newLog(t)
	sealer := seal.New(keys)
	index, err := keys.Secret(vault.SecretIndex)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := decider.NewEngine(decider.Config{
		Log: log, Sealer: sealer,
		Names: uniq.New(uniq.Config{Log: log, Sealer: sealer, IndexKey: index, Scope: events.ScopeStore}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func newLog(t *testing.T) *eventstore.Store {
	t.Helper()
	node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := esnode.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.Background(), listener) }()
	log, err := eventstore.Open(t.Context(), eventstore.Config{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(log.Close(), node.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return log
}

func newRequest(store uuid.UUID) decider.Request {
	return decider.Request{
		StoreID: store, Actor: events.System("test"), Source: events.SourceCLI,
		CommandID: uuid.New(), Fingerprint: "f1", At: time.Now(),
	}
}

func mustHire(t *testing.T, e *decider.Engine, r decider.Request) uuid.UUID {
	t.Helper()
	id, _, err := members.Create(t.Context(), e, "staff", events.StaffStream, func(id uuid.UUID) command { return hire{id} }, r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func handle(t *testing.T, e *decider.Engine, stream string, c command, r decider.Request) (decider.Outcome, error) {
	t.Helper()
	return members.Handle(t.Context(), e, stream, c, r)
}

func count(t *testing.T, e *decider.Engine, id uuid.UUID) int {
	t.Helper()
	records, err := e.Log.ReadStream(t.Context(), events.StaffStream(id), 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(records)
}

func TestHandle(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	id := mustHire(t, e, newRequest(store))
	stream := events.StaffStream(id)
	r := newRequest(store)

	out, err := handle(t, e, stream, rename{"Sam"}, r)
	if err != nil || out.Revision != 1 || len(out.EventIDs) != 1 || out.Position == (events.Position{}) {
		t.Fatalf("renamed: %+v, %v", out, err)
	}
	again, err := handle(t, e, stream, rename{"Sam"}, r)
	if err != nil || again.Revision != out.Revision || again.EventIDs[0] != out.EventIDs[0] || again.Position != out.Position {
		t.Fatalf("the same command again: %+v, %v; want %+v", again, err, out)
	}
	noop, err := handle(t, e, stream, rename{"Sam"}, newRequest(store))
	if err != nil || len(noop.EventIDs) != 0 || noop.Position != out.Position {
		t.Fatalf("already so: %+v, %v", noop, err)
	}
	other := r
	other.Fingerprint = "f2"
	if _, err := handle(t, e, stream, rename{"Max"}, other); !errors.Is(err, decider.ErrKeyReused) {
		t.Fatalf("the same command id for something else: %v", err)
	}
	foreign := newRequest(uuid.New())
	if _, err := handle(t, e, stream, rename{"Max"}, foreign); !errors.Is(err, errNobody) {
		t.Fatalf("from another store: %v", err)
	}
	stale := newRequest(store)
	stale.IfMatch = new(uint64)
	if _, err := handle(t, e, stream, rename{"Max"}, stale); !errors.Is(err, decider.ErrStale) {
		t.Fatalf("on a revision that is gone: %v", err)
	}
	dry := newRequest(store)
	dry.DryRun = true
	if out, err := handle(t, e, stream, rename{"Max"}, dry); err != nil || len(out.Events) != 1 || len(out.EventIDs) != 0 {
		t.Fatalf("dry run: %+v, %v", out, err)
	}
	if n := count(t, e, id); n != 2 {
		t.Fatalf("the stream holds %d events, want 2", n)
	}
}

// Writers that get in each other's way decide again; nothing is lost.
func TestHandleDecidesAgainOnConflict(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	id := mustHire(t, e, newRequest(store))
	const writers = 3 // one less than the attempts, so that each gets its turn
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			name := fmt.Sprintf("name %d", i)
			if _, err := handle(t, e, events.StaffStream(id), rename{name}, newRequest(store)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, e, id); n != 1+writers {
		t.Fatalf("the stream holds %d events, want %d", n, 1+writers)
	}
}

// Identical requests in flight at the same time have one effect and one answer.
func TestCreateIsIdempotentUnderConcurrency(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	r := newRequest(uuid.New())
	var wg sync.WaitGroup
	ids := make([]uuid.UUID, 32)
	for i := range ids {
		wg.Go(func() {
			id, _, err := members.Create(t.Context(), e, "staff", events.StaffStream, func(id uuid.UUID) command { return hire{id} }, r)
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("created %s and %s", ids[0], id)
		}
	}
	if n := count(t, e, ids[0]); n != 1 {
		t.Fatalf("the stream holds %d events, want 1", n)
	}
}

// A name that is taken refuses the command, and the command leaves nothing
// behind that would block its own repetition.
func TestHandleRefusesTakenName(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	first, second := mustHire(t, e, newRequest(store)), mustHire(t, e, newRequest(store))
	want := emailOf(first)
	_, err := handle(t, e, events.StaffStream(second), move{want}, newRequest(store))
	if f, ok := fault.As(err); !ok || !errors.Is(err, uniq.ErrNameTaken) || len(f.Fields) != 1 || f.Fields[0].Name != "email" {
		t.Fatalf("taking a taken name: %v", err)
	}
	dry := newRequest(store)
	dry.DryRun = true
	if _, err := handle(t, e, events.StaffStream(second), move{want}, dry); !errors.Is(err, uniq.ErrNameTaken) {
		t.Fatalf("a dry run of it: %v", err)
	}
	if n := count(t, e, second); n != 1 {
		t.Fatalf("the refused stream holds %d events, want 1", n)
	}
	if _, err := handle(t, e, events.StaffStream(first), move{"free@shop.example"}, newRequest(store)); err != nil {
		t.Fatal(err)
	}
	if _, err := handle(t, e, events.StaffStream(second), move{want}, newRequest(store)); err != nil {
		t.Fatalf("taking a name that was given up: %v", err)
	}
}

// A creation whose stream was sealed goes on in the next one.
func TestCreatePassesSealedStreams(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	r := newRequest(store)
	sealed := events.StaffStream(r.NewID("staff", 0))
	aborted := events.UniqClaimAborted{Claim: events.Claim{Stream: sealed, ExpectedRevision: -1}}
	md := events.Metadata{Schema: events.MetadataSchema, StoreID: store, Actor: events.System("reservations"), Source: events.SourceReaction}
	proposed, err := e.Sealer.Seal(t.Context(), sealed, store, []seal.Draft{{ID: uuid.New(), Event: aborted, Metadata: md}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Log.Append(t.Context(), sealed, eventstore.NoStream, proposed); err != nil {
		t.Fatal(err)
	}
	id := mustHire(t, e, r)
	if id != r.NewID("staff", 1) {
		t.Fatal("created in a sealed stream")
	}
	if again := mustHire(t, e, r); again != id {
		t.Fatal("a retry created another one")
	}
	if _, err := handle(t, e, sealed, rename{"Sam"}, newRequest(store)); !errors.Is(err, errNobody) {
		t.Fatalf("a sealed stream holds somebody: %v", err)
	}
}

// Time does not run backwards within a stream when the clocks of two machines
// differ a little; a clock that is far ahead is not believed.
func TestHandleKeepsTimeInOrder(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	store := uuid.New()
	r := newRequest(store)
	r.At = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	id := mustHire(t, e, r)
	for name, c := range map[string]struct{ at, want time.Time }{
		"a little behind": {r.At.Add(-time.Second), r.At},
		"far behind":      {r.At.Add(-time.Minute), r.At.Add(-time.Minute)},
		"later":           {r.At.Add(time.Minute), r.At.Add(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) { // each has a stream of its own
			r := newRequest(store)
			r.At = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			id := mustHire(t, e, r)
			r = newRequest(store)
			r.At = c.at
			if _, err := handle(t, e, events.StaffStream(id), rename{name}, r); err != nil {
				t.Fatal(err)
			}
			if got := occurred(t, e, id, 1); !got.Equal(c.want) {
				t.Errorf("happened at %s, want %s", got, c.want)
			}
		})
	}
	if got := occurred(t, e, id, 0); !got.Equal(r.At) {
		t.Errorf("began at %s", got)
	}
}

func occurred(t *testing.T, e *decider.Engine, id uuid.UUID, revision int) time.Time {
	t.Helper()
	records, err := e.Log.ReadStream(t.Context(), events.StaffStream(id), 0)
	if err != nil {
		t.Fatal(err)
	}
	md, err := events.DecodeMetadata(records[revision].Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return md.OccurredAt
}
