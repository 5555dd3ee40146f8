package projections

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// CustomerOrder is an order of the list of customers.
type CustomerOrder string

// The orders.
const (
	// CustomersBySignIn is the default: the newest sign-in first, never last.
	CustomersBySignIn CustomerOrder = "last_sign_in"
	// CustomersByCreation puts the newest customer first.
	CustomersByCreation CustomerOrder = "created"
	// CustomersByUsername is alphabetical, those without a username last.
	CustomersByUsername CustomerOrder = "username"
)

// CustomerFilter says which customers to list.
type CustomerFilter struct {
	StoreID uuid.UUID
	// Query is looked for in names, username and email: anywhere from three
	// characters on, else where one of them begins. Case and accents do not count.
	Query string
	// Statuses are those to show; none means all but deleted and erased.
	Statuses []events.CustomerStatus
	// TwoFactor shows only those with it, or only those without.
	TwoFactor *bool
	// Provisional shows only those whose email address is a stand-in.
	Provisional bool
	Tag         string        // shows only those under it
	Order       CustomerOrder // CustomersBySignIn if empty
	After       *Cursor       // of an earlier page in the same order
	Limit       int           // DefaultLimit if zero, at most MaxLimit
}

// visibleStatuses are shown unless others are asked for.
var visibleStatuses = []events.CustomerStatus{
	events.StatusPending, events.StatusActive, events.StatusSuspended, events.StatusBanned,
}

// customerLists holds the SQL of each order.
var customerLists = map[CustomerOrder]listSQL{
	CustomersBySignIn:   customerList("sign_in_rank", "bigint", false),
	CustomersByCreation: customerList("created_at", "timestamptz", true),
	CustomersByUsername: customerList("username_rank", "text", false),
}

// customerFilter is planned for its values: what does not narrow the list is not
// looked at, tags above all, which no index of an order holds.
const customerFilter = `status = ANY($5) AND ($6::boolean IS NULL OR two_factor = $6) AND (NOT $7::boolean OR email_provisional)
		AND ($8::text = '' OR tags @> ARRAY[$8::text])`

func customerList(sort, sortType string, descending bool) listSQL {
	return listShape{
		table: "customers", columns: customerColumns + ", sign_in_rank, username_rank, search", id: "customer_id",
		sort: sort, sortType: sortType, descending: descending,
		filter: customerFilter, filterValues: 4, walked: "search, status, two_factor, email_provisional, tags",
	}.sql()
}

// Customers returns a page of customers, and where the next one begins: nil
// after the last.
func (q Queries) Customers(ctx context.Context, f CustomerFilter) ([]Customer, *Cursor, error) {
	if f.Order == "" {
		f.Order = CustomersBySignIn
	}
	statuses := f.Statuses
	if len(statuses) == 0 {
		statuses = visibleStatuses
	}
	rows, more, err := list[customerRow](ctx, q.db, customerLists[f.Order], listArgs{
		store: f.StoreID, after: f.customersAfter(), limit: f.Limit, filter: []any{statuses, f.TwoFactor, f.Provisional, f.Tag}, term: f.Query,
	})
	if err != nil {
		return nil, nil, err
	}
	customers := make([]Customer, len(rows))
	for i, r := range rows {
		customers[i] = r.Customer
	}
	if !more {
		return customers, nil, nil
	}
	return customers, rows[len(rows)-1].cursor(f.Order), nil
}

// customersAfter returns the sort value and the id that a page begins after.
func (f CustomerFilter) customersAfter() [2]any {
	c := f.After
	switch {
	case c == nil && f.Order == CustomersByCreation:
		return [2]any{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), uuid.Max}
	case c == nil && f.Order == CustomersByUsername:
		return [2]any{"", uuid.Nil}
	case c == nil:
		return [2]any{int64(math.MinInt64), uuid.Nil}
	case f.Order == CustomersByCreation:
		return [2]any{time.UnixMicro(c.Number), c.ID}
	case f.Order == CustomersByUsername:
		return [2]any{c.Text, c.ID}
	}
	return [2]any{c.Number, c.ID}
}

// cursor is the place right after the row.
func (r customerRow) cursor(order CustomerOrder) *Cursor {
	c := &Cursor{Order: string(order), ID: r.CustomerID}
	switch order {
	case CustomersByCreation:
		c.Number = r.CreatedAt.UnixMicro()
	case CustomersByUsername:
		c.Text = r.UsernameRank
	default:
		c.Number = r.SignInRank
	}
	return c
}

const selectCustomer = `
	SELECT ` + customerColumns + `
	FROM read_core.customers
	WHERE store_id = $1 AND customer_id = $2`

// Customer returns one customer, and false when the store has no such one.
func (q Queries) Customer(ctx context.Context, store, id uuid.UUID) (Customer, bool, error) {
	return one[Customer](ctx, q.db, "customer", selectCustomer, store, id)
}

// PasswordScheme is how many customers of a store have a password that is hashed in
// one way, and how many of those could not be read when last tried.
type PasswordScheme struct {
	Scheme     *string `db:"password_scheme"` // nil for those without a password
	Customers  int64   `db:"customers"`
	Unreadable int64   `db:"unreadable"`
}

const selectPasswordSchemes = `
	SELECT password_scheme, count(*) AS customers, count(*) FILTER (WHERE password_unreadable) AS unreadable
	FROM read_core.customers
	WHERE store_id = $1 AND status <> 'erased'
	GROUP BY password_scheme
	ORDER BY customers DESC, password_scheme`

// PasswordSchemes counts the passwords of a store by how they are hashed: those of
// deleted customers too, for they are kept.
func (q Queries) PasswordSchemes(ctx context.Context, store uuid.UUID) ([]PasswordScheme, error) {
	return collect[PasswordScheme](ctx, q.db, "password schemes", selectPasswordSchemes, store)
}
