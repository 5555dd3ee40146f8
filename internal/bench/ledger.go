package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

// ledger writes into the log of an installation past its API, under its own keys.
type ledger struct {
	store  *eventstore.Store
	pool   *pgxpool.Pool
	vault  *vault.Vault
	sealer *seal.Sealer
	keys   *keyring

	storeID, staffID, apiKeyID uuid.UUID
}

// openLedger opens the log behind a socket and the vault that belongs to it.
func openLedger(ctx context.Context, socket, database, masterKey string) (*ledger, error) {
	kek, err := vault.OpenKEKFile(masterKey)
	if err != nil {
		return nil, err
	}
	l := &ledger{}
	if l.pool, err = postgres.Connect(ctx, database, postgres.Options{AppName: "steward-bench", Role: postgres.Owner}); err != nil {
		return nil, err
	}
	if l.vault, err = vault.Open(ctx, l.pool, kek); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.keys = &keyring{vault: l.vault, held: make(map[events.Subject]*vault.Key)}
	l.sealer = seal.New(l.keys)
	if l.store, err = eventstore.Open(ctx, eventstore.Config{Socket: socket}); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.find(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *ledger) close() error {
	var err error
	if l.store != nil {
		err = l.store.Close()
	}
	l.pool.Close()
	return err
}

// find learns from the log which store it has and who acts in it.
func (l *ledger) find(ctx context.Context) error {
	records, err := l.store.ReadAll(ctx, events.Position{}, 1000)
	if err != nil {
		return err
	}
	for _, r := range records {
		if events.IsSystem(r.Type) {
			continue
		}
		env, err := events.Decode(r)
		if err != nil {
			return err
		}
		id, _ := events.StreamID(r.Stream) // where it has none, it is not looked at
		switch env.Event.(type) {
		case events.StoreCreated:
			l.storeID = id
		case events.StaffCreated:
			l.staffID = id
		case events.APIKeyCreated:
			l.apiKeyID = id
		}
	}
	if l.storeID == uuid.Nil || l.staffID == uuid.Nil || l.apiKeyID == uuid.Nil {
		return errors.New("the log does not begin with a store, a staff member and an API key")
	}
	return nil
}

// entry is one append.
type entry struct {
	stream   string
	expected eventstore.Revision
	drafts   []seal.Draft
}

const (
	ledgerWriters = 64
	ledgerQueue   = 32 // entries that may wait for each writer
)

// write appends entries, many at a time but those of a stream in order, and tells
// how many events are done.
func (l *ledger) write(ctx context.Context, entries iter.Seq[entry], done func(int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queues := make([]chan entry, ledgerWriters)
	var group sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan entry, ledgerQueue)
		group.Go(func() {
			for e := range queues[i] {
				if ctx.Err() != nil {
					continue
				}
				if err := l.append(ctx, e); err != nil {
					cancel(err)
					continue
				}
				done(len(e.drafts))
			}
		})
	}
	seed := maphash.MakeSeed()
	for e := range entries {
		queues[maphash.String(seed, e.stream)%ledgerWriters] <- e
		if ctx.Err() != nil {
			break
		}
	}
	for _, queue := range queues {
		close(queue)
	}
	group.Wait()
	return context.Cause(ctx)
}

func (l *ledger) append(ctx context.Context, e entry) error {
	proposed, err := l.sealer.Seal(ctx, e.stream, l.storeID, e.drafts)
	if err != nil {
		return fmt.Errorf("%s: %w", e.stream, err)
	}
	_, err = l.store.Append(ctx, e.stream, e.expected, proposed)
	return err
}

// keyring hands out keys that were provisioned many at a time, where the vault
// itself provisions those of one append.
type keyring struct {
	vault *vault.Vault
	held  map[events.Subject]*vault.Key // complete before anything is sealed
}

// keysAtOnce is how many keys one transaction makes.
const keysAtOnce = 2000

// prepare makes the keys of subjects.
func (k *keyring) prepare(ctx context.Context, subjects []events.Subject, done func(int)) error {
	for len(subjects) > 0 {
		part := subjects[:min(keysAtOnce, len(subjects))]
		made, err := k.vault.Provision(ctx, part)
		if err != nil {
			return err
		}
		for subject, key := range made {
			k.held[subject] = key
		}
		done(len(part))
		subjects = subjects[len(part):]
	}
	return nil
}

// Provision implements seal.Keys.
func (k *keyring) Provision(ctx context.Context, subjects []events.Subject) (map[events.Subject]*vault.Key, error) {
	return k.find(subjects, func(missing []events.Subject) (map[events.Subject]*vault.Key, error) {
		return k.vault.Provision(ctx, missing)
	})
}

// Active implements seal.Keys.
func (k *keyring) Active(ctx context.Context, subjects []events.Subject) (map[events.Subject]*vault.Key, error) {
	return k.find(subjects, func(missing []events.Subject) (map[events.Subject]*vault.Key, error) {
		return k.vault.Active(ctx, missing)
	})
}

// ByID implements seal.Keys.
func (k *keyring) ByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*vault.Key, error) {
	return k.vault.ByID(ctx, ids)
}

func (k *keyring) find(subjects []events.Subject, ask func([]events.Subject) (map[events.Subject]*vault.Key, error)) (map[events.Subject]*vault.Key, error) {
	found := make(map[events.Subject]*vault.Key, len(subjects))
	var missing []events.Subject
	for _, subject := range subjects {
		if key := k.held[subject]; key != nil {
			found[subject] = key
		} else {
			missing = append(missing, subject)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	asked, err := ask(missing)
	for subject, key := range asked {
		found[subject] = key
	}
	return found, err
}
