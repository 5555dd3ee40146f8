package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/wireid"
)

// sessionCookie is where a browser keeps the token of a session. The prefix makes
// browsers refuse it over plain HTTP, from another path and from a subdomain
// (RFC 6265bis, section 4.1.3.2).
const sessionCookie = "__Host-steward_session"

// staffCookie is where a browser keeps that of a member of the team. Both can be in
// one browser.
const staffCookie = "__Host-steward_staff"

// errCrossSite refuses a browser's request that another site may have made.
var errCrossSite = fault.New(fault.Forbidden, "cross_site_request", "a request with a cookie must come from the store's own pages")

// authenticateSession finds out whose session a token is. Everything but when it was
// last used comes from the log: a session that was ended, a login whose sessions
// were, and a customer who is shut out are out at once.
func (s *Server) authenticateSession(ctx context.Context, token apitoken.Token) (*caller, error) {
	ctx, cancel := context.WithTimeout(ctx, strongReadTimeout)
	defer cancel()
	now := s.clock.now()
	found, err := session.Decider.LoadAny(ctx, s.engine, events.SessionStream(token.ID()))
	if err != nil {
		return nil, err
	}
	matches := token.Matches(found.State.TokenHash)
	if !matches {
		return nil, errUnauthorized
	}
	who, err := s.personOf(ctx, found.StoreID, found.State.CustomerID, found.State.StaffID)
	if err != nil {
		return nil, err
	}
	open := who.active() || found.State.Scope == events.ScopePassword && who.mayFollow()
	if !found.State.Alive(now, who.epoch()) || !open {
		return nil, errUnauthorized
	}
	switch _, err := s.sessions.Touch(ctx, found.State.ID, now); {
	case errors.Is(err, sessions.ErrUnknown):
		return nil, errUnauthorized
	case err != nil:
		return nil, err
	}
	shop, err := store.Decider.Load(ctx, s.engine, found.StoreID, events.StoreStream(found.StoreID))
	if err != nil {
		return nil, err
	}
	if err := s.atHome(ctx, found.StoreID, shop.State.Hosts); err != nil {
		return nil, err
	}
	policies := shop.State.Policies.At(now)
	return &caller{
		storeID: found.StoreID, customerID: found.State.CustomerID, sessionID: found.State.ID,
		staffID: found.State.StaffID, role: who.member.State.Role,
		scope:      found.State.Scope,
		recovered:  slices.Contains(found.State.Methods, events.MethodRecovery),
		mustEnroll: found.State.Scope == "" && who.mustEnroll(policies),
		source:     events.SourceAPI, policies: policies,
	}, nil
}

// sameSite refuses a request with a cookie that changes something unless the
// browser says that it comes from this very site. A request that says neither
// where it comes from is refused too.
func sameSite(r *http.Request) error {
	if reads(r.Method) {
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		if site == "same-origin" {
			return nil
		}
		return errCrossSite
	}
	if origin := r.Header.Get("Origin"); origin == "https://"+r.Host {
		return nil
	}
	return errCrossSite
}

// SessionRow is a session in a list.
type SessionRow struct {
	ID         string    `json:"id" example:"ses_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	StartedAt  time.Time `json:"started_at"`
	LastUsedAt time.Time `json:"last_used_at" doc:"To the minute."`
	Current    bool      `json:"current" doc:"Whether it is the one that asks."`
}

// listSessions handles GET /v1/customers/{id}/sessions.
func (s *Server) listSessions(ctx context.Context, in *IDInput) (*PageOutput[SessionRow], error) {
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	account, err := s.loadCustomer(ctx, who.storeID, id)
	if err != nil {
		return nil, err
	}
	return s.sessionsOf(ctx, account.State.ID, uuid.Nil)
}

// sessionsOf is a page of the sessions of a customer, or else of a team member.
func (s *Server) sessionsOf(ctx context.Context, customerID, staffID uuid.UUID) (*PageOutput[SessionRow], error) {
	who := callerOf(ctx)
	person, err := s.personOf(ctx, who.storeID, customerID, staffID)
	if err != nil {
		return nil, err
	}
	rows, err := s.sessions.Of(ctx, who.storeID, person.id())
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	alive := []SessionRow{}
	for _, row := range rows {
		found, err := session.Decider.Load(ctx, s.engine, who.storeID, events.SessionStream(row.ID))
		if err != nil {
			return nil, err
		}
		if !found.State.Alive(now, person.epoch()) || found.State.Scope != "" || !now.Before(row.OverAt) {
			continue
		}
		alive = append(alive, SessionRow{
			ID: wireid.Format(wireid.Session, row.ID), StartedAt: row.StartedAt, LastUsedAt: row.LastUsedAt, Current: row.ID == who.sessionID,
		})
	}
	return page(ctx, s, list{"sessions", person.id()}, alive, nil)
}

// endSessions handles POST /v1/customers/{id}/end-sessions.
func (s *Server) endSessions(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	account, err := s.loadCustomer(ctx, r.StoreID, id)
	if err != nil {
		return nil, err
	}
	return s.endAll(ctx, identified{account: account}, in.ID, r)
}

// endAll ends all sessions of somebody.
func (s *Server) endAll(ctx context.Context, who identified, id string, r decider.Request) (*CommandOutput, error) {
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), login.EndSessions{}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(id, out, r), nil
}

// SignOutOutput ends a session and takes the cookie back.
type SignOutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		SessionID string `json:"session_id"`
	}
}

// errNoSession refuses to end the session of a caller who has none.
var errNoSession = fault.New(fault.Conflict, "no_session", "this credential is an API key: revoke it instead")

// signOut handles POST /v1/sign-out.
func (s *Server) signOut(ctx context.Context, _ *struct{ CommandContext }) (*SignOutOutput, error) {
	who := callerOf(ctx)
	if who.sessionID == uuid.Nil {
		return nil, errNoSession
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	end := session.End{Reason: events.EndedBySignOut}
	if _, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(who.sessionID), end, r); err != nil {
		return nil, err
	}
	of := forCustomers
	if !who.isCustomer() {
		of = forTeam
	}
	out := &SignOutOutput{SetCookie: []http.Cookie{cookie(of, "", -1)}}
	out.Body.SessionID = wireid.Format(wireid.Session, who.sessionID)
	return out, nil
}

// cookie is the cookie of a session. It has no lifetime of its own: the session
// ends on the server. A negative age removes it.
func cookie(of audience, token string, age int) http.Cookie {
	c := http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age,
	}
	if of == forTeam {
		c.Name, c.SameSite = staffCookie, http.SameSiteStrictMode
	}
	return c
}
