package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/impersonation"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/wireid"
)

// notAsCustomer lists what customers do themselves or not at all: their own secrets,
// sessions and address, what they vouch for, and what cannot be taken back.
var notAsCustomer = []string{
	"POST /v1/customers/{id}/end-sessions",
	"POST /v1/customers/{id}/change-password",
	"POST /v1/customers/{id}/set-password",
	"POST /v1/customers/{id}/request-email-change",
	"POST /v1/customers/{id}/review-details",
	"POST /v1/customers/{id}/two-factor/start",
	"POST /v1/customers/{id}/two-factor/confirm",
	"POST /v1/customers/{id}/two-factor/renew-codes",
	"POST /v1/customers/{id}/two-factor/disable",
	"POST /v1/customers/{id}/erase",
	"POST /v1/customers/{id}/cancel-erasure",
	"POST /v1/customers/{id}/export",
	"POST /v1/sign-out",
}

// notInSupport lists what the scope support leaves out beside that, wherever customers
// can do it.
var notInSupport = []string{
	"POST /v1/customers/{id}/change-email",
	"POST /v1/customers/{id}/change-username",
	"POST /v1/domains/{id}/push",
	"POST /v1/domains/{id}/push-preview",
}

// leaveRoute ends the session itself, in whatever scope.
const leaveRoute = "POST /v1/impersonations/end"

// sendLinkRoute is the team's, and open to it here for resets: customers have
// forgot-password.
const sendLinkRoute = "POST /v1/customers/{id}/send-link"

// barred says why a team member in a customer's session may not use a route; empty
// when they may.
func (c *caller) barred(rt route) events.ImpersonationRefusal {
	name := rt.method + " " + rt.path
	switch {
	case name == leaveRoute:
		return ""
	case slices.Contains(notAsCustomer, name), name != sendLinkRoute && !slices.Contains(customerRoutes, name):
		return events.RefusedAsCustomer
	case reads(rt.method):
		return ""
	case c.within == events.ImpersonationReadOnly, c.within == events.ImpersonationSupport && slices.Contains(notInSupport, name):
		return events.RefusedScope
	}
	return ""
}

var (
	errNotAsCustomer = fault.New(fault.Forbidden, "not_as_customer", "this is not for the team in a customer's session")
	errNotInScope    = fault.New(fault.Forbidden, "not_in_scope", "this session as a customer was asked for with a narrower scope")
)

// refuseUse answers a caller who may not use a route. In a customer's session the
// attempt is noted.
func (s *Server) refuseUse(ctx context.Context, rt route) error {
	who := callerOf(ctx)
	if who.impersonation == uuid.Nil {
		return errForbidden
	}
	return s.refuseAsCustomer(ctx, rt.method+" "+rt.path, who.barred(rt))
}

func (s *Server) refuseAsCustomer(ctx context.Context, route string, reason events.ImpersonationRefusal) error {
	refused := errNotAsCustomer
	if reason == events.RefusedScope {
		refused = errNotInScope
	}
	r := s.note(ctx)
	if r.DryRun {
		return refused
	}
	stream := events.ImpersonationStream(callerOf(ctx).impersonation)
	if _, err := impersonation.Decider.Handle(ctx, s.engine, stream, impersonation.Refuse{Route: route, Reason: reason, Now: r.At}, r); err != nil {
		return err
	}
	return refused
}

// viewTime is how long one note of what is read is good for.
const viewTime = 10 * time.Minute

// noteView notes that the customer's data is about to be read. What cannot be noted
// is not read.
func (s *Server) noteView(ctx context.Context, rt route) error {
	who := callerOf(ctx)
	if who.impersonation == uuid.Nil || !reads(rt.method) {
		return nil
	}
	r := s.note(ctx)
	r.DryRun = false
	_, err := impersonation.Decider.Handle(ctx, s.engine, events.ImpersonationStream(who.impersonation), impersonation.View{Now: r.At, Until: r.At.Add(viewTime)}, r)
	return err
}

// note is the request of what the server notes by itself about the one that came in.
func (s *Server) note(ctx context.Context) decider.Request {
	c, who := callOf(ctx), callerOf(ctx)
	command := uuid.New()
	return decider.Request{
		StoreID: who.storeID, Actor: who.actor(), Source: who.source, CommandID: command, Fingerprint: command.String(),
		RequestID: c.requestID, Net: netOf(ctx), At: s.clock.now(), DryRun: dryRun(c.query),
	}
}

// authenticateImpersonation finds out whose session as a customer a token is. As with
// customers' own, everything but when it was last used comes from the log.
func (s *Server) authenticateImpersonation(ctx context.Context, token apitoken.Token) (*caller, error) {
	ctx, cancel := context.WithTimeout(ctx, strongReadTimeout)
	defer cancel()
	now := s.clock.now()
	found, err := impersonation.Decider.LoadAny(ctx, s.engine, events.ImpersonationStream(token.ID()))
	if err != nil {
		return nil, err
	}
	matches := token.Matches(found.State.TokenHash)
	if !matches || !found.State.Alive(now) {
		return nil, errUnauthorized
	}
	account, policies, err := s.entitled(ctx, found)
	if err != nil {
		return nil, err
	}
	if account.Standing != found.State.Standing {
		return nil, errUnauthorized
	}
	switch _, err := s.sessions.Touch(ctx, found.State.ID, now); {
	case errors.Is(err, sessions.ErrUnknown):
		return nil, errUnauthorized
	case err != nil:
		return nil, err
	}
	callOf(ctx).answer.Set("Steward-Impersonation", wireid.Format(wireid.Impersonation, found.State.ID))
	return &caller{
		storeID: found.StoreID, customerID: found.State.CustomerID, staffID: found.State.StaffID,
		impersonation: found.State.ID, within: found.State.Scope,
		source: events.SourceAPI, policies: policies,
	}, nil
}

// entitled refuses an impersonation whose team member may not do that any more, or
// whose customer nobody may log in as. It returns the customer and the store's
// policies.
func (s *Server) entitled(ctx context.Context, found decider.Loaded[impersonation.State]) (customer.State, policy.Set, error) {
	member, err := staff.Decider.Load(ctx, s.engine, found.StoreID, events.StaffStream(found.State.StaffID))
	if err != nil {
		return customer.State{}, nil, err
	}
	if !member.State.Active || !allows(member.State.Role, permitCustomersImpersonate) {
		return customer.State{}, nil, errUnauthorized
	}
	if found.State.APIKeyID != uuid.Nil {
		key, err := apikey.Decider.Load(ctx, s.engine, found.StoreID, events.APIKeyStream(found.State.APIKeyID))
		if err != nil {
			return customer.State{}, nil, err
		}
		if !key.State.Valid(s.clock.now()) {
			return customer.State{}, nil, errUnauthorized
		}
	}
	shop, err := store.Decider.Load(ctx, s.engine, found.StoreID, events.StoreStream(found.StoreID))
	if err != nil {
		return customer.State{}, nil, err
	}
	if err := s.atHome(ctx, found.StoreID, shop.State.Hosts); err != nil {
		return customer.State{}, nil, err
	}
	account, err := customer.Decider.Load(ctx, s.engine, found.StoreID, events.CustomerStream(found.State.CustomerID))
	if err != nil {
		return customer.State{}, nil, err
	}
	policies := shop.State.Policies.At(s.clock.now())
	if mayBeEntered(account.State, policies) != nil {
		return customer.State{}, nil, errUnauthorized
	}
	return account.State, policies, nil
}

// enter notes the use of a session that has begun, and ends the earlier ones of the
// same person and customer.
func (s *Server) enter(ctx context.Context, state impersonation.State, begun impersonation.Redeem, r decider.Request) error {
	row := sessions.Session{
		ID: state.ID, StoreID: r.StoreID, CustomerID: holder(state), At: r.At, Idle: begun.Idle, ExpiresAt: begun.ExpiresAt,
	}
	if err := s.sessions.Begin(ctx, row); err != nil {
		return err
	}
	before, err := s.sessions.Oldest(ctx, r.At, r.StoreID, row.CustomerID, 1)
	if err != nil {
		return err
	}
	for _, id := range before {
		end := impersonation.End{Reason: events.ImpersonationReplaced}
		if _, err := impersonation.Decider.Handle(ctx, s.engine, events.ImpersonationStream(id), end, r.Step("end "+id.String())); err != nil {
			return err
		}
	}
	return s.sessions.Ended(ctx, before...)
}

// holder is under whom the use of such sessions is kept: neither the customer nor the
// team member, whose own sessions are counted and listed.
func holder(state impersonation.State) uuid.UUID {
	return uuid.NewSHA1(state.CustomerID, []byte("impersonation\x00"+state.StaffID.String()))
}

// impersonationCookie is where a browser keeps the token, beside that of a session of
// the customer's own or of the team's.
const impersonationCookie = "__Host-steward_impersonation"

// keptImpersonation is that cookie. A negative age removes it.
func keptImpersonation(token string, age int) http.Cookie {
	kept := cookie(forTeam, token, age)
	kept.Name = impersonationCookie
	return kept
}

// keeps reports whether a token is of the kind that a cookie is for.
func keeps(kept *http.Cookie, token apitoken.Token) bool {
	if kept.Name == impersonationCookie {
		return token.IsImpersonation()
	}
	return token.IsSession()
}
