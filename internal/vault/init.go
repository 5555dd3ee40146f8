package vault

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Init makes an empty vault the vault of a new log: in one transaction it
// records the log's id and creates the secrets. Doing so again for the same log
// changes nothing; for another it fails with [ErrWrongVault].
func (v *Vault) Init(ctx context.Context, logID uuid.UUID) error {
	if logID == uuid.Nil {
		return fmt.Errorf("vault: a log needs an id")
	}
	if v.LogID() == uuid.Nil {
		if err := v.bind(ctx, logID); err != nil {
			return err
		}
		if err := v.load(ctx); err != nil {
			return err
		}
	}
	if id := v.LogID(); id != logID {
		return fmt.Errorf("%w: it belongs to log %s already, not to %s", ErrWrongVault, id, logID)
	}
	return nil
}

func (v *Vault) bind(ctx context.Context, logID uuid.UUID) error {
	batch := new(pgx.Batch)
	for _, name := range SecretNames() {
		material := make([]byte, keySize)
		_, _ = rand.Read(material) // never fails
		wrapped, err := v.kek.Wrap(ctx, secretAAD(logID, name, 1), material)
		clear(material)
		if err != nil {
			return fmt.Errorf("vault: wrap secret %s: %w", name, err)
		}
		batch.Queue(`INSERT INTO vault.secrets (name, version, wrapped, kek_id) VALUES ($1, 1, $2, $3)`,
			string(name), wrapped, v.kek.ID())
	}
	return v.durably(ctx, "begin a vault", func(tx pgx.Tx) error {
		bound, err := tx.Exec(ctx, `INSERT INTO vault.log (log_id) VALUES ($1) ON CONFLICT DO NOTHING`, logID)
		if err != nil || bound.RowsAffected() == 0 {
			return err // somebody else was first
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// durably runs fn in a transaction that is on disk when durably returns nil,
// whatever the server's default is.
func (v *Vault) durably(ctx context.Context, doing string, fn func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, v.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil {
		return databaseError(doing, err)
	}
	return nil
}
