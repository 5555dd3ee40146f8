package seal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

// place is where a batch goes.
type place struct {
	store  uuid.UUID
	stream string
}

// world is a store with a real vault.
type world struct {
	pool   *pgxpool.Pool
	kek    *vault.FileKEK
	vault  *vault.Vault
	sealer *seal.Sealer
	store  uuid.UUID
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "master.key")
	if err := vault.CreateKEKFile(path); err != nil {
		tb.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{pool: pgtest.New(tb), kek: kek, store: uuid.New()}
	w.restart(tb)
	if err := w.vault.Init(tb.Context(), uuid.New()); err != nil {
		tb.Fatal(err)
	}
	return w
}

// restart begins with empty caches, as another process would.
func (w *world) restart(tb testing.TB) {
	tb.Helper()
	v, err := vault.Open(tb.Context(), w.pool, w.kek)
	if err != nil {
		tb.Fatal(err)
	}
	w.vault, w.sealer = v, seal.New(v)
}

// customer is a customer of a world's store.
type customer struct {
	store, id, login uuid.UUID
	stream           string
}

func (w *world) newCustomer() customer {
	id := uuid.New()
	return customer{store: w.store, id: id, login: uuid.New(), stream: events.CustomerStream(id)}
}

func (c customer) subject() events.Subject {
	return events.Subject{Kind: events.SubjectCustomer, ID: c.id}
}

func (c customer) loginSubject() events.Subject {
	return events.Subject{Kind: events.SubjectLogin, ID: c.login}
}

// draft is e by the customer, from an address and with a reason.
func (c customer) draft(e events.Event) seal.Draft {
	return seal.Draft{ID: uuid.New(), Event: e, Metadata: events.Metadata{
		Schema: events.MetadataSchema, StoreID: c.store, Source: events.SourceAPI,
		Actor:      events.Actor{Kind: events.ActorCustomer, ID: c.id.String()},
		OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Reason:     events.Clear("asked by telephone"),
		Net:        events.Clear(`{"ip":"192.0.2.7"}`),
	}}
}

func (c customer) created(email string) []seal.Draft {
	return []seal.Draft{c.draft(events.CustomerCreated{
		CustomerID: c.id, LoginID: c.login, Origin: events.OriginSelf, Status: events.StatusActive,
		Email: events.Clear(email), Profile: events.Profile{FirstName: events.Clear("Ada")},
	})}
}

func (c customer) renamed(before, after string) seal.Draft {
	return c.draft(events.CustomerProfileEdited{
		CustomerID: c.id,
		Before:     events.Profile{FirstName: events.Clear(before)},
		After:      events.Profile{FirstName: events.Clear(after)},
	})
}

// mustSeal seals a batch and reads it back as the log would give it.
func (w *world) mustSeal(tb testing.TB, stream string, batch []seal.Draft) []events.Envelope {
	tb.Helper()
	proposed, err := w.sealer.Seal(tb.Context(), stream, w.store, batch)
	if err != nil {
		tb.Fatal(err)
	}
	return decode(tb, stream, proposed)
}

func decode(tb testing.TB, stream string, proposed []events.Proposed) []events.Envelope {
	tb.Helper()
	envs := make([]events.Envelope, len(proposed))
	for i, p := range proposed {
		env, err := events.Decode(events.Record{ID: p.ID, Stream: stream, Revision: uint64(i), Type: p.Type, Data: p.Data, Metadata: p.Metadata})
		if err != nil {
			tb.Fatal(err)
		}
		envs[i] = env
	}
	return envs
}
