package api

import (
	"context"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// ListImpersonationsInput is a page of the team's sessions as customers.
type ListImpersonationsInput struct {
	PageInput
	Customer string `query:"customer" doc:"Only as this customer." example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Staff    string `query:"staff" doc:"Only of this team member." example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
}

// listImpersonations handles GET /v1/impersonations.
func (s *Server) listImpersonations(ctx context.Context, in *ListImpersonationsInput) (*PageOutput[ImpersonationDetail], error) {
	var filter projections.ImpersonationFilter
	var err error
	if filter.CustomerID, err = filterID(wireid.Customer, "customer", in.Customer); err != nil {
		return nil, err
	}
	if filter.StaffID, err = filterID(wireid.Staff, "staff", in.Staff); err != nil {
		return nil, err
	}
	return s.impersonationPage(ctx, in.PageInput, filter)
}

// ListCustomerImpersonationsInput is a page of those as one customer.
type ListCustomerImpersonationsInput struct {
	PageInput
	ID string `path:"id"`
}

// listCustomerImpersonations handles GET /v1/customers/{id}/impersonations.
func (s *Server) listCustomerImpersonations(ctx context.Context, in *ListCustomerImpersonationsInput) (*PageOutput[ImpersonationDetail], error) {
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	return s.impersonationPage(ctx, in.PageInput, projections.ImpersonationFilter{CustomerID: id})
}

// impersonationPage finds a page in the read models, and what came of each in the log.
func (s *Server) impersonationPage(ctx context.Context, in PageInput, filter projections.ImpersonationFilter) (*PageOutput[ImpersonationDetail], error) {
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	filter.StoreID, filter.Limit = callerOf(ctx).storeID, in.Limit
	l := list{"impersonations", []any{filter.CustomerID, filter.StaffID}}
	if _, err := s.resume(ctx, l, in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	ids, next, err := s.queries.Impersonations(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]ImpersonationDetail, len(ids))
	for i, id := range ids {
		if rows[i], err = s.impersonationDetail(ctx, id); err != nil {
			return nil, err
		}
	}
	if next == (events.Position{}) {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}
