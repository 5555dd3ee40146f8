package projections

import (
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/projector"
)

// Domain is a row of domains: one per DNS name in a store, with what holds in its
// current period of ownership.
type Domain struct {
	DomainID   uuid.UUID `json:"domain_id" db:"domain_id"`
	StoreID    uuid.UUID `json:"store_id" db:"store_id"`
	CustomerID uuid.UUID `json:"customer_id" db:"customer_id"` // the owner
	Name       string    `json:"name" db:"name"`               // lower-case ASCII
	// UnicodeName is the name as people write it; for most the same.
	UnicodeName  string    `json:"unicode_name" db:"unicode_name"`
	RegisteredAt time.Time `json:"registered_at" db:"registered_at"`
	ExpiresAt    time.Time `json:"expires_at" db:"expires_at"`
	AutoRenew    bool      `json:"auto_renew" db:"auto_renew"`
	Locked       bool      `json:"locked" db:"locked"`
	Privacy      bool      `json:"privacy" db:"privacy"`
	Nameservers  []string  `json:"nameservers" db:"nameservers"`
	// Period counts the registrations and imports of the name, from 1.
	Period    int       `json:"period" db:"period"`
	CreatedAt time.Time `json:"created_at" db:"created_at"` // beginning of the period
	UpdatedAt time.Time `json:"updated_at" db:"updated_at"`
	Revision  uint64    `json:"revision" db:"revision"` // of the domain's stream
	Position  uint64    `json:"position" db:"position"` // commit position of the last event
}

// domainRow is all columns.
type domainRow struct {
	Domain
	Search string `json:"search" db:"search"`
}

const createDomains = `
	CREATE TABLE domains (
		domain_id     uuid PRIMARY KEY,
		store_id      uuid NOT NULL,
		customer_id   uuid NOT NULL,
		name          text COLLATE "C" NOT NULL,
		unicode_name  text NOT NULL,
		registered_at timestamptz NOT NULL,
		expires_at    timestamptz NOT NULL,
		auto_renew    boolean NOT NULL,
		locked        boolean NOT NULL,
		privacy       boolean NOT NULL,
		nameservers   text[] NOT NULL,
		period        integer NOT NULL,
		created_at    timestamptz NOT NULL,
		updated_at    timestamptz NOT NULL,
		revision      bigint NOT NULL,
		position      bigint NOT NULL,
		search        text COLLATE "C" NOT NULL
	) WITH (fillfactor = 80)`

var indexDomains = []string{
	`CREATE INDEX domains_name ON domains (store_id, name, domain_id)`,
	`CREATE INDEX domains_expiry ON domains (store_id, expires_at, domain_id)`,
	`CREATE INDEX domains_customer ON domains (customer_id, name, domain_id)`,
	`CREATE INDEX domains_search ON domains USING gin (search gin_trgm_ops)`,
}

const domainColumns = `domain_id, store_id, customer_id, name, unicode_name, registered_at, expires_at, auto_renew, locked,
	privacy, nameservers, period, created_at, updated_at, revision, position`

const loadDomains = `
	SELECT ` + domainColumns + `, search
	FROM domains
	WHERE domain_id = ANY($1)`

const saveDomains = `
	INSERT INTO domains
	SELECT * FROM json_populate_recordset(NULL::domains, $1)
	ON CONFLICT (domain_id) DO UPDATE SET
		customer_id = EXCLUDED.customer_id, registered_at = EXCLUDED.registered_at, expires_at = EXCLUDED.expires_at,
		auto_renew = EXCLUDED.auto_renew, locked = EXCLUDED.locked, privacy = EXCLUDED.privacy,
		nameservers = EXCLUDED.nameservers, period = EXCLUDED.period, created_at = EXCLUDED.created_at,
		updated_at = EXCLUDED.updated_at, revision = EXCLUDED.revision, position = EXCLUDED.position`

var domainsModel = projector.State[uuid.UUID, domainRow]{
	Name:    "domains",
	Create:  createDomains,
	Indexes: indexDomains,
	Key:     inCategory(events.CategoryDomain),
	Evolve:  evolveDomain,
	ID:      func(r domainRow) uuid.UUID { return r.DomainID },
	Load:    loadDomains,
	Save:    saveDomains,
}

// evolveDomain folds an event of a domain's stream into the domain's row.
func evolveDomain(row domainRow, env projector.Event) (domainRow, bool) {
	switch e := env.Event.(type) {
	case events.DomainRegistered:
		row = beginPeriod(row, env, Domain{
			DomainID: e.DomainID, CustomerID: e.CustomerID, Name: e.Name, RegisteredAt: e.RegisteredAt, ExpiresAt: e.ExpiresAt,
		}, e.Settings)
	case events.DomainImported:
		row = beginPeriod(row, env, Domain{
			DomainID: e.DomainID, CustomerID: e.CustomerID, Name: e.Name, RegisteredAt: e.RegisteredAt, ExpiresAt: e.ExpiresAt,
		}, e.Settings)
	default:
		if row.DomainID == uuid.Nil {
			return row, false // its beginning was parked
		}
	}
	switch e := env.Event.(type) {
	case events.DomainAutoRenewSet:
		row.AutoRenew = e.After
	case events.DomainLockSet:
		row.Locked = e.After
	case events.DomainPrivacySet:
		row.Privacy = e.After
	case events.DomainNameserversChanged:
		row.Nameservers = listed(e.After)
	case events.DomainPushed:
		row.CustomerID = e.ToCustomerID
	}
	row.UpdatedAt, row.Revision, row.Position = recorded(env), env.Revision, env.Position.Commit
	return row, true
}

// beginPeriod makes the row of a name that was registered or imported, perhaps
// not for the first time.
func beginPeriod(before domainRow, env projector.Event, d Domain, s events.DomainSettings) domainRow {
	d.StoreID, d.CreatedAt, d.Period = env.Metadata.StoreID, recorded(env), before.Period+1
	d.RegisteredAt, d.ExpiresAt = stored(d.RegisteredAt), stored(d.ExpiresAt)
	d.AutoRenew, d.Locked, d.Privacy, d.Nameservers = s.AutoRenew, s.Locked, s.Privacy, listed(s.Nameservers)
	d.UnicodeName = dnsname.Unicode(d.Name)
	row := domainRow{Domain: d, Search: searchText(d.Name)}
	if d.UnicodeName != d.Name {
		row.Search = searchText(d.Name, d.UnicodeName)
	}
	return row
}
