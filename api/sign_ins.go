package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// SignInRow is an attempt to sign in and what came of it.
type SignInRow struct {
	ID         string                    `json:"id" example:"evt_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Time       time.Time                 `json:"time"`
	Outcome    projections.SignInOutcome `json:"outcome" enum:"succeeded,failed"`
	Reason     events.RefusalReason      `json:"reason,omitempty" doc:"Why it failed. Neither customers nor whoever tried are told."`
	Status     events.CustomerStatus     `json:"status,omitempty" doc:"With the reason status: where the customer stood."`
	Methods    []events.AuthMethod       `json:"methods" doc:"What was shown or tried: pwd, otp, recovery." example:"[\"pwd\"]"`
	SessionID  string                    `json:"session_id" doc:"The session, or the attempt that came to none."`
	CustomerID *string                   `json:"customer_id" doc:"Null when the name is nobody's."`
	Name       string                    `json:"name,omitempty" doc:"The name that was given and is nobody's."`
	IP         string                    `json:"ip,omitempty" doc:"[erased] when the person was erased."`
	UserAgent  string                    `json:"user_agent,omitempty"`
	Links      map[string]string         `json:"links"`
}

// SignInFilterInput narrows a list of attempts to sign in.
type SignInFilterInput struct {
	Outcome string `query:"outcome" enum:"succeeded,failed"`
	Reason  string `query:"reason" enum:"unknown_name,wrong_password,no_password,unreadable_password,status,wrong_code,already_used" doc:"Why it failed. Not for customers."`
}

// ListSignInsInput is a page of all attempts to sign in.
type ListSignInsInput struct {
	PageInput
	SignInFilterInput
	Customer string `query:"customer" doc:"Only as this customer." example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
}

// ListCustomerSignInsInput is a page of the attempts to sign in as one customer.
type ListCustomerSignInsInput struct {
	PageInput
	SignInFilterInput
	ID string `path:"id"`
}

// listSignIns handles GET /v1/sign-ins.
func (s *Server) listSignIns(ctx context.Context, in *ListSignInsInput) (*PageOutput[SignInRow], error) {
	id, err := filterID(wireid.Customer, "customer", in.Customer)
	if err != nil {
		return nil, err
	}
	return s.signInPage(ctx, in.PageInput, in.SignInFilterInput, id)
}

// listCustomerSignIns handles GET /v1/customers/{id}/sign-ins.
func (s *Server) listCustomerSignIns(ctx context.Context, in *ListCustomerSignInsInput) (*PageOutput[SignInRow], error) {
	if callerOf(ctx).isCustomer() && in.Reason != "" {
		return nil, customer.ErrStaffOnly
	}
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	return s.signInPage(ctx, in.PageInput, in.SignInFilterInput, id)
}

func (s *Server) signInPage(ctx context.Context, in PageInput, by SignInFilterInput, of uuid.UUID) (*PageOutput[SignInRow], error) {
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	filter := projections.SignInFilter{
		StoreID: callerOf(ctx).storeID, CustomerID: of, Outcome: projections.SignInOutcome(by.Outcome),
		Reason: events.RefusalReason(by.Reason), Limit: in.Limit,
	}
	l := list{"sign_ins", []any{of, by}}
	if _, err := s.resume(ctx, l, in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	found, next, err := s.queries.SignIns(ctx, s.engine.Sealer, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]SignInRow, len(found))
	for i, e := range found {
		rows[i] = signIn(callerOf(ctx), e)
	}
	if next == (events.Position{}) {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}

// signIn is an attempt to sign in as the caller may see it.
func signIn(who *caller, e projections.LogEntry) SignInRow {
	id, _ := events.StreamID(e.Stream)
	row := SignInRow{
		ID: wireid.Format(wireid.Event, e.EventID), Time: e.OccurredAt, Outcome: projections.SignInFailed,
		Methods: []events.AuthMethod{events.MethodPassword}, SessionID: wireid.Format(wireid.Session, id),
		CustomerID: optionalID(wireid.Customer, e.CustomerID), Links: make(map[string]string),
	}
	switch event := e.Envelope.Event.(type) {
	case events.SessionStarted:
		row.Outcome, row.Methods = projections.SignInSucceeded, event.Methods
	case events.SessionRefused:
		row.Reason, row.Status, row.Name = event.Reason, event.Status, reasonText(event.Name)
	case events.SessionFactorRefused:
		row.Reason, row.Methods = event.Reason, []events.AuthMethod{event.Method}
	}
	if who.isCustomer() {
		row.Reason, row.Status = "", ""
	}
	if e.Envelope.Metadata.Net.IsErased() {
		row.IP = projections.ErasedText
	}
	if e.Net != nil {
		row.IP, row.UserAgent = e.Net.IP, e.Net.UserAgent
	}
	if path := idPath(e.CustomerID, customerPath); path != "" {
		row.Links["customer"] = path
	}
	return row
}
