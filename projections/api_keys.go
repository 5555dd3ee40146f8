package projections

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// APIKey is a row of api_keys: one per credential of a program. The secret itself
// is nowhere.
type APIKey struct {
	APIKeyID  uuid.UUID     `json:"api_key_id" db:"api_key_id"`
	StoreID   uuid.UUID     `json:"store_id" db:"store_id"`
	StaffID   uuid.UUID     `json:"staff_id" db:"staff_id"`
	Prefix    string        `json:"prefix" db:"prefix"`
	Hash      string        `json:"hash" db:"hash"` // SHA-256 of the secret part, in hexadecimal
	Label     *string       `json:"label" db:"label"`
	Source    events.Source `json:"source" db:"source"`
	ExpiresAt time.Time     `json:"expires_at" db:"expires_at"`
	RevokedAt *time.Time    `json:"revoked_at" db:"revoked_at"`
	// Scopes and Role are what limits the key, nil and empty for nothing.
	Scopes []string    `json:"scopes" db:"scopes"`
	Role   events.Role `json:"role" db:"role"`
	// PreviousHash is that of the secret before, which is good until PreviousUntil.
	PreviousHash  string     `json:"previous_hash" db:"previous_hash"`
	PreviousUntil *time.Time `json:"previous_until" db:"previous_until"`
	UsedOn        string     `json:"used_on" db:"used_on"` // the last day of use, 2006-01-02
	CreatedAt     time.Time  `json:"created_at" db:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at" db:"updated_at"`
	Revision      uint64     `json:"revision" db:"revision"`
	Position      uint64     `json:"position" db:"position"`
}

const createAPIKeys = `
	CREATE TABLE api_keys (
		api_key_id uuid PRIMARY KEY,
		store_id   uuid NOT NULL,
		staff_id   uuid NOT NULL,
		prefix     text NOT NULL,
		hash       text NOT NULL,
		label      text,
		source     text NOT NULL,
		expires_at timestamptz NOT NULL,
		revoked_at timestamptz,
		scopes     text[],
		role       text NOT NULL,
		previous_hash text NOT NULL,
		previous_until timestamptz,
		used_on    text NOT NULL,
		created_at timestamptz NOT NULL,
		updated_at timestamptz NOT NULL,
		revision   bigint NOT NULL,
		position   bigint NOT NULL
	)`

var indexAPIKeys = []string{
	`CREATE INDEX api_keys_prefix ON api_keys (prefix)`,
	`CREATE INDEX api_keys_store ON api_keys (store_id, created_at, api_key_id)`,
}

const apiKeyColumns = `api_key_id, store_id, staff_id, prefix, hash, label, source, expires_at, revoked_at, scopes,
	role, previous_hash, previous_until, used_on, created_at, updated_at, revision, position`

const loadAPIKeys = `
	SELECT ` + apiKeyColumns + `
	FROM api_keys
	WHERE api_key_id = ANY($1)`

const saveAPIKeys = `
	INSERT INTO api_keys
	SELECT * FROM json_populate_recordset(NULL::api_keys, $1)
	ON CONFLICT (api_key_id) DO UPDATE SET
		hash = EXCLUDED.hash, revoked_at = EXCLUDED.revoked_at, previous_hash = EXCLUDED.previous_hash,
		previous_until = EXCLUDED.previous_until, used_on = EXCLUDED.used_on, updated_at = EXCLUDED.updated_at, revision = EXCLUDED.revision,
		position = EXCLUDED.position`

var apiKeysModel = projector.State[uuid.UUID, APIKey]{
	Name:    "api_keys",
	Create:  createAPIKeys,
	Indexes: indexAPIKeys,
	Key:     inCategory(events.CategoryAPIKey),
	Evolve:  evolveAPIKey,
	ID:      func(r APIKey) uuid.UUID { return r.APIKeyID },
	Load:    loadAPIKeys,
	Save:    saveAPIKeys,
}

// evolveAPIKey folds an event of a key's stream into the key's row.
func evolveAPIKey(row APIKey, env projector.Event) (APIKey, bool) {
	if e, ok := env.Event.(events.APIKeyCreated); ok {
		row = APIKey{
			APIKeyID: e.APIKeyID, StoreID: env.Metadata.StoreID, StaffID: e.StaffID, Prefix: e.Prefix, Hash: e.Hash,
			Label: shown(e.Label), Source: e.Source, ExpiresAt: stored(e.ExpiresAt), Scopes: e.Scopes, Role: e.Role, CreatedAt: recorded(env),
		}
	} else if row.APIKeyID == uuid.Nil {
		return row, false
	}
	switch e := env.Event.(type) {
	case events.APIKeyRevoked:
		if row.RevokedAt == nil {
			at := recorded(env)
			row.RevokedAt = &at
		}
	case events.APIKeyRotated:
		until := stored(e.PreviousUntil)
		row.PreviousHash, row.PreviousUntil, row.Hash = row.Hash, &until, e.Hash
	case events.APIKeyUsed:
		row.UsedOn = e.Day
	}
	row.UpdatedAt, row.Revision, row.Position = recorded(env), env.Revision, env.Position.Commit
	return row, true
}

const (
	selectAPIKeys = `
		SELECT ` + apiKeyColumns + `
		FROM read_core.api_keys
		WHERE store_id = $1
		ORDER BY created_at, api_key_id`
	selectAPIKeyByPrefix = `
		SELECT ` + apiKeyColumns + `
		FROM read_core.api_keys
		WHERE prefix = $1
		ORDER BY position`
)

// APIKeys returns the keys of a store, the oldest first, revoked ones included.
func (q Queries) APIKeys(ctx context.Context, store uuid.UUID) ([]APIKey, error) {
	return collect[APIKey](ctx, q.db, "api keys", selectAPIKeys, store)
}

// prefixSetting names the keys that may be looked at without a store.
const prefixSetting = "app.api_key_prefix"

// lookupAPIKey is who may look at a key: also those who say how it begins.
var lookupAPIKey = projector.Lookup{Table: "api_keys", Column: "prefix", Setting: prefixSetting}

// APIKeysByPrefix returns the keys that a credential may be, of any store: the
// credential is what tells the store. The caller compares hashes.
func (q Queries) APIKeysByPrefix(ctx context.Context, prefix string) ([]APIKey, error) {
	in := scope{prefixSetting, prefix, planAuto}
	return query(ctx, q.db, in, "api key", pgx.RowToStructByName[APIKey], selectAPIKeyByPrefix, prefix)
}
