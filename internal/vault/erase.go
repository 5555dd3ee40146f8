package vault

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// Erase destroys every key of subject, of any purpose and version, and leaves
// fences, also where there was no key yet. It returns the commitments of the
// destroyed keys; erasing again returns the same. It fails with
// [ErrDatabaseUnavailable]; then it may have happened, and asking again tells.
//
// Other processes may go on using a key that they hold for up to a minute.
func (v *Vault) Erase(ctx context.Context, subject events.Subject) ([]events.KeyCommitment, error) {
	fence, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("vault: new key id: %w", err)
	}
	// After the commit, and also when its outcome is not known.
	defer v.cache.evict(subject)
	var destroyed []events.KeyCommitment
	err = v.durably(ctx, "erase a key", func(tx pgx.Tx) error {
		// First the row that a concurrent Provision would insert: whoever comes
		// second waits here for the other, and the next statement sees what it did.
		_, err := tx.Exec(ctx, `
			INSERT INTO vault.keys (key_id, subject, purpose, version, state, erased_at)
			VALUES ($1, $2, $3, 1, 'erased', now())
			ON CONFLICT (subject, purpose, version) DO NOTHING`,
			fence, subject.String(), purposeData)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE vault.keys SET state = 'erased', wrapped = NULL, erased_at = now()
			WHERE subject = $1 AND state = 'active'`, subject.String())
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT key_id, commitment FROM vault.keys
			WHERE subject = $1 AND commitment IS NOT NULL
			ORDER BY purpose, version`, subject.String())
		if err != nil {
			return err
		}
		destroyed, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (events.KeyCommitment, error) {
			k := events.KeyCommitment{Subject: subject}
			var commitment []byte
			err := row.Scan(&k.ID, &commitment)
			k.Commitment = hex.EncodeToString(commitment)
			return k, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return destroyed, nil
}

// Survivors returns those of the subjects that have a key, or no fence. After an
// erasure there are none, unless the vault was restored from a backup that is older.
// It fails with [ErrDatabaseUnavailable].
func (v *Vault) Survivors(ctx context.Context, subjects []events.Subject) ([]events.Subject, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT s
		FROM unnest($1::text[]) AS s
		WHERE EXISTS (SELECT FROM vault.keys WHERE subject = s AND state = 'active')
			OR NOT EXISTS (SELECT FROM vault.keys WHERE subject = s)
		ORDER BY s`, texts(subjects))
	if err != nil {
		return nil, databaseError("look for keys", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (events.Subject, error) {
		var text string
		if err := row.Scan(&text); err != nil {
			return events.Subject{}, err
		}
		return events.ParseSubject(text)
	})
	if err != nil {
		return nil, databaseError("look for keys", err)
	}
	return found, nil
}
