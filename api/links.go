package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/wireid"
)

// linkTime is how long a link is good for.
func linkTime(purpose events.LinkPurpose, policies policy.Set) time.Duration {
	switch purpose {
	case events.LinkReset:
		return 30 * time.Minute
	case events.LinkEmailChange, events.LinkInvitation:
		return 24 * time.Hour
	case events.LinkEmailUndo:
		return login.UndoTime
	default:
		hours, err := strconv.Atoi(policies.Get(policy.WelcomeHours))
		if err != nil {
			hours = 24
		}
		return time.Duration(hours) * time.Hour
	}
}

// linkTo is the command that issues a link to somebody.
func linkTo(who identified, purpose events.LinkPurpose, policies policy.Set, version int, r decider.Request) login.IssueLink {
	return login.IssueLink{
		LoginID: who.loginID(), CustomerID: who.account.State.ID, StaffID: who.member.State.ID, LinkID: r.NewID("link", 0), Purpose: purpose,
		ExpiresAt: r.At.Add(linkTime(purpose, policies)).Truncate(time.Second), KeyVersion: version, Standing: who.standing(),
	}
}

// tokenOf is the link whose token was derived, of the login that issued it.
func tokenOf(store, loginID uuid.UUID, l login.Link) onetime.Link {
	return onetime.Link{Purpose: string(l.Purpose), StoreID: store, HolderID: loginID, ID: l.ID, Version: l.KeyVersion}
}

// mayFollow reports whether links lead somewhere for this customer.
func mayFollow(account customer.State) bool {
	return account.Status == events.StatusActive || account.Status == events.StatusPending
}

// ForgotPasswordInput asks for a link to reset a password.
type ForgotPasswordInput struct {
	StorefrontInput
	Body struct {
		Email string `json:"email" maxLength:"400" doc:"The address of the account. The link goes to it as it is stored." example:"ada@example.com"`
	}
}

// AcceptedOutput is the answer that is the same whatever follows.
type AcceptedOutput struct {
	Status int
	Body   struct {
		Status string `json:"status" enum:"accepted" doc:"The same whether the address is somebody's or not."`
	}
}

// forgotPassword handles POST /v1/forgot-password.
func (s *Server) forgotPassword(ctx context.Context, in *ForgotPasswordInput) (*AcceptedOutput, error) {
	return s.forgot(ctx, in, forCustomers)
}

// forgot issues a link to whoever of an audience has an address.
func (s *Server) forgot(ctx context.Context, in *ForgotPasswordInput, of audience) (*AcceptedOutput, error) {
	shop, err := s.storefront(ctx, in.StorefrontInput)
	if err != nil {
		return nil, err
	}
	r, err := s.visit(ctx, shop.id)
	if err != nil {
		return nil, err
	}
	email := strings.TrimSpace(in.Body.Email)
	_, err = s.throttle.Take(ctx, r.At, throttle.Reset(shop.id, of.bucket(email)), throttle.ResetNetwork(shop.id, netOf(ctx).IP))
	if err != nil {
		return nil, err
	}
	who, err := s.identify(ctx, shop, of, email)
	if err != nil {
		return nil, err
	}
	r.Actor = who.actor(uuid.Nil)
	// Either way there is one append: the time tells nothing.
	if who.mayFollow() {
		link := linkTo(who, events.LinkReset, shop.policies, s.links.Version(), r)
		_, err = login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), link, r)
	} else {
		id := apitoken.NewSession().ID()
		note := session.RefuseRecovery{
			SessionID: id, CustomerID: who.account.State.ID, StaffID: who.member.State.ID, Status: who.status(), VisitorID: events.VisitorID(shop.id, r.At), Name: nameOf(email),
		}
		_, err = session.Decider.Handle(ctx, s.engine, events.SessionStream(id), note, r)
	}
	if err != nil {
		return nil, err
	}
	out := &AcceptedOutput{Status: http.StatusAccepted}
	out.Body.Status = "accepted"
	return out, nil
}

// SendLinkInput sends a customer a link.
type SendLinkInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Purpose events.LinkPurpose `json:"purpose" enum:"welcome,set_password,activate,reset" doc:"What the link does: welcome and set_password lead to the first password, activate confirms the address of an account that its owner opened, reset leads to another password."`
	}
}

var (
	errChosen    = fault.New(fault.Conflict, "password_chosen", "the customer has chosen a password already: send a reset")
	errConfirmed = fault.New(fault.Conflict, "already_active", "the account is confirmed already")
)

// sendLink handles POST /v1/customers/{id}/send-link. Whoever asks never sees the link:
// it goes to the customer's address and nowhere else.
func (s *Server) sendLink(ctx context.Context, in *SendLinkInput) (*CommandOutput, error) {
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
	if callerOf(ctx).impersonation != uuid.Nil && in.Body.Purpose != events.LinkReset {
		return nil, s.refuseAsCustomer(ctx, sendLinkRoute, events.RefusedAsCustomer)
	}
	policies := callerOf(ctx).policies
	out, err := login.Decider.HandleFrom(ctx, s.engine, events.LoginStream(account.State.LoginID), func(_ context.Context, state login.State) (login.Command, error) {
		return linkTo(identified{account: account}, in.Body.Purpose, policies, s.links.Version(), r), mayBeSent(account.State, state, in.Body.Purpose)
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

// mayBeSent refuses a link that would lead nowhere.
func mayBeSent(account customer.State, credentials login.State, purpose events.LinkPurpose) error {
	switch {
	case !mayFollow(account):
		return customer.ErrShutOut
	case purpose == events.LinkActivate && account.Status != events.StatusPending:
		return errConfirmed
	case purpose != events.LinkReset && purpose.ChoosesPassword() && credentials.Chosen:
		return errChosen
	}
	return nil
}

// RequestEmailChangeInput asks for another address.
type RequestEmailChangeInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Email    string `json:"email" doc:"The new address: a link that confirms it is sent there." example:"ada@example.org"`
		Password string `json:"password" maxLength:"2000" doc:"The one in force."`
	}
}

// requestEmailChange handles POST /v1/customers/{id}/request-email-change.
func (s *Server) requestEmailChange(ctx context.Context, in *RequestEmailChangeInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	if !who.isCustomer() {
		return nil, errOwnEmail
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	account, err := s.loadCustomer(ctx, who.storeID, who.customerID)
	if err != nil {
		return nil, err
	}
	if err := s.provePassword(ctx, identified{account: account}, in.Body.Password, r); err != nil {
		return nil, err
	}
	if _, err := customer.Decide(account.State, customer.ChangeEmail{Email: in.Body.Email}); err != nil {
		return nil, err
	}
	link := linkTo(identified{account: account}, events.LinkEmailChange, who.policies, s.links.Version(), r)
	link.Email = strings.TrimSpace(in.Body.Email)
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), link, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

var errOwnEmail = fault.New(fault.Forbidden, "customer_only", "only customers ask for this; staff use change-email")
