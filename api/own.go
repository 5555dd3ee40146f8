package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

// customerRoutes lists what customers may use: the same resources as the team, as
// far as they are their own. What is not here is denied.
var customerRoutes = []string{
	"GET /v1/customers/{id}",
	"PATCH /v1/customers/{id}",
	"GET /v1/customers/{id}/domains",
	"GET /v1/customers/{id}/log",
	"GET /v1/customers/{id}/sessions",
	"GET /v1/customers/{id}/sign-ins",
	"POST /v1/customers/{id}/end-sessions",
	"POST /v1/customers/{id}/change-password",
	"POST /v1/customers/{id}/set-password",
	"POST /v1/customers/{id}/review-details",
	"POST /v1/customers/{id}/request-email-change",
	"POST /v1/customers/{id}/erase",
	"POST /v1/customers/{id}/export",
	"POST /v1/customers/{id}/two-factor/start",
	"POST /v1/customers/{id}/two-factor/confirm",
	"POST /v1/customers/{id}/two-factor/renew-codes",
	"POST /v1/customers/{id}/two-factor/disable",
	"GET /v1/domains/{id}",
	"GET /v1/domains/{id}/log",
	"POST /v1/domains/{id}/set-auto-renew",
	"POST /v1/domains/{id}/set-lock",
	"POST /v1/domains/{id}/set-privacy",
	"POST /v1/domains/{id}/set-nameservers",
	"POST /v1/sign-out",
}

// What can be done in a session in which a password is to be chosen, by customers
// and by the team.
var (
	choosingRoutes      = []string{"POST /v1/customers/{id}/set-password", "POST /v1/sign-out"}
	staffChoosingRoutes = []string{"POST /v1/staff/me/set-password", "POST /v1/sign-out"}
)

// enrollingRoutes lists what can be done in the session of somebody who lacks the
// second factor that their store requires.
var enrollingRoutes = []string{
	"GET /v1/customers/{id}",
	"POST /v1/customers/{id}/two-factor/start",
	"POST /v1/customers/{id}/two-factor/confirm",
	"GET /v1/staff/me",
	"POST /v1/staff/me/two-factor/start",
	"POST /v1/staff/me/two-factor/confirm",
	"POST /v1/sign-out",
}

// customerActions are those of a customer's actions that a customer is offered:
// the ones that customerRoutes has.
var customerActions = []customer.Action{customer.ActionEditProfile, customer.ActionErase}

// me is how a customer may write their own id.
const me = "me"

// owned lets a customer reach what is theirs, and nothing else: everything else
// answers as if it did not exist. The decision is made on the log, so what was
// pushed away is out of reach with the next request.
func (s *Server) owned(ctx context.Context, rt route, r *http.Request) error {
	who := callerOf(ctx)
	if !who.isCustomer() {
		return nil
	}
	text := r.PathValue("id")
	switch {
	case strings.HasPrefix(rt.path, "/v1/customers/{id}"):
		own := wireid.Format(wireid.Customer, who.customerID)
		if text == me {
			r.SetPathValue("id", own)
		} else if text != own {
			return customer.ErrNotFound
		}
	case strings.HasPrefix(rt.path, "/v1/domains/{id}"):
		id, err := pathID(wireid.Domain, text)
		if err != nil {
			return domain.ErrNotFound
		}
		return s.ownsDomain(ctx, id)
	}
	return nil
}

func (s *Server) ownsDomain(ctx context.Context, id uuid.UUID) error {
	who := callerOf(ctx)
	loaded, err := domain.Decider.Load(ctx, s.engine, who.storeID, events.DomainStream(id))
	if err == nil && loaded.State.CustomerID != who.customerID {
		err = domain.ErrNotFound
	}
	return err
}
