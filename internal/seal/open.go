package seal

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

// Open returns copies of envs whose sealed values are clear, or erased where the
// key was destroyed. Values that are not sealed stay as they are, and so do
// secrets, the values about a credential: only [Sealer.OpenSecrets] opens them. All
// keys come from one lookup.
//
// It fails with [ErrAltered] when a value is not what was sealed there or when
// the vault presents another key than the log committed to, and with
// [vault.ErrKeyUnavailable] or [vault.ErrDatabaseUnavailable].
func (s *Sealer) Open(ctx context.Context, envs []events.Envelope) ([]events.Envelope, error) {
	return s.open(ctx, envs, func(f events.Field) bool { return f.Subject.Kind != events.SubjectCredential })
}

// OpenSecrets is [Sealer.Open] for those who check secrets: it opens every value.
func (s *Sealer) OpenSecrets(ctx context.Context, envs []events.Envelope) ([]events.Envelope, error) {
	return s.open(ctx, envs, func(events.Field) bool { return true })
}

// open opens the values that may be opened.
func (s *Sealer) open(ctx context.Context, envs []events.Envelope, may func(events.Field) bool) ([]events.Envelope, error) {
	ids, err := keyIDs(envs, may)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	opened := slices.Clone(envs)
	if len(ids) == 0 {
		return opened, nil
	}
	keys, err := s.keys.ByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	var memory scratch
	for i := range opened {
		if err := memory.openEnvelope(&opened[i], keys, may); err != nil {
			return nil, fmt.Errorf("open %s@%d: %w", opened[i].Stream, opened[i].Revision, err)
		}
	}
	return opened, nil
}

// keyIDs lists the keys that the sealed values of envs name which may be opened,
// each once.
func keyIDs(envs []events.Envelope, may func(events.Field) bool) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	known := make(map[uuid.UUID]bool)
	for _, env := range envs {
		_, _, err := mapPersonal(env.Stream, env.Event, env.Metadata, func(f events.Field) (events.Personal, error) {
			if id, _, ok := f.Value.Ciphertext(); ok && !known[id] && may(f) {
				known[id] = true
				ids = append(ids, id)
			}
			return f.Value, nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s@%d: %w", env.Stream, env.Revision, err)
		}
	}
	return ids, nil
}

func (s *scratch) openEnvelope(env *events.Envelope, keys map[uuid.UUID]*vault.Key, may func(events.Field) bool) error {
	for _, logged := range env.Metadata.Keys {
		if key := keys[logged.ID]; key != nil && key.Commitment() != logged {
			return fmt.Errorf("%w: key %s is not the one that the log committed to", ErrAltered, logged.ID)
		}
	}
	at := place{store: env.Metadata.StoreID, stream: env.Stream, event: env.ID, eventType: env.Type}
	e, md, err := mapPersonal(env.Stream, env.Event, env.Metadata, func(f events.Field) (events.Personal, error) {
		id, ciphertext, ok := f.Value.Ciphertext()
		if !ok || !may(f) {
			return f.Value, nil
		}
		key := keys[id]
		if key.Subject() != f.Subject {
			return events.Personal{}, fmt.Errorf("%w: key %s belongs to %s, not to %s", ErrAltered, id, key.Subject(), f.Subject)
		}
		return s.open(key, at, f.Path, ciphertext)
	})
	if err != nil {
		return err
	}
	env.Event, env.Metadata = e, md
	return nil
}
