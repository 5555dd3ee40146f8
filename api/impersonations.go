package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/impersonation"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/wireid"
)

// grantTime is how long a grant waits for the browser that asked for it.
const grantTime = time.Minute

// ImpersonateInput asks to log in as a customer.
type ImpersonateInput struct {
	CommandContext
	ID   string `path:"id"`
	Body *struct {
		Reason   string                    `json:"reason,omitempty" doc:"Why, in up to 1000 characters, or as Steward-Reason. The store's policies say whether it is needed. It is kept with the event, encrypted, and customers do not see it."`
		Scope    events.ImpersonationScope `json:"scope,omitempty" enum:"read_only,support,full" default:"full" doc:"What can be done: nothing but reading; all but what cannot be taken back; or everything but what only customers do themselves."`
		Password string                    `json:"password,omitempty" maxLength:"2000" doc:"Yours, in a session."`
	}
}

// Grant is the answer with the secret.
type Grant struct {
	CommandAnswer
	Grant     string                    `json:"grant,omitempty" doc:"Good once and for a minute, at /v1/impersonations/redeem. Hand it to the new tab in the body of a form, never in an address."`
	Scope     events.ImpersonationScope `json:"scope"`
	ExpiresAt time.Time                 `json:"expires_at" doc:"When the grant ends."`
}

// ImpersonateOutput is the answer with the secret.
type ImpersonateOutput struct {
	Status   int
	Position string `header:"Steward-Position"`
	Location string `header:"Location"`
	Body     Grant
}

// errNotEntered refuses to log in as somebody who is shut out.
var errNotEntered = fault.New(fault.Conflict, "impersonation_denied", "in this store nobody logs in as a customer who is suspended or banned")

// impersonate handles POST /v1/customers/{id}/impersonate.
func (s *Server) impersonate(ctx context.Context, in *ImpersonateInput) (*ImpersonateOutput, error) {
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	scope, password := events.ImpersonationFull, ""
	if in.Body != nil {
		password = in.Body.Password
		if in.Body.Scope != "" {
			scope = in.Body.Scope
		}
		if in.Body.Reason != "" {
			if r.Reason, err = identity.Text(in.Body.Reason, 1000); err != nil {
				return nil, errBadReason.On("reason", err.Error())
			}
		}
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	if err := s.stepUp(ctx, password, r); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	account, err := s.loadCustomer(ctx, r.StoreID, id)
	if err != nil {
		return nil, err
	}
	if err := mayBeEntered(account.State, who.policies); err != nil {
		return nil, err
	}
	token := apitoken.NewImpersonation()
	issue := impersonation.Issue{
		ImpersonationID: token.ID(), CustomerID: id, StaffID: who.staffID, APIKeyID: who.keyID, Scope: scope, Prefix: token.Prefix(),
		ExpiresAt: r.At.Add(grantTime), KeyVersion: s.links.Version(), Standing: account.State.Standing,
		Explained: r.Reason != "", Required: who.policies.On(policy.ImpersonationReason),
	}
	out, err := impersonation.Decider.Handle(ctx, s.engine, events.ImpersonationStream(token.ID()), issue, r)
	if err != nil {
		return nil, err
	}
	a := s.created(wireid.Format(wireid.Impersonation, token.ID()), impersonationPath(token.ID()), out, r)
	granted := &ImpersonateOutput{
		Status: a.Status, Position: a.Position, Location: a.Location,
		Body: Grant{CommandAnswer: a.Body, Scope: scope, ExpiresAt: issue.ExpiresAt.UTC()},
	}
	if r.DryRun {
		return granted, nil
	}
	grant, err := s.links.Token(grantOf(r.StoreID, token.ID(), issue.KeyVersion))
	if err != nil {
		return nil, err
	}
	granted.Body.Grant = grant.Reveal()
	return granted, nil
}

func impersonationPath(id uuid.UUID) string {
	return "/v1/impersonations/" + wireid.Format(wireid.Impersonation, id)
}

// grantOf is what the secret of a grant is bound to.
func grantOf(store, id uuid.UUID, version int) onetime.Link {
	return onetime.Link{Purpose: "impersonation", StoreID: store, HolderID: id, ID: id, Version: version}
}

// mayBeEntered refuses to log in as somebody who is gone, or shut out where the store
// does not want that.
func mayBeEntered(account customer.State, policies policy.Set) error {
	switch account.Status {
	case events.StatusActive, events.StatusPending:
		return nil
	case events.StatusSuspended, events.StatusBanned:
		if policies.Get(policy.ImpersonateSuspended) == policy.ImpersonateAllow {
			return nil
		}
		return errNotEntered
	case events.StatusErased:
		return customer.ErrErased
	default:
		return customer.ErrDeleted
	}
}

// RedeemGrantInput presents a grant.
type RedeemGrantInput struct {
	CommandContext
	Body struct {
		Grant  string `json:"grant" maxLength:"300" doc:"It is used up by this."`
		Cookie bool   `json:"cookie,omitempty" doc:"For browsers: keep the session in a cookie of its own that scripts cannot read, instead of answering its token."`
	}
}

// Entered is a session of the team as a customer that has begun.
type Entered struct {
	ImpersonationID string                    `json:"impersonation_id" doc:"Every answer in the session has it as Steward-Impersonation, so that pages can say whose session they show." example:"imp_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	CustomerID      string                    `json:"customer_id" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Scope           events.ImpersonationScope `json:"scope"`
	Token           string                    `json:"token,omitempty" doc:"Send it as Authorization: Bearer. It is shown once."`
	IdleSeconds     int                       `json:"idle_seconds" doc:"How long the session lasts unused."`
	ExpiresAt       time.Time                 `json:"expires_at" doc:"When it ends in any case."`
}

// RedeemGrantOutput begins the session.
type RedeemGrantOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Header    string        `header:"Steward-Impersonation"`
	Body      Entered
}

// redeemGrant handles POST /v1/impersonations/redeem. Whatever is wrong with a grant
// is answered like a wrong password.
func (s *Server) redeemGrant(ctx context.Context, in *RedeemGrantInput) (*RedeemGrantOutput, error) {
	presented, err := onetime.Parse(strings.TrimSpace(in.Body.Grant))
	if err != nil {
		return nil, errCredentials
	}
	found, err := impersonation.Decider.LoadAny(ctx, s.engine, events.ImpersonationStream(presented.ID()))
	if err != nil {
		return nil, err
	}
	r, err := s.visit(ctx, found.StoreID)
	if err != nil {
		return nil, err
	}
	slot, err := s.throttle.Take(ctx, r.At, throttle.Network(found.StoreID, netOf(ctx).IP))
	if err != nil {
		return nil, err
	}
	matches := s.links.Matches(presented, grantOf(found.StoreID, found.State.ID, found.State.KeyVersion))
	if found.State.ID == uuid.Nil || !matches {
		return nil, errCredentials
	}
	account, _, err := s.entitled(ctx, found)
	if err != nil {
		return nil, overAsCredentials(err)
	}
	token := apitoken.Impersonation(found.State.Prefix)
	r.Actor = events.AsCustomer(found.State.CustomerID, found.State.StaffID, found.State.ID)
	use := impersonation.Redeem{
		Standing: account.Standing, TokenHash: token.Hash(), Idle: sessions.ImpersonationIdle,
		ExpiresAt: r.At.Add(sessions.ImpersonationAbsolute).Truncate(time.Second), Now: r.At,
	}
	// Of many who send it one gets through: the others find it used.
	if _, err := impersonation.Decider.Handle(ctx, s.engine, events.ImpersonationStream(found.State.ID), use, r); err != nil {
		return nil, overAsCredentials(err)
	}
	if err := s.enter(ctx, found.State, use, r); err != nil {
		return nil, err
	}
	if err := slot.GiveBack(ctx); err != nil {
		return nil, err
	}
	out := &RedeemGrantOutput{Header: wireid.Format(wireid.Impersonation, found.State.ID), Body: Entered{
		ImpersonationID: wireid.Format(wireid.Impersonation, found.State.ID),
		CustomerID:      wireid.Format(wireid.Customer, found.State.CustomerID), Scope: found.State.Scope,
		IdleSeconds: int(use.Idle / time.Second), ExpiresAt: use.ExpiresAt.UTC(),
	}}
	if in.Body.Cookie {
		out.SetCookie = []http.Cookie{keptImpersonation(token.Reveal(), 0)}
	} else {
		out.Body.Token = token.Reveal()
	}
	return out, nil
}

// overAsCredentials hides why a grant is not good.
func overAsCredentials(err error) error {
	if f, ok := fault.As(err); ok && f.Kind == fault.Unauthorized {
		return errCredentials
	}
	return err
}

// EndImpersonationInput ends a session of the team as a customer.
type EndImpersonationInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct{}
}

// errNoImpersonation refuses to leave a session that the caller is not in.
var errNoImpersonation = fault.New(fault.Conflict, "no_impersonation", "this credential is not that of a session as a customer: end one by its id")

// LeaveInput leaves the session that asks.
type LeaveInput struct {
	CommandInput
	Body *struct{}
}

// LeaveOutput ends the session that asks and takes the cookie back.
type LeaveOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      CommandAnswer
}

// leave handles POST /v1/impersonations/end.
func (s *Server) leave(ctx context.Context, _ *LeaveInput) (*LeaveOutput, error) {
	who := callerOf(ctx)
	if who.impersonation == uuid.Nil {
		return nil, errNoImpersonation
	}
	a, err := s.endImpersonation(ctx, who.impersonation, events.ImpersonationLeft)
	if err != nil {
		return nil, err
	}
	left := &LeaveOutput{Body: a.Body}
	if !a.Body.DryRun {
		left.SetCookie = []http.Cookie{keptImpersonation("", -1)}
	}
	return left, nil
}

// stopImpersonation handles POST /v1/impersonations/{id}/end.
func (s *Server) stopImpersonation(ctx context.Context, in *EndImpersonationInput) (*CommandOutput, error) {
	id, err := pathID(wireid.Impersonation, in.ID)
	if err != nil {
		return nil, err
	}
	return s.endImpersonation(ctx, id, events.ImpersonationStopped)
}

func (s *Server) endImpersonation(ctx context.Context, id uuid.UUID, reason events.ImpersonationEnd) (*CommandOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	out, err := impersonation.Decider.Handle(ctx, s.engine, events.ImpersonationStream(id), impersonation.End{Reason: reason}, r)
	if err != nil {
		return nil, err
	}
	if !r.DryRun {
		err = s.sessions.Ended(ctx, id)
	}
	return s.answer(wireid.Format(wireid.Impersonation, id), out, r), err
}

// ImpersonationDetail is a session of the team as a customer.
type ImpersonationDetail struct {
	ID         string                    `json:"id" example:"imp_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	CustomerID string                    `json:"customer_id" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	By         Actor                     `json:"by" doc:"Who it is or was."`
	Reason     string                    `json:"reason,omitempty" doc:"Why, as they wrote."`
	Scope      events.ImpersonationScope `json:"scope"`
	State      string                    `json:"state" enum:"granted,active,over" doc:"Whether the session has not begun, can act, or neither. One whose customer was shut out or whose team member lost the permission cannot act although it is active here."`
	IssuedAt   time.Time                 `json:"issued_at"`
	StartedAt  *time.Time                `json:"started_at"`
	ExpiresAt  time.Time                 `json:"expires_at" doc:"When the grant, or the session, ends in any case."`
	EndedAt    *time.Time                `json:"ended_at" doc:"When it was ended before its time."`
	EndReason  events.ImpersonationEnd   `json:"end_reason,omitempty" enum:"left,stopped,replaced"`
	Refused    int                       `json:"refused" doc:"How often something was tried that is not for such a session."`
	Links      map[string]string         `json:"links" doc:"To the customer, and to the log of all that was done in it."`
}

// ImpersonationOutput answers one.
type ImpersonationOutput struct {
	Body ImpersonationDetail
}

// getImpersonation handles GET /v1/impersonations/{id}.
func (s *Server) getImpersonation(ctx context.Context, in *IDInput) (*ImpersonationOutput, error) {
	id, err := pathID(wireid.Impersonation, in.ID)
	if err != nil {
		return nil, err
	}
	detail, err := s.impersonationDetail(ctx, id)
	if err != nil {
		return nil, err
	}
	return &ImpersonationOutput{detail}, nil
}

func (s *Server) impersonationDetail(ctx context.Context, id uuid.UUID) (ImpersonationDetail, error) {
	store := callerOf(ctx).storeID
	found, err := impersonation.Decider.LoadHistory(ctx, s.engine, store, events.ImpersonationStream(id))
	if err != nil {
		return ImpersonationDetail{}, err
	}
	if !found.Exists() {
		return ImpersonationDetail{}, impersonation.ErrNotFound
	}
	known := wireid.Format(wireid.Impersonation, id)
	detail := ImpersonationDetail{
		ID: known, CustomerID: wireid.Format(wireid.Customer, found.State.CustomerID), Scope: found.State.Scope,
		Links: map[string]string{
			"self": impersonationPath(id), "customer": customerPath(found.State.CustomerID), "log": "/v1/log?impersonation=" + known,
		},
	}
	if detail.By, err = s.actorOf(ctx, store, events.AsCustomer(found.State.CustomerID, found.State.StaffID, id)); err != nil {
		return detail, err
	}
	for _, env := range found.Events {
		at := env.Metadata.OccurredAt
		switch e := env.Event.(type) {
		case events.ImpersonationIssued:
			detail.IssuedAt, detail.ExpiresAt, detail.Reason = at, e.ExpiresAt, reasonText(env.Metadata.Reason)
		case events.ImpersonationRedeemed:
			detail.StartedAt, detail.ExpiresAt = &at, e.ExpiresAt
		case events.ImpersonationRefused:
			detail.Refused++
		case events.ImpersonationEnded:
			detail.EndedAt, detail.EndReason = &at, e.Reason
		}
	}
	detail.State, err = s.impersonationState(ctx, found.Loaded)
	return detail, err
}

// impersonationState is how far one is; whether it is used is not in the log.
func (s *Server) impersonationState(ctx context.Context, found decider.Loaded[impersonation.State]) (string, error) {
	now := s.clock.now()
	if found.State.TokenHash == "" {
		if !found.State.Ended && now.Before(found.State.GrantUntil) {
			return "granted", nil
		}
		return "over", nil
	}
	rows, err := s.sessions.Of(ctx, found.StoreID, holder(found.State))
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.ID == found.State.ID && now.Before(row.OverAt) && found.State.Alive(now) {
			return "active", nil
		}
	}
	return "over", nil
}
