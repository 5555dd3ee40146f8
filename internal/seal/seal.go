package seal

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

// Keys is where the keys come from: a [vault.Vault].
type Keys interface {
	Provision(ctx context.Context, subjects []events.Subject) (map[events.Subject]*vault.Key, error)
	Active(ctx context.Context, subjects []events.Subject) (map[events.Subject]*vault.Key, error)
	ByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*vault.Key, error)
}

// Sealer seals and opens events. It is safe for concurrent use.
type Sealer struct{ keys Keys }

// New makes a sealer that takes its keys from keys.
func New(keys Keys) *Sealer { return &Sealer{keys: keys} }

// Draft is an event on its way into the log, its personal values clear.
type Draft struct {
	ID       uuid.UUID
	Event    events.Event
	Metadata events.Metadata // its Keys are filled in by Seal
}

// Seal turns the events of one append to stream into stored bytes. store is the
// store of all of them, uuid.Nil for the platform's.
//
// It provisions the keys of the subjects that an [events.Creator] in batch
// creates and lists them in the metadata of the first event that does; the keys
// of all other subjects must be there. It fails with [vault.ErrKeyUnavailable],
// [vault.ErrSubjectErased] or [vault.ErrDatabaseUnavailable]; then nothing may be
// appended. Two calls for the same batch give different bytes.
func (s *Sealer) Seal(ctx context.Context, stream string, store uuid.UUID, batch []Draft) ([]events.Proposed, error) {
	need, err := needs(stream, store, batch)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	keys, err := s.fetch(ctx, need)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	proposed := make([]events.Proposed, len(batch))
	var memory scratch
	for i, d := range batch {
		at := place{store: store, stream: stream, event: d.ID, eventType: d.Event.EventType()}
		e, md, err := mapPersonal(stream, d.Event, d.Metadata, func(f events.Field) (events.Personal, error) {
			text, ok := f.Value.Reveal()
			if !ok {
				return events.Personal{}, fmt.Errorf("a value to seal must be clear, not %s", f.Value)
			}
			return memory.seal(keys[f.Subject], at, f.Path, text)
		})
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		md.Keys = nil
		for _, subject := range need.firsts[i] {
			md.Keys = append(md.Keys, keys[subject].Commitment())
		}
		data, metadata, err := events.Encode(e, md)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		proposed[i] = events.Proposed{ID: d.ID, Type: at.eventType, Data: data, Metadata: metadata}
	}
	return proposed, nil
}

// need is what a batch needs keys for.
type need struct {
	created []events.Subject
	others  []events.Subject
	firsts  map[int][]events.Subject // by the event that creates them
}

func needs(stream string, store uuid.UUID, batch []Draft) (need, error) {
	n := need{firsts: make(map[int][]events.Subject)}
	known := make(map[events.Subject]bool)
	for i, d := range batch {
		if d.Metadata.StoreID != store {
			return need{}, fmt.Errorf("%s: its metadata names another store than the append does", d.Event.EventType())
		}
		creator, ok := d.Event.(events.Creator)
		if !ok {
			continue
		}
		for _, subject := range creator.Creates() {
			if !known[subject] {
				known[subject] = true
				n.created = append(n.created, subject)
				n.firsts[i] = append(n.firsts[i], subject)
			}
		}
	}
	for _, d := range batch {
		_, _, err := mapPersonal(stream, d.Event, d.Metadata, func(f events.Field) (events.Personal, error) {
			if !known[f.Subject] {
				known[f.Subject] = true
				n.others = append(n.others, f.Subject)
			}
			return f.Value, nil
		})
		if err != nil {
			return need{}, err
		}
	}
	return n, nil
}

// fetch asks for existing keys first, so that a refused batch creates none.
func (s *Sealer) fetch(ctx context.Context, n need) (map[events.Subject]*vault.Key, error) {
	keys := make(map[events.Subject]*vault.Key, len(n.created)+len(n.others))
	if len(n.others) > 0 {
		active, err := s.keys.Active(ctx, n.others)
		if err != nil {
			return nil, err
		}
		for subject, key := range active {
			keys[subject] = key
		}
	}
	if len(n.created) > 0 {
		provisioned, err := s.keys.Provision(ctx, n.created)
		if err != nil {
			return nil, err
		}
		for subject, key := range provisioned {
			keys[subject] = key
		}
	}
	return keys, nil
}
