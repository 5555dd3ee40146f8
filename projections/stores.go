package projections

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// Store is a row of stores: one per storefront.
type Store struct {
	StoreID   uuid.UUID `json:"store_id" db:"store_id"`
	Name      string    `json:"name" db:"name"`
	Hosts     []string  `json:"hosts" db:"hosts"`
	LogoURL   string    `json:"logo_url" db:"logo_url"`
	Color     string    `json:"color" db:"color"`
	CreatedAt time.Time `json:"created_at" db:"created_at"`
	UpdatedAt time.Time `json:"updated_at" db:"updated_at"`
	Revision  uint64    `json:"revision" db:"revision"`
	Position  uint64    `json:"position" db:"position"`
}

const createStores = `
	CREATE TABLE stores (
		store_id   uuid PRIMARY KEY,
		name       text NOT NULL,
		hosts      text[] NOT NULL,
		logo_url   text NOT NULL,
		color      text NOT NULL,
		created_at timestamptz NOT NULL,
		updated_at timestamptz NOT NULL,
		revision   bigint NOT NULL,
		position   bigint NOT NULL
	)`

var indexStores = []string{`CREATE INDEX stores_hosts ON stores USING gin (hosts)`}

const storeColumns = `store_id, name, hosts, logo_url, color, created_at, updated_at, revision, position`

const loadStores = `
	SELECT ` + storeColumns + `
	FROM stores
	WHERE store_id = ANY($1)`

const saveStores = `
	INSERT INTO stores
	SELECT * FROM json_populate_recordset(NULL::stores, $1)
	ON CONFLICT (store_id) DO UPDATE SET
		name = EXCLUDED.name, hosts = EXCLUDED.hosts, logo_url = EXCLUDED.logo_url, color = EXCLUDED.color,
		updated_at = EXCLUDED.updated_at, revision = EXCLUDED.revision, position = EXCLUDED.position`

var storesModel = projector.State[uuid.UUID, Store]{
	Name:    "stores",
	Create:  createStores,
	Indexes: indexStores,
	Key:     inCategory(events.CategoryStore),
	Evolve:  evolveStore,
	ID:      func(r Store) uuid.UUID { return r.StoreID },
	Load:    loadStores,
	Save:    saveStores,
}

// evolveStore folds an event of a store's stream into the store's row.
func evolveStore(row Store, env projector.Event) (Store, bool) {
	if e, ok := env.Event.(events.StoreCreated); ok {
		row = Store{
			StoreID: e.StoreID, Name: e.Name, Hosts: listed(e.Hosts), LogoURL: e.Branding.LogoURL, Color: e.Branding.Color,
			CreatedAt: recorded(env),
		}
	} else if row.StoreID == uuid.Nil {
		return row, false
	}
	switch e := env.Event.(type) {
	case events.StoreRenamed:
		row.Name = e.After
	case events.StoreHostsChanged:
		row.Hosts = listed(e.After)
	case events.StoreBrandingChanged:
		row.LogoURL, row.Color = e.After.LogoURL, e.After.Color
	}
	row.UpdatedAt, row.Revision, row.Position = recorded(env), env.Revision, env.Position.Commit
	return row, true
}

const (
	selectStore = `
		SELECT ` + storeColumns + `
		FROM read_core.stores
		WHERE store_id = $1`
	selectStoreByHost = `
		SELECT ` + storeColumns + `
		FROM read_core.stores
		WHERE hosts @> ARRAY[$1::text]
		ORDER BY position
		LIMIT 1`
	selectStores = `
		SELECT ` + storeColumns + `
		FROM read_core.stores
		ORDER BY created_at, store_id`
)

// Store returns one store, and false when there is no such one.
func (q Queries) Store(ctx context.Context, id uuid.UUID) (Store, bool, error) {
	return one[Store](ctx, q.db, "store", selectStore, id)
}

// StoreByHost returns the store that is reached under a host name, in lower-case
// ASCII. Like Stores, it is for the operator.
func (q Queries) StoreByHost(ctx context.Context, host string) (Store, bool, error) {
	found, err := query(ctx, q.db, ofNone, "store by host", pgx.RowToStructByName[Store], selectStoreByHost, host)
	if err != nil || len(found) == 0 {
		return Store{}, false, err
	}
	return found[0], true, nil
}

// Stores returns every store of the platform, the oldest first. It is for the
// operator, in the role that owns the tables: no tenant may see another.
func (q Queries) Stores(ctx context.Context) ([]Store, error) {
	return query(ctx, q.db, ofNone, "stores", pgx.RowToStructByName[Store], selectStores)
}
