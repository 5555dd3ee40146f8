package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// call is what the server knows of one request. It is made by the outermost
// middleware, which also reads it last, to log.
type call struct {
	requestID string
	method    string
	path      string
	host      string
	query     string
	header    http.Header
	answer    http.Header // of the answer
	body      []byte      // canonical JSON, nil without a body

	caller    *caller   // nil until authenticated
	commandID uuid.UUID // of a command, once it has one

	// asOf is when the read model was current that answers because the event
	// store is away; zero otherwise.
	asOf time.Time
}

type callKey struct{}

// callOf returns the call of a request. Every request has one.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{}
	}
	return c
}

// caller is who sent a request, as the credential says: a member of the team, or
// a customer in a session.
type caller struct {
	storeID uuid.UUID
	staffID uuid.UUID
	keyID   uuid.UUID
	role    events.Role
	source  events.Source

	customerID uuid.UUID
	sessionID  uuid.UUID
	scope      events.SessionScope
	recovered  bool // by a recovery code in the place of the app
	mustEnroll bool // the store requires a second factor, and they have none

	scopes []string // what limits their API key, nil for nothing

	// impersonation says that staffID is in a session of customerID, and within what
	// can be done there.
	impersonation uuid.UUID
	within        events.ImpersonationScope

	// policies are those of the store now; its defaults while the log is away.
	policies policy.Set
}

// actor is the caller as written into events. This is the only place that makes
// the actor of a request, and nothing that a request says can reach it.
func (c *caller) actor() events.Actor {
	if c.impersonation != uuid.Nil {
		return events.AsCustomer(c.customerID, c.staffID, c.impersonation)
	}
	if c.isCustomer() {
		return events.Customer(c.customerID, c.sessionID)
	}
	if c.sessionID != uuid.Nil {
		return events.Staff(c.staffID, c.sessionID)
	}
	return events.Reseller(c.staffID, c.keyID)
}

// isCustomer reports whether a customer sent the request, or somebody in a customer's
// session.
func (c *caller) isCustomer() bool { return c.customerID != uuid.Nil }

// actsOnOwn reports whether the caller may change what is the customer's.
func (c *caller) actsOnOwn() bool { return c.isCustomer() && c.within != events.ImpersonationReadOnly }

// principal is whose idempotency keys a request uses: the person's, whichever
// of their API keys or sessions they send.
func (c *caller) principal() string {
	if c.impersonation != uuid.Nil {
		return "staff:" + c.staffID.String() + ":" + c.customerID.String()
	}
	if c.isCustomer() {
		return "customer:" + c.customerID.String()
	}
	return "staff:" + c.staffID.String()
}

// may reports whether the caller's role has a permission, and their API key if they
// use one. Customers have no role: what they may do is a list of routes.
func (c *caller) may(p permission) bool {
	within := len(c.scopes) == 0 || p == permitSelf || slices.Contains(c.scopes, string(p))
	return !c.isCustomer() && allows(c.role, p) && within
}

// mayUse reports whether the caller may use a route, on something of their own.
func (c *caller) mayUse(rt route) bool {
	switch {
	case c.impersonation != uuid.Nil:
		return c.barred(rt) == ""
	case c.scope == events.ScopePassword && c.isCustomer():
		return slices.Contains(choosingRoutes, rt.method+" "+rt.path)
	case c.scope == events.ScopePassword:
		return slices.Contains(staffChoosingRoutes, rt.method+" "+rt.path)
	case c.isCustomer():
		return slices.Contains(customerRoutes, rt.method+" "+rt.path)
	}
	return c.may(rt.permission)
}

// callerOf returns the caller of an authenticated request.
func callerOf(ctx context.Context) *caller {
	if c := callOf(ctx).caller; c != nil {
		return c
	}
	return &caller{}
}

// netOf is where a request came from, as it is kept with what it causes.
func netOf(ctx context.Context) events.Net {
	return events.Net{IP: middleware.GetClientIP(ctx), UserAgent: cleanUserAgent(callOf(ctx).header.Get("User-Agent"))}
}

const maxUserAgent = 256

// cleanUserAgent keeps what is text, up to a limit: browsers send worse than we
// accept from people, and that is no reason to refuse a request.
func cleanUserAgent(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > maxUserAgent {
		text = string(runes[:maxUserAgent])
	}
	if clean, err := identity.Line(text, maxUserAgent); err == nil {
		return clean
	}
	return ""
}

// queryOf is what the query of a call says.
func queryOf(c *call) url.Values {
	values, err := url.ParseQuery(c.query)
	if err != nil {
		return url.Values{}
	}
	return values
}
