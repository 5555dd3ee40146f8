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
	Name         string                `json:"name" doc:"First and last name, or the company, or the username. [erased] of somebody who was erased."`
	Email        *string               `json:"email"`
	Username     *string               `json:"username"`
	Company      *string               `json:"company"`
	ExternalID   *string               `json:"external_id" doc:"The customer's id in your own systems."`
	Status       events.CustomerStatus `json:"status" enum:"pending,active,suspended,banned,deleted,erased"`
	HoldServices bool                  `json:"hold_services" doc:"Whether the domains are on hold with the account."`
	TwoFactor    string                `json:"two_factor" enum:"Enabled,Disabled" doc:"Two-factor authentication."`
	Provisional  bool                  `json:"email_provisional" doc:"Whether the email address is a stand-in until the customer's own is known."`
	Tags         []string              `json:"tags" doc:"What the team sorts the customer under."`
	LastSignInAt *time.Time            `json:"last_sign_in_at" doc:"When the customer last signed in themself. Null for never."`
	LastSignInIP *string               `json:"last_sign_in_ip" doc:"From where that was."`
	CreatedAt    time.Time             `json:"created_at"`
	Links        CustomerLinks         `json:"links"`
}

// CustomerLinks lead to everything that belongs to a customer.
type CustomerLinks struct {
	Self        string `json:"self"`
	Domains     string `json:"domains"`
	Log         string `json:"log"`
	Suspensions string `json:"suspensions"`
	SignIns     string `json:"sign_ins"`
	Notes       string `json:"notes,omitempty" doc:"Of the team, which customers do not see."`
}

func customerPath(id uuid.UUID) string { return "/v1/customers/" + wireid.Format(wireid.Customer, id) }

func customerLinks(id uuid.UUID) CustomerLinks {
	self := customerPath(id)
	return CustomerLinks{Self: self, Domains: self + "/domains", Log: self + "/log", Suspensions: self + "/suspensions", SignIns: self + "/sign-ins", Notes: self + "/notes"}
}

// ListCustomersInput filters and orders the list of customers.
type ListCustomersInput struct {
	PageInput
	Query      string   `query:"q" maxLength:"100" doc:"Part of a name, username or email address; with fewer than three characters its beginning."`
	Status     []string `query:"status,explode" enum:"pending,active,suspended,banned,deleted,erased" doc:"May be repeated. Without it deleted customers are left out."`
	TwoFactor  string   `query:"two_factor" enum:"enabled,disabled" doc:"Only those with two-factor authentication, or only those without."`
	NeedsEmail bool     `query:"needs_email" doc:"Only those whose email address is provisional."`
	Tag        string   `query:"tag" maxLength:"32" doc:"Only those under this tag." example:"vip"`
	Order      string   `query:"order" enum:"last_sign_in,created,username" default:"last_sign_in" doc:"The newest sign-in first, the newest customer first, or by username."`
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
	filter.Provisional, filter.Tag = in.NeedsEmail, in.Tag
	if in.TwoFactor != "" {
		with := in.TwoFactor == "enabled"
		filter.TwoFactor = &with
	}
	l := list{"customers", []any{term, filter.Statuses, in.Order, in.TwoFactor, in.NeedsEmail, in.Tag}}
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
	from, err := s.queries.LastSignIns(ctx, s.engine.Sealer, filter.StoreID, found...)
	if err != nil {
		return nil, err
	}
	rows := make([]CustomerRow, len(found))
	for i, c := range found {
		rows[i] = customerRow(c, from)
	}
	if next == nil {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}

// customerRow is a customer with where they last signed in from.
func customerRow(c projections.Customer, from map[uuid.UUID]events.Net) CustomerRow {
	return CustomerRow{
		Badge: c.Badge(), ID: wireid.Format(wireid.Customer, c.CustomerID),
		Name:  customerName(c.Status, text(c.FirstName), text(c.LastName), text(c.Company), text(c.Username), text(c.Email)),
		Email: c.Email, Username: c.Username, Company: c.Company, ExternalID: c.ExternalID,
		Status: c.Status, HoldServices: c.HoldServices, TwoFactor: onOff(c.TwoFactor), Provisional: c.EmailProvisional, Tags: c.Tags,
		LastSignInAt: c.LastSignInAt, LastSignInIP: addressOf(from, c.CustomerID),
		CreatedAt: c.CreatedAt, Links: customerLinks(c.CustomerID),
	}
}

// onOff is whether two-factor authentication is on, in the words of its users.
func onOff(on bool) string {
	if on {
		return "Enabled"
	}
	return "Disabled"
}

func addressOf(from map[uuid.UUID]events.Net, id uuid.UUID) *string {
	net, known := from[id]
	if !known {
		return nil
	}
	return &net.IP
}

// customerName is what to call a customer: the first that there is.
func customerName(status events.CustomerStatus, first, last, company, username, email string) string {
	if status == events.StatusErased {
		return projections.ErasedText
	}
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
