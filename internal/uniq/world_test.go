package uniq_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log, its keys and a clock that moves when told.
type world struct {
	log    *eventstore.Store
	vault  *vault.Vault
	sealer *seal.Sealer
	store  uuid.UUID
	ahead  atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.key")
	if err := vault.CreateKEKFile(path); err != nil {
		t.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), pgtest.New(t), kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Init(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	return &world{log: newLog(t), vault: v, sealer: seal.New(v), store: uuid.New()}
}

// newLog starts a node and opens it.
func newLog(t *testing.T) *eventstore.Store {
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
	log, err := eventstore.Open(t.Context(), eventstore.Config{Socket: filepath.Join(dir, "s")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// now is the clock of all registries.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// pass lets time pass.
func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) registry(edit ...func(*uniq.Config)) *uniq.Registry {
	c := uniq.Config{
		Log: w.log, Sealer: w.sealer, IndexKey: []byte("an index key for tests, 32 bytes"),
		Scope: events.ScopeStore, Now: w.now,
	}
	for _, f := range edit {
		f(&c)
	}
	return uniq.New(c)
}

// customer is a customer and the commands on them.
type customer struct {
	*world
	id, login uuid.UUID
	email     string // in use, as far as the customer was told
}

func (w *world) newCustomer() *customer {
	return &customer{world: w, id: uuid.New(), login: uuid.New()}
}

func (c *customer) stream() string { return events.CustomerStream(c.id) }

func (c *customer) metadata(command uuid.UUID) events.Metadata {
	return events.Metadata{
		Schema: events.MetadataSchema, StoreID: c.store, Actor: events.System("test"), Source: events.SourceCLI,
		CommandID: command, CorrelationID: command, CausationID: command, OccurredAt: c.now().UTC(),
		Reason: events.Clear("because"), Ticket: "T-1",
	}
}

// claim is the claim of an append to the customer's stream as it is now.
func (c *customer) claim(ctx context.Context) (events.Claim, error) {
	records, err := c.log.ReadStreamBackwards(ctx, c.stream(), 1)
	claim := events.Claim{Stream: c.stream(), ExpectedRevision: -1}
	if len(records) > 0 {
		claim.ExpectedRevision = int64(records[0].Revision)
	}
	return claim, err
}

func (c *customer) created(email string) events.CustomerCreated {
	return events.CustomerCreated{
		CustomerID: c.id, LoginID: c.login, Origin: events.OriginStaff, Status: events.StatusActive, Email: events.Clear(email),
	}
}

func (c *customer) changed(before, after string) events.CustomerEmailChanged {
	return events.CustomerEmailChanged{CustomerID: c.id, LoginID: c.login, Before: events.Clear(before), After: events.Clear(after)}
}

func (c *customer) erased(release bool) events.CustomerErased {
	return events.CustomerErased{CustomerID: c.id, LoginID: c.login, After: events.StatusErased, ReleaseNames: release}
}

// destroy makes all that is known of the customer unreadable.
func (c *customer) destroy(t *testing.T) {
	t.Helper()
	for _, subject := range c.created("").Creates() {
		if _, err := c.vault.Erase(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
}

// append writes an event at a claim, as a command does once it has reserved.
func (c *customer) append(ctx context.Context, command uuid.UUID, claim events.Claim, e events.Event) (events.Envelope, error) {
	id := events.NewID(command, "", claim.Stream, 0)
	batch, err := c.sealer.Seal(ctx, claim.Stream, c.store, []seal.Draft{{ID: id, Event: e, Metadata: c.metadata(command)}})
	if err != nil {
		return events.Envelope{}, err
	}
	done, err := c.log.Append(ctx, claim.Stream, eventstore.Revision(claim.ExpectedRevision), batch)
	return events.Envelope{
		ID: id, Stream: claim.Stream, Revision: uint64(done.Revision), Metadata: c.metadata(command), Event: e,
	}, err
}

// do reserves what e takes and appends it.
func (c *customer) do(ctx context.Context, names *uniq.Registry, command uuid.UUID, e events.Event) (events.Envelope, error) {
	claim, err := c.claim(ctx)
	if err != nil {
		return events.Envelope{}, err
	}
	taken, _ := uniq.Names(e)
	if err := names.Reserve(ctx, c.metadata(command), claim, taken); err != nil {
		return events.Envelope{}, err
	}
	return c.append(ctx, command, claim, e)
}

// must is do for what has to work.
func (c *customer) must(t *testing.T, names *uniq.Registry, e events.Event) events.Envelope {
	t.Helper()
	env, err := c.do(t.Context(), names, uuid.New(), e)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// history is a stream in short: the types of its events.
func (w *world) history(t *testing.T, stream string) []string {
	t.Helper()
	records, err := w.log.ReadStream(t.Context(), stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, r := range records {
		types = append(types, r.Type)
	}
	return types
}

func emailName(address string) uniq.Name {
	return uniq.Name{Kind: events.NameEmail, Key: address, Field: "email"}
}
