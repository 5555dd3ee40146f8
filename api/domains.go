package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// DomainRow is a domain in a list.
type DomainRow struct {
	ID           string      `json:"id" example:"dom_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name         string      `json:"name" doc:"In lower-case ASCII." example:"example.com"`
	UnicodeName  string      `json:"unicode_name" doc:"As people write it."`
	CustomerID   string      `json:"customer_id" doc:"Who holds it."`
	ExpiresAt    time.Time   `json:"expires_at"`
	AutoRenew    bool        `json:"auto_renew"`
	Privacy      bool        `json:"privacy" doc:"Whether public lookups hide the contacts."`
	Locked       bool        `json:"locked" doc:"Whether it is locked against being transferred out."`
	RegisteredAt time.Time   `json:"registered_at"`
	Links        DomainLinks `json:"links"`
}

// DomainLinks lead to everything that belongs to a domain.
type DomainLinks struct {
	Self  string `json:"self"`
	Owner string `json:"owner"`
	Log   string `json:"log"`
}

func domainPath(id uuid.UUID) string { return "/v1/domains/" + wireid.Format(wireid.Domain, id) }

func domainLinks(id, owner uuid.UUID) DomainLinks {
	self := domainPath(id)
	return DomainLinks{Self: self, Owner: customerPath(owner), Log: self + "/log"}
}

// ListDomainsInput filters and orders the list of domains.
type ListDomainsInput struct {
	PageInput
	DomainFilterInput
	Customer string `query:"customer" doc:"Who holds them." example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
}

// DomainFilterInput is what lists of domains can be filtered and ordered by.
type DomainFilterInput struct {
	Query         string    `query:"q" maxLength:"100" doc:"Part of the name; with fewer than three characters its beginning."`
	AutoRenew     string    `query:"auto_renew" enum:"true,false"`
	Locked        string    `query:"locked" enum:"true,false"`
	Privacy       string    `query:"privacy" enum:"true,false"`
	ExpiresBefore time.Time `query:"expires_before" doc:"Those that expire before." example:"2027-01-01T00:00:00Z"`
	Order         string    `query:"order" enum:"name,expires" default:"name" doc:"Alphabetical, or the next to expire first."`
}

func (in DomainFilterInput) filter(store, owner uuid.UUID, limit int) (projections.DomainFilter, error) {
	term, err := searchTerm(in.Query)
	if ascii, bad := dnsname.Host(term); bad == nil {
		term = ascii // a name may be searched for as people write it
	}
	return projections.DomainFilter{
		StoreID: store, CustomerID: owner, Query: term, ExpiringBefore: in.ExpiresBefore,
		AutoRenew: choice(in.AutoRenew), Locked: choice(in.Locked), Privacy: choice(in.Privacy),
		Order: projections.DomainOrder(in.Order), Limit: limit,
	}, err
}

// choice is a filter by yes or no; the empty text does not filter.
func choice(text string) *bool {
	if text == "" {
		return nil
	}
	yes := text == "true"
	return &yes
}

// listDomains handles GET /v1/domains.
func (s *Server) listDomains(ctx context.Context, in *ListDomainsInput) (*PageOutput[DomainRow], error) {
	owner, err := filterID(wireid.Customer, "customer", in.Customer)
	if err != nil {
		return nil, err
	}
	return s.domainPage(ctx, in.PageInput, in.DomainFilterInput, owner)
}

// ListCustomerDomainsInput filters and orders the list of a customer's domains.
type ListCustomerDomainsInput struct {
	PageInput
	DomainFilterInput
	ID string `path:"id"`
}

// listCustomerDomains handles GET /v1/customers/{id}/domains.
func (s *Server) listCustomerDomains(ctx context.Context, in *ListCustomerDomainsInput) (*PageOutput[DomainRow], error) {
	owner, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := s.domainPage(ctx, in.PageInput, in.DomainFilterInput, owner)
	if err == nil && callerOf(ctx).recovered {
		out.Body.Notices = []Notice{{Code: "reset_2fa", Link: customerPath(owner) + "/two-factor/start"}}
	}
	return out, err
}

// knownCustomer reads the id of a customer who exists.
func (s *Server) knownCustomer(ctx context.Context, in ReadInput, text string) (uuid.UUID, error) {
	id, err := pathID(wireid.Customer, text)
	if err != nil {
		return uuid.Nil, err
	}
	store := callerOf(ctx).storeID
	return id, s.read(ctx, in, func(ctx context.Context) error {
		_, err := s.loadCustomer(ctx, store, id)
		return err
	}, func(ctx context.Context) error {
		_, found, err := s.queries.Customer(ctx, store, id)
		if err == nil && !found {
			err = customer.ErrNotFound
		}
		return err
	})
}

func (s *Server) domainPage(ctx context.Context, in PageInput, by DomainFilterInput, owner uuid.UUID) (*PageOutput[DomainRow], error) {
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	filter, err := by.filter(callerOf(ctx).storeID, owner, in.Limit)
	if err != nil {
		return nil, err
	}
	l := list{"domains", []any{owner, by}}
	var after projections.Cursor
	if resumed, err := s.resume(ctx, l, in.Cursor, &after); err != nil {
		return nil, err
	} else if resumed {
		filter.After = &after
	}
	found, next, err := s.queries.Domains(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]DomainRow, len(found))
	for i, d := range found {
		rows[i] = domainRow(d)
	}
	if next == nil {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}

func domainRow(d projections.Domain) DomainRow {
	return DomainRow{
		ID: wireid.Format(wireid.Domain, d.DomainID), Name: d.Name, UnicodeName: d.UnicodeName,
		CustomerID: wireid.Format(wireid.Customer, d.CustomerID), ExpiresAt: d.ExpiresAt, AutoRenew: d.AutoRenew,
		Privacy: d.Privacy, Locked: d.Locked, RegisteredAt: d.RegisteredAt, Links: domainLinks(d.DomainID, d.CustomerID),
	}
}
