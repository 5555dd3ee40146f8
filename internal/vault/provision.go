package vault

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// Provision returns the key of every subject and creates the ones that are
// absent. Only the event that creates a subject may ask. Whoever asks again, or
// at the same time, gets the same key. It fails with [ErrSubjectErased] when a
// subject's key was destroyed, and with [ErrDatabaseUnavailable]. The keys are on
// disk when it returns.
func (v *Vault) Provision(ctx context.Context, subjects []events.Subject) (map[events.Subject]*Key, error) {
	found := make(map[events.Subject]*Key, len(subjects))
	if len(subjects) == 0 {
		return found, nil
	}
	all := texts(subjects)
	fresh, err := v.fresh(ctx, all)
	if err != nil {
		return nil, err
	}
	// The cache is not asked: a fence that another process put up stands at once.
	_, epoch := v.cache.subjects(nil, nil)
	var read map[events.Subject]*Key
	err = v.durably(ctx, "provision keys", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO vault.keys (key_id, subject, purpose, version, state, wrapped, kek_id, commitment)
			SELECT k.key_id, k.subject, $5, 1, 'active', k.wrapped, $6, k.commitment
			FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[]) AS k (key_id, subject, wrapped, commitment)
			ON CONFLICT (subject, purpose, version) DO NOTHING`,
			fresh.ids, all, fresh.wrapped, fresh.commitments, purposeData, v.kek.ID())
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, bySubject, all, purposeData)
		if err != nil {
			return err
		}
		read, err = v.newest(ctx, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.keep(epoch, read, found)
	return found, usable(subjects, found)
}

// freshKeys are new keys, wrapped, column by column.
type freshKeys struct {
	ids                  []uuid.UUID
	wrapped, commitments [][]byte
}

func (v *Vault) fresh(ctx context.Context, subjects []string) (freshKeys, error) {
	var f freshKeys
	material := make([]byte, keySize)
	defer clear(material)
	for _, subject := range subjects {
		id, err := uuid.NewRandom()
		if err != nil {
			return freshKeys{}, fmt.Errorf("vault: new key id: %w", err)
		}
		_, _ = rand.Read(material) // never fails
		commitment, err := commit(material)
		if err != nil {
			return freshKeys{}, fmt.Errorf("vault: new key: %w", err)
		}
		wrapped, err := v.kek.Wrap(ctx, keyAAD(id, subject, purposeData, 1), material)
		if err != nil {
			return freshKeys{}, fmt.Errorf("vault: wrap new key: %w", err)
		}
		f.ids = append(f.ids, id)
		f.wrapped = append(f.wrapped, wrapped)
		f.commitments = append(f.commitments, commitment)
	}
	return f, nil
}
