package projections

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// DomainOrder is an order of a list of domains.
type DomainOrder string

// The orders.
const (
	DomainsByName   DomainOrder = "name"    // alphabetical, the default
	DomainsByExpiry DomainOrder = "expires" // the next to expire first
)

// DomainFilter says which domains to list. Every field but the store narrows the
// list; zero values do not.
type DomainFilter struct {
	StoreID    uuid.UUID
	CustomerID uuid.UUID // the current owner
	// Query is looked for in the name: anywhere from three characters on, else at
	// its beginning.
	Query          string
	ExpiringBefore time.Time
	AutoRenew      *bool
	Locked         *bool
	Privacy        *bool
	Order          DomainOrder
	After          *Cursor // of an earlier page in the same order
	Limit          int     // DefaultLimit if zero, at most MaxLimit
}

// domainLists holds the SQL of each order.
var domainLists = map[DomainOrder]listSQL{
	DomainsByName:   domainList("name", "text", "search, customer_id, expires_at, auto_renew, locked, privacy"),
	DomainsByExpiry: domainList("expires_at", "timestamptz", "search, customer_id, auto_renew, locked, privacy"),
}

func domainList(sort, sortType, walked string) listSQL {
	return listShape{
		table: "domains", columns: domainColumns, id: "domain_id", sort: sort, sortType: sortType,
		filter: `($5::uuid IS NULL OR customer_id = $5) AND ($6::timestamptz IS NULL OR expires_at < $6)
			AND ($7::boolean IS NULL OR auto_renew = $7) AND ($8::boolean IS NULL OR locked = $8)
			AND ($9::boolean IS NULL OR privacy = $9)`,
		filterValues: 5, walked: walked,
	}.sql()
}

// Domains returns a page of domains, and where the next one begins: nil after the
// last.
func (q Queries) Domains(ctx context.Context, f DomainFilter) ([]Domain, *Cursor, error) {
	if f.Order == "" {
		f.Order = DomainsByName
	}
	domains, more, err := list[Domain](ctx, q.db, domainLists[f.Order], listArgs{
		store: f.StoreID, after: f.after(), limit: f.Limit, term: f.Query,
		filter: []any{optional(f.CustomerID), optionalTime(f.ExpiringBefore), f.AutoRenew, f.Locked, f.Privacy},
	})
	if err != nil || !more {
		return domains, nil, err
	}
	last := domains[len(domains)-1]
	c := &Cursor{Order: string(f.Order), ID: last.DomainID}
	if f.Order == DomainsByExpiry {
		c.Number = last.ExpiresAt.UnixMicro()
	} else {
		c.Text = last.Name
	}
	return domains, c, nil
}

// after returns the sort value and the id that a page begins after.
func (f DomainFilter) after() [2]any {
	c := f.After
	switch {
	case c == nil && f.Order == DomainsByExpiry:
		return [2]any{time.Time{}, uuid.Nil}
	case c == nil:
		return [2]any{"", uuid.Nil}
	case f.Order == DomainsByExpiry:
		return [2]any{time.UnixMicro(c.Number), c.ID}
	}
	return [2]any{c.Text, c.ID}
}

const selectDomain = `
	SELECT ` + domainColumns + `
	FROM read_core.domains
	WHERE store_id = $1 AND domain_id = $2`

// Domain returns one domain, and false when the store has no such one.
func (q Queries) Domain(ctx context.Context, store, id uuid.UUID) (Domain, bool, error) {
	return one[Domain](ctx, q.db, "domain", selectDomain, store, id)
}

const selectHolds = `
	SELECT EXISTS (SELECT FROM read_core.domains WHERE store_id = $1 AND customer_id = $2 AND expires_at > $3)`

// HoldsDomains reports whether a customer holds domains that expire after a time.
func (q Queries) HoldsDomains(ctx context.Context, store, customer uuid.UUID, after time.Time) (bool, error) {
	holds, _, err := oneBy(ctx, q.db, "whether a customer holds domains", pgx.RowTo[bool], selectHolds, store, customer, after)
	return holds, err
}
