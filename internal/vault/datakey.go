package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// purposeData is what the keys of personal values are for.
const purposeData = "data"

// columns of a key, in the order of scanKey.
const columns = `key_id, subject, purpose, version, state, wrapped, coalesce(kek_id, ''), commitment`

// Active returns the key to seal with of every subject. It fails with
// [ErrKeyUnavailable] when a subject has none, with [ErrSubjectErased] when one
// was erased, and with [ErrDatabaseUnavailable].
func (v *Vault) Active(ctx context.Context, subjects []events.Subject) (map[events.Subject]*Key, error) {
	found := make(map[events.Subject]*Key, len(subjects))
	missing, epoch := v.cache.subjects(subjects, found)
	if len(missing) > 0 {
		rows, err := v.pool.Query(ctx, bySubject, texts(missing), purposeData)
		if err != nil {
			return nil, databaseError("read keys", err)
		}
		read, err := v.newest(ctx, rows)
		if err != nil {
			return nil, databaseError("read keys", err)
		}
		v.keep(epoch, read, found)
	}
	return found, usable(subjects, found)
}

const bySubject = `SELECT ` + columns + ` FROM vault.keys WHERE subject = ANY($1) AND purpose = $2 ORDER BY subject, version`

// ByID returns the keys with the given ids, whatever their version, the erased
// ones marked. It fails with [ErrKeyUnavailable] when one is not there, and with
// [ErrDatabaseUnavailable].
func (v *Vault) ByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Key, error) {
	found := make(map[uuid.UUID]*Key, len(ids))
	missing, epoch := v.cache.ids(ids, found)
	if len(missing) > 0 {
		rows, err := v.pool.Query(ctx, `SELECT `+columns+` FROM vault.keys WHERE key_id = ANY($1)`, missing)
		if err != nil {
			return nil, databaseError("read keys", err)
		}
		read, err := v.keys(ctx, rows)
		if err != nil {
			return nil, databaseError("read keys", err)
		}
		for _, key := range read {
			found[key.id] = key
			v.cache.put(epoch, key, false)
		}
	}
	for _, id := range ids {
		if found[id] == nil {
			return nil, fmt.Errorf("vault: key %s: %w", id, ErrKeyUnavailable)
		}
	}
	return found, nil
}

// usable fails unless every subject has a key that seals.
func usable(subjects []events.Subject, found map[events.Subject]*Key) error {
	for _, subject := range subjects {
		if key := found[subject]; key != nil && key.Erased() {
			return fmt.Errorf("vault: %s: %w", subject, ErrSubjectErased)
		}
	}
	for _, subject := range subjects {
		if found[subject] == nil {
			return fmt.Errorf("vault: %s: %w", subject, ErrKeyUnavailable)
		}
	}
	return nil
}

// keep adds read to found and to the cache.
func (v *Vault) keep(epoch uint64, read, found map[events.Subject]*Key) {
	for subject, key := range read {
		found[subject] = key
		v.cache.put(epoch, key, true)
	}
}

// newest reads rows in the order of their versions and returns the key to seal
// with per subject. One erased version makes the subject erased.
func (v *Vault) newest(ctx context.Context, rows pgx.Rows) (map[events.Subject]*Key, error) {
	all, err := v.keys(ctx, rows)
	if err != nil {
		return nil, err
	}
	newest := make(map[events.Subject]*Key, len(all))
	for _, key := range all {
		if before := newest[key.subject]; before == nil || !before.Erased() {
			newest[key.subject] = key
		}
	}
	return newest, nil
}

// keys reads and unwraps rows.
func (v *Vault) keys(ctx context.Context, rows pgx.Rows) ([]*Key, error) {
	stored, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, err
	}
	all := make([]*Key, len(stored))
	for i, row := range stored {
		if all[i], err = v.key(ctx, row); err != nil {
			return nil, fmt.Errorf("key %s: %w", row.id, err)
		}
	}
	return all, nil
}

// storedKey is a row of vault.keys.
type storedKey struct {
	id               uuid.UUID
	subject, purpose string
	version          int
	state            string
	wrapped          []byte
	kekID            string
	commitment       []byte
}

func scanKey(row pgx.CollectableRow) (k storedKey, err error) {
	err = row.Scan(&k.id, &k.subject, &k.purpose, &k.version, &k.state, &k.wrapped, &k.kekID, &k.commitment)
	return k, err
}

// key unwraps a row. It fails with [ErrWrongKey] when the key in it is not the
// one that the row commits to.
func (v *Vault) key(ctx context.Context, row storedKey) (*Key, error) {
	subject, err := events.ParseSubject(row.subject)
	if err != nil {
		return nil, err
	}
	if row.state == "erased" {
		return &Key{id: row.id, subject: subject, commitment: row.commitment}, nil
	}
	material, err := v.unwrap(ctx, keyAAD(row.id, row.subject, row.purpose, row.version), row.wrapped, row.kekID)
	if err != nil {
		return nil, err
	}
	defer clear(material)
	key, err := NewKey(row.id, subject, material)
	if err != nil {
		return nil, err
	}
	if !key.matches(row.commitment) {
		return nil, ErrWrongKey
	}
	return key, nil
}

// texts returns the stored forms of subjects in ascending order, each once.
// Writers that lock rows in one order cannot block each other.
func texts(subjects []events.Subject) []string {
	all := make([]string, len(subjects))
	for i, s := range subjects {
		all[i] = s.String()
	}
	slices.Sort(all)
	return slices.Compact(all)
}
