package api

import (
	"context"
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
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/wireid"
)

// RedeemInput presents the token of a link.
type RedeemInput struct {
	CommandContext
	Body struct {
		Token  string `json:"token" maxLength:"300" doc:"What stands behind the # of the link. It is used up by this, and by nothing else."`
		Cookie bool   `json:"cookie,omitempty" doc:"As in /v1/sign-in."`
	}
}

// redeem handles POST /v1/links/redeem.
func (s *Server) redeem(ctx context.Context, in *RedeemInput) (*SignInOutput, error) {
	token, err := onetime.Parse(in.Body.Token)
	if err != nil {
		return nil, login.ErrLinkOver
	}
	found, err := login.Decider.LoadAny(ctx, s.engine, events.LoginStream(token.HolderID()))
	if err != nil {
		return nil, err
	}
	link, known := found.State.Link(token.ID())
	r, err := s.visit(ctx, found.StoreID)
	if err != nil {
		return nil, err
	}
	slot, err := s.throttle.Take(ctx, r.At, throttle.Network(found.StoreID, netOf(ctx).IP))
	if err != nil {
		return nil, err
	}
	matches := s.links.Matches(token, tokenOf(found.StoreID, found.State.LoginID, link))
	if !known || !matches {
		return nil, login.ErrLinkOver
	}
	who, err := s.personOf(ctx, found.StoreID, found.State.CustomerID, found.State.StaffID)
	if err != nil {
		return nil, err
	}
	if !who.mayFollow() {
		return nil, login.ErrLinkOver
	}
	if err := slot.GiveBack(ctx); err != nil {
		return nil, err
	}
	r.Actor = who.actor(uuid.Nil)
	return s.follow(ctx, who, link, in.Body.Cookie, r)
}

// follow uses a link up, and then does what it is for. Of many who send it one gets
// through: the others find it used.
func (s *Server) follow(ctx context.Context, who identified, link login.Link, cookie bool, r decider.Request) (*SignInOutput, error) {
	stream := events.LoginStream(who.loginID())
	use := login.UseLink{LinkID: link.ID, Standing: who.standing(), Now: r.At}
	token := apitoken.NewSession()
	if link.Purpose.ChoosesPassword() {
		use.SessionID = token.ID()
	}
	if _, err := login.Decider.Handle(ctx, s.engine, stream, use, r); err != nil {
		return nil, err
	}
	r = r.Step("follow")
	customerStream := events.CustomerStream(who.account.State.ID)
	out := &SignInOutput{Body: SignedIn{Next: nextSignIn}}
	var err error
	switch link.Purpose {
	case events.LinkActivate:
		_, err = customer.Decider.Handle(ctx, s.engine, customerStream, customer.Activate{By: r.Actor, Proven: true}, r)
	case events.LinkEmailChange:
		_, err = customer.Decider.Handle(ctx, s.engine, customerStream, customer.ChangeEmail{Email: text(shown(link.Email))}, r)
	case events.LinkEmailUndo:
		// Who had the account by another's address is out.
		back := customer.ChangeEmail{Email: text(shown(link.Email)), Undo: true}
		if _, err = customer.Decider.Handle(ctx, s.engine, customerStream, back, r); err == nil {
			_, err = login.Decider.Handle(ctx, s.engine, stream, login.EndSessions{}, r.Step("end sessions"))
		}
	default:
		return s.beginChoosing(ctx, who, token, cookie, r)
	}
	return out, err
}

// choosingTime is how long a password may be chosen after the link was followed.
const choosingTime = 30 * time.Minute

// beginChoosing begins a session in which nothing can be done but to choose a
// password.
func (s *Server) beginChoosing(ctx context.Context, who identified, token apitoken.Token, cookie bool, r decider.Request) (*SignInOutput, error) {
	begun := s.newSession(token, who, r.StoreID, r, cookie)
	begun.row.ExpiresAt = r.At.Add(choosingTime).Truncate(time.Second)
	out, err := s.begin(ctx, begun, session.Open{
		SessionID: token.ID(), CustomerID: who.account.State.ID, StaffID: who.member.State.ID, LoginID: who.loginID(), Scope: events.ScopePassword, Method: events.MethodLink,
		Epoch: who.epoch(), TokenHash: token.Hash(), Idle: begun.row.Idle, ExpiresAt: begun.row.ExpiresAt,
	}, r.Step("session"))
	if err == nil {
		out.Body.Next = nextSetPassword
	}
	return out, err
}

// SetPasswordInput chooses a password after a link was followed, or sets a customer's.
type SetPasswordInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		New    string `json:"new_password" maxLength:"2000" doc:"What it must be like is a policy of the store. The session ends: sign in with it."`
		Repeat string `json:"repeat_password,omitempty" maxLength:"2000" doc:"The same once more, if the form has it."`
	}
}

var (
	errRepeat        = fault.New(fault.Invalid, "passwords_differ", "the two passwords differ").On("repeat_password", "differs from new_password")
	errStaffPassword = fault.New(fault.Invalid, "staff_password_never", "in this store the team sets no passwords: send a link").On("new_password", "is not accepted from the team")
	errNoLink        = fault.New(fault.Forbidden, "link_needed", "this is for who followed a link: use change-password")
)

// setPassword handles POST /v1/customers/{id}/set-password.
func (s *Server) setPassword(ctx context.Context, in *SetPasswordInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	if who.isCustomer() && who.scope != events.ScopePassword {
		return nil, errNoLink
	}
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	account, err := s.loadCustomer(ctx, who.storeID, id)
	if err != nil {
		return nil, err
	}
	if !who.isCustomer() && who.policies.Get(policy.StaffPassword) == policy.StaffPasswordNever {
		return nil, errStaffPassword
	}
	hash, err := s.newPassword(ctx, identified{account: account}, in.Body.New, in.Body.Repeat, who.policies)
	if err != nil {
		return nil, err
	}
	credential, scheme := uuid.New(), string(passwords.SchemeOf(hash))
	var set login.Command = login.ChoosePassword{SessionID: who.sessionID, CredentialID: credential, Hash: hash, Scheme: scheme}
	if !who.isCustomer() {
		cause := events.PasswordStaff
		if who.policies.Get(policy.StaffPassword) == policy.StaffPasswordTemporary {
			cause = events.PasswordTemporary
		}
		set = login.SetPassword{
			LoginID: account.State.LoginID, CustomerID: account.State.ID, CredentialID: credential, Hash: hash, Scheme: scheme, Cause: cause,
		}
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), set, r)
	if err != nil {
		return nil, err
	}
	if who.isCustomer() && waitsForLink(account.State, who.policies) {
		activate := customer.Activate{By: r.Actor, Proven: true}
		if _, err := customer.Decider.Handle(ctx, s.engine, events.CustomerStream(account.State.ID), activate, r.Step("activate")); err != nil {
			return nil, err
		}
	}
	return s.answer(in.ID, out, r), nil
}

// newPassword checks a new password and hashes it.
func (s *Server) newPassword(ctx context.Context, who identified, password, repeat string, policies policy.Set) (string, error) {
	if repeat != "" && repeat != password {
		return "", errRepeat
	}
	if err := passwordPolicy(policies).Check(password, who.person()); err != nil {
		return "", calling("password", "new_password", err)
	}
	return s.hasher.Hash(ctx, password)
}

// waitsForLink reports whether an account becomes usable by a link.
func waitsForLink(account customer.State, policies policy.Set) bool {
	return account.Status == events.StatusPending && policies.Get(policy.Activation) == policy.ActivationLink
}
