package projections_test

import (
	"context"
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
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// world is a reseller's platform: log, vault, database, and a projector of core.
type world struct {
	tb      testing.TB
	log     *eventstore.Store
	url     string
	pool    *pgxpool.Pool // of the owner
	vault   *vault.Vault
	sealer  *seal.Sealer
	queries projections.Queries // as the API has them
	store   uuid.UUID
	staff   uuid.UUID
	actor   events.Actor
	from    string // where requests come from
	heads   map[string]eventstore.Revision
	last    events.Position
	waiter  *projector.Waiter
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	url := pgtest.URL(tb)
	w := newWorldOn(tb, pgtest.As(tb, url, postgres.Owner))
	w.url, w.queries = url, projections.NewQueries(pgtest.As(tb, url, postgres.API))
	return w
}

func newWorldOn(tb testing.TB, pool *pgxpool.Pool) *world {
	tb.Helper()
	w := &world{tb: tb, log: startLog(tb), pool: pool, store: uuid.New(), staff: uuid.New(), from: address, heads: make(map[string]eventstore.Revision)}
	path := filepath.Join(tb.TempDir(), "master.key")
	if err := vault.CreateKEKFile(path); err != nil {
		tb.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if w.vault, err = vault.Open(tb.Context(), w.pool, kek); err != nil {
		tb.Fatal(err)
	}
	if err := w.vault.Init(tb.Context(), uuid.New()); err != nil {
		tb.Fatal(err)
	}
	w.sealer = seal.New(w.vault)
	w.queries = projections.NewQueries(w.pool)
	w.actor = events.System("test")
	w.given(events.StoreStream(w.store), events.StoreCreated{StoreID: w.store, Name: "Domains & more", Hosts: []string{"shop.example"}})
	w.given(events.StaffStream(w.staff), events.StaffCreated{
		StaffID: w.staff, Email: events.Clear("ada@reseller.example"), Name: events.Clear("Ada Admin"), Role: events.RoleOwner,
	})
	w.actor = events.Reseller(w.staff, uuid.New())
	return w
}

func startLog(tb testing.TB) *eventstore.Store {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pr")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	node, err := esnode.Open(filepath.Join(dir, "data"), esnode.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	socket := filepath.Join(dir, "s")
	go func() {
		err := node.Serve(ctx, socket)
		if closeErr := node.Close(); err == nil {
			err = closeErr
		}
		stopped <- err
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			tb.Errorf("stop the node: %v", err)
		}
	})
	log, err := eventstore.Open(tb.Context(), eventstore.Config{Socket: socket})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = log.Close() })
	return log
}

// address is where the requests of these tests come from.
const address = "192.0.2.7"

// given appends events by the world's actor, sealed as in production, and returns
// their ids.
func (w *world) given(stream string, all ...events.Event) []uuid.UUID {
	w.tb.Helper()
	md := events.Metadata{
		Schema: events.MetadataSchema, StoreID: w.store, Actor: w.actor, Source: events.SourceAPI, CommandID: uuid.New(),
		Fingerprint: "00", CorrelationID: uuid.New(), CausationID: uuid.New(), RequestID: "req-1",
		OccurredAt: time.Now().Truncate(time.Millisecond),
	}
	if w.actor.Kind != events.ActorSystem {
		md.Net, _ = events.Net{IP: w.from, UserAgent: "test"}.Personal()
	}
	batch := make([]seal.Draft, len(all))
	ids := make([]uuid.UUID, len(all))
	for i, e := range all {
		ids[i] = uuid.New()
		batch[i] = seal.Draft{ID: ids[i], Event: e, Metadata: md}
	}
	sealed, err := w.sealer.Seal(w.tb.Context(), stream, w.store, batch)
	if err != nil {
		w.tb.Fatal(err)
	}
	expected, ok := w.heads[stream]
	if !ok {
		expected = eventstore.NoStream
	}
	done, err := w.log.Append(w.tb.Context(), stream, expected, sealed)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.heads[stream], w.last = done.Revision, done.Position
	return ids
}

// project runs a projector until the test ends.
func (w *world) project() *projector.Projector {
	w.tb.Helper()
	p, err := projector.New(projector.Config{Group: projections.Core(w.sealer), Pool: w.pool, Log: w.log})
	if err != nil {
		w.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.tb.Errorf("projector: %v", err)
		}
	})
	w.waiter = projector.NewWaiter(w.pool, projections.Core(w.sealer), p)
	return p
}

// then waits until everything given is in the tables.
func (w *world) then() {
	w.tb.Helper()
	if w.waiter == nil {
		w.project()
	}
	ctx, cancel := context.WithTimeout(w.tb.Context(), patience)
	defer cancel()
	for {
		err := w.waiter.Wait(ctx, w.last)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.tb.Fatalf("the tables did not get to %v: %v", w.last, err)
		}
	}
}

// exact fails unless a rebuild gives the very same tables.
func (w *world) exact() {
	w.tb.Helper()
	w.then()
	done, err := projector.Rebuild(w.tb.Context(), w.pool, w.log, projections.Core(w.sealer), projector.RebuildOptions{})
	if err != nil || !done.Report.Same() || len(done.Report.Tables) != 9 {
		w.tb.Fatalf("rebuild: %v %+v", err, done)
	}
}

// person is what a customer is created with.
type person struct{ first, last, username, email string }

// customer creates an active customer.
func (w *world) customer(p person) uuid.UUID {
	w.tb.Helper()
	id := uuid.New()
	e := events.CustomerCreated{
		CustomerID: id, LoginID: uuid.New(), Origin: events.OriginStaff, Status: events.StatusActive,
		Email: events.Clear(p.email), Profile: events.Profile{FirstName: events.Clear(p.first), LastName: events.Clear(p.last)},
	}
	if p.username != "" {
		e.Username = events.Clear(p.username)
	}
	w.given(events.CustomerStream(id), e)
	return id
}

// by appends events by somebody else, from elsewhere.
func (w *world) by(actor events.Actor, from, stream string, all ...events.Event) {
	w.tb.Helper()
	before, beforeFrom := w.actor, w.from
	w.actor, w.from = actor, from
	w.given(stream, all...)
	w.actor, w.from = before, beforeFrom
}

// signsIn begins a session of a customer.
func (w *world) signsIn(customer uuid.UUID, from string) {
	w.tb.Helper()
	id := uuid.New()
	w.by(events.Customer(customer, id), from, events.SessionStream(id), events.SessionStarted{
		SessionID: id, CustomerID: customer, Methods: []events.AuthMethod{events.MethodPassword},
	})
}

// refused is an attempt to sign in as a customer that failed.
func (w *world) refused(customer uuid.UUID, reason events.RefusalReason) {
	w.tb.Helper()
	id := uuid.New()
	w.by(events.Customer(customer, uuid.Nil), "198.51.100.9", events.SessionStream(id), events.SessionRefused{
		SessionID: id, CustomerID: customer, Reason: reason,
	})
}

// domain registers a domain.
func (w *world) domain(owner uuid.UUID, name string, expires time.Time) uuid.UUID {
	w.tb.Helper()
	id := events.DomainID(w.store, name)
	w.given(events.DomainStream(id), events.DomainRegistered{
		DomainID: id, CustomerID: owner, Name: name, RegisteredAt: expires.AddDate(-1, 0, 0), ExpiresAt: expires,
		Settings: events.DomainSettings{AutoRenew: true, Locked: true, Nameservers: []string{"ns1.example.net", "ns2.example.net"}},
	})
	return id
}
