package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
)

// Vault hands out keys. It is safe for concurrent use.
type Vault struct {
	pool    *pgxpool.Pool
	kek     KEK
	cache   *cache
	binding atomic.Pointer[binding] // nil until the vault belongs to a log
}

// binding is the log that a vault belongs to and the secrets that serve it.
type binding struct {
	logID   uuid.UUID
	secrets secrets
}

// Open reads what the vault belongs to and opens its secrets. It fails with
// [ErrWrongKEK] when the master key is not the one that they were wrapped
// under, and with [ErrDatabaseUnavailable]. A vault that belongs to no log opens:
// it serves nothing but [Vault.Init].
func Open(ctx context.Context, pool *pgxpool.Pool, kek KEK) (*Vault, error) {
	v := &Vault{pool: pool, kek: kek, cache: newCache(cacheSize, CacheLifetime, time.Now)}
	if err := v.load(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// LogID returns the id of the log that the vault belongs to, or uuid.Nil.
func (v *Vault) LogID() uuid.UUID {
	if b := v.binding.Load(); b != nil {
		return b.logID
	}
	return uuid.Nil
}

// Verify compares the vault with the first event of the log and fails with
// [ErrWrongVault] when they do not belong together. It is one half of the boot
// rule; [Vault.VerifyEmpty] is the other.
func (v *Vault) Verify(initialized events.PlatformInitialized) error {
	const remedy = "restore the vault backup that belongs to this log"
	switch id := v.LogID(); id {
	case initialized.LogID:
	case uuid.Nil:
		return fmt.Errorf("%w: the log has events and is %s, the vault is empty: %s", ErrWrongVault, initialized.LogID, remedy)
	default:
		return fmt.Errorf("%w: the log is %s, the vault belongs to %s: %s", ErrWrongVault, initialized.LogID, id, remedy)
	}
	if _, ok := initialized.KeyChecks[string(SecretIndex)]; !ok {
		return fmt.Errorf("%w: the log holds no check value of the secret %q: its first event is not Steward's", ErrWrongVault, SecretIndex)
	}
	checks := v.Checks()
	for _, name := range slices.Sorted(maps.Keys(initialized.KeyChecks)) {
		switch got, ok := checks[name]; {
		case !ok:
			return fmt.Errorf("%w: the vault lacks the secret %q: %s", ErrWrongVault, name, remedy)
		case got != initialized.KeyChecks[name]:
			return fmt.Errorf("%w: the secret %q is not the one that the log was begun with: %s", ErrWrongVault, name, remedy)
		}
	}
	return nil
}

// VerifyEmpty checks that the vault may go with an empty log. It fails with
// [ErrWrongVault] when the vault has served a log: that log was lost. A vault
// whose initialisation was cut short before the log's first event passes, for
// nothing was ever sealed with it; go on with its [Vault.LogID].
func (v *Vault) VerifyEmpty(ctx context.Context) error {
	id := v.LogID()
	if id == uuid.Nil {
		return nil
	}
	var served bool
	err := v.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM vault.keys WHERE subject <> $1)`,
		events.PlatformSubject.String()).Scan(&served)
	if err != nil {
		return databaseError("look for keys", err)
	}
	if served {
		return fmt.Errorf("%w: the log is empty, the vault has served log %s: restore that log, or point Steward at an empty vault to begin anew",
			ErrWrongVault, id)
	}
	return nil
}

// load reads log id and secrets in one statement, hence as of one moment.
func (v *Vault) load(ctx context.Context) error {
	rows, err := v.pool.Query(ctx, `
		SELECT l.log_id, coalesce(s.name, ''), coalesce(s.version, 0), s.wrapped, coalesce(s.kek_id, '')
		FROM vault.log l
		LEFT JOIN vault.secrets s ON true`)
	if err != nil {
		return databaseError("read secrets", err)
	}
	defer rows.Close()
	var b *binding
	for rows.Next() {
		var (
			name    SecretName
			version int
			wrapped []byte
			kekID   string
			logID   uuid.UUID
		)
		if err := rows.Scan(&logID, &name, &version, &wrapped, &kekID); err != nil {
			return databaseError("read secrets", err)
		}
		if b == nil {
			b = &binding{logID: logID, secrets: make(secrets)}
		}
		if wrapped == nil {
			continue
		}
		plain, err := v.unwrap(ctx, secretAAD(logID, name, version), wrapped, kekID)
		if err != nil {
			return fmt.Errorf("vault: secret %s: %w", name, err)
		}
		if b.secrets[name] == nil {
			b.secrets[name] = make(map[int][]byte)
		}
		b.secrets[name][version] = plain
	}
	if err := rows.Err(); err != nil {
		return databaseError("read secrets", err)
	}
	if b == nil {
		return nil
	}
	for _, name := range SecretNames() {
		if len(b.secrets[name][1]) != keySize {
			return fmt.Errorf("vault of log %s: the secret %q is missing or cut: restore the vault backup that belongs to this log", b.logID, name)
		}
	}
	v.binding.Store(b)
	return nil
}

// unwrap opens bytes that were wrapped under the master key kekID.
func (v *Vault) unwrap(ctx context.Context, aad, wrapped []byte, kekID string) ([]byte, error) {
	plain, err := v.kek.Unwrap(ctx, aad, wrapped)
	switch {
	case err == nil:
		return plain, nil
	case !errors.Is(err, ErrWrongKEK):
		return nil, fmt.Errorf("unwrap: %w", err)
	case kekID == v.kek.ID():
		return nil, ErrAltered
	default:
		return nil, fmt.Errorf("%w: this vault needs the master key %s", err, kekID)
	}
}
