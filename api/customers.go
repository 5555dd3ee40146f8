package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// CustomerRow is a customer in a list.
type CustomerRow struct {
	Badge        projections.Badge     `json:"badge" enum:"green,yellow,red," doc:"The status as a colour: green active, yellow suspended or pending, red banned, none deleted."`
	ID           string                `json:"id" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name         string                `json:"name" doc:"First and last name, or the company, or the username."`
	Email        *string               `json:"email"`
	Username     *string               `json:"username"`
	Company      *string               `json:"company"`
	ExternalID   *string               `json:"external_id" doc:"The customer's id in your own systems."`
	Status       events.CustomerStatus `json:"status" enum:"pending,active,suspended,banned,deleted,erased"`
	HoldServices bool                  `json:"hold_services" doc:"Whether the domains are on hold with the account."`
	LastSignInAt *time.Time            `json:"last_sign_in_at"`
	LastSignInIP *string               `json:"last_sign_in_ip"`
	CreatedAt    time.Time             `json:"created_at"`
	Links        CustomerLinks         `json:"links"`
}

// CustomerLinks lead to everything that belongs to a customer.
type CustomerLinks struct {
	Self        string `json:"self"`
	Domains     string `json:"domains"`
	Log         string `json:"log"`
	Suspensions string `json:"suspensions"`
}

func customerPath(id uuid.UUID) string { return "/v1/customers/" + wireid.Format(wireid.Customer, id) }

func customerLinks(id uuid.UUID) CustomerLinks {
	self := customerPath(id)
	return CustomerLinks{Self: self, Domains: self + "/domains", Log: self + "/log", Suspensions: self + "/suspensions"}
}

// ListCustomersInput filters and orders the list of customers.
type ListCustomersInput struct {
	PageInput
	Query  string   `query:"q" maxLength:"100" doc:"Part of a name, username or email address; with fewer than three characters its beginning."`
	Status []string `query:"status,explode" enum:"pending,active,suspended,banned,deleted,erased" doc:"May be repeated. Without it deleted customers are left out."`
	Order  string   `query:"order" enum:"last_sign_in,created,username" default:"last_sign_in" doc:"The newest sign-in first, the newest customer first, or by username."`
}

// listCustomers handles GET /v1/customers.
func (s *Server) listCustomers(ctx context.Context, in *ListCustomersInput) (*PageOutput[CustomerRow], error) {
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	term, err := searchTerm(in.Query)
	if err != nil {
		return nil, err
	}
	statuses := slices.Clone(in.Status)
	slices.Sort(statuses)
	filter := projections.CustomerFilter{
		StoreID: callerOf(ctx).storeID, Query: term, Order: projections.CustomerOrder(in.Order), Limit: in.Limit,
	}
	for _, status := range slices.Compact(statuses) {
		filter.Statuses = append(filter.Statuses, events.CustomerStatus(status))
	}
	l := list{"customers", []any{term, filter.Statuses, in.Order}}
	var after projections.Cursor
	if resumed, err := s.resume(ctx, l, in.Cursor, &after); err != nil {
		return nil, err
	} else if resumed {
		filter.After = &after
	}
	found, next, err := s.queries.Customers(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]CustomerRow, len(found))
	for i, c := range found {
		rows[i] = customerRow(c)
	}
	if next == nil {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}

func customerRow(c projections.Customer) CustomerRow {
	return CustomerRow{
		Badge: c.Badge(), ID: wireid.Format(wireid.Customer, c.CustomerID),
		Name:  customerName(text(c.FirstName), text(c.LastName), text(c.Company), text(c.Username), text(c.Email)),
		Email: c.Email, Username: c.Username, Company: c.Company, ExternalID: c.ExternalID,
		Status: c.Status, HoldServices: c.HoldServices, LastSignInAt: c.LastSignInAt, LastSignInIP: c.LastSignInIP,
		CreatedAt: c.CreatedAt, Links: customerLinks(c.CustomerID),
	}
}

// customerName is what to call a customer: the first that there is.
func customerName(first, last, company, username, email string) string {
	name := strings.TrimSpace(first + " " + last)
	for _, other := range []string{company, username, email} {
		if name == "" {
			name = other
		}
	}
	return name
}

// loadCustomer folds a customer of the caller's store.
func (s *Server) loadCustomer(ctx context.Context, store, id uuid.UUID) (decider.Loaded[customer.State], error) {
	loaded, err := customer.Decider.Load(ctx, s.engine, store, events.CustomerStream(id))
	if err == nil && !loaded.State.Exists() {
		err = customer.ErrNotFound
	}
	return loaded, err
}
