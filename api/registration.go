package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/wireid"
)

// RegisterInput opens an account for whoever sends it.
type RegisterInput struct {
	StorefrontInput
	Body struct {
		Email    string       `json:"email" example:"ada@example.com"`
		Username string       `json:"username,omitempty" doc:"Whether it is needed is a policy of the store." example:"ada"`
		Password string       `json:"password" maxLength:"2000" doc:"What it must be like is a policy of the store."`
		Profile  ProfileInput `json:"profile,omitempty"`
	}
}

// RegisterOutput is the answer to a registration.
type RegisterOutput struct {
	Status int
	Body   struct {
		Status string `json:"status" enum:"accepted" doc:"The same whether the address was free or not: it tells nobody who has an account here."`
		Next   string `json:"next" enum:"sign_in,wait,follow_link" doc:"What comes next: signing in, waiting until the team confirms the account, or following the link that is sent to the address."`
	}
}

var errNoRegistration = fault.New(fault.Forbidden, "registration_closed", "accounts in this store are opened by its team")

// register handles POST /v1/register.
func (s *Server) register(ctx context.Context, in *RegisterInput) (*RegisterOutput, error) {
	shop, err := s.storefront(ctx, in.StorefrontInput)
	if err != nil {
		return nil, err
	}
	if !shop.policies.On(policy.Registration) {
		return nil, errNoRegistration
	}
	r, err := s.visit(ctx, shop.id)
	if err != nil {
		return nil, err
	}
	if _, err := s.throttle.Take(ctx, r.At, throttle.Network(shop.id, netOf(ctx).IP)); err != nil {
		return nil, err
	}
	account := NewCustomer{Email: in.Body.Email, Username: in.Body.Username, Profile: in.Body.Profile}
	if err := checkRegistration(shop, account, in.Body.Password); err != nil {
		return nil, err
	}
	hash, err := s.hasher.Hash(ctx, in.Body.Password)
	if err != nil {
		return nil, err
	}
	out := &RegisterOutput{Status: http.StatusAccepted}
	out.Body.Status, out.Body.Next = "accepted", "sign_in"
	switch shop.policies.Get(policy.Activation) {
	case policy.ActivationManual:
		out.Body.Next = "wait"
	case policy.ActivationLink:
		out.Body.Next = "follow_link"
	}
	id, err := s.openOwnAccount(ctx, shop, account, r)
	if err != nil {
		return out, hideTaken(err)
	}
	r.Actor = events.Customer(id, uuid.Nil)
	chosen := login.SetPassword{
		LoginID: loginID(id), CustomerID: id, CredentialID: uuid.New(), Hash: hash, Scheme: string(passwords.SchemeOf(hash)),
		Cause: events.PasswordRegistered,
	}
	if _, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(chosen.LoginID), chosen, r.Step("password")); err != nil {
		return nil, err
	}
	if shop.policies.Get(policy.Activation) == policy.ActivationAuto {
		return out, s.activate(ctx, id, r)
	}
	return out, nil
}

// checkRegistration names every field at fault.
func checkRegistration(shop storefront, account NewCustomer, password string) error {
	_, err := customer.Decide(customer.State{}, account.command(uuid.New(), events.OriginSelf, shop.policies))
	weak := passwordPolicy(shop.policies).Check(password, passwords.Person{
		Username: account.Username, Email: account.Email, StoreName: shop.name,
		Names: []string{
			text(shown(account.Profile.FirstName.value)), text(shown(account.Profile.LastName.value)), text(shown(account.Profile.Company.value)),
		},
	})
	f, ok := fault.As(err)
	w, isWeak := fault.As(weak)
	if ok && isWeak {
		for _, field := range w.Fields {
			f = f.On(field.Name, field.Message)
		}
		return f
	}
	return errors.Join(err, weak)
}

// passwordPolicy is what a store demands of new passwords.
func passwordPolicy(policies policy.Set) passwords.Policy {
	if policies.Get(policy.Passwords) == policy.PasswordsClassic {
		return passwords.Classic()
	}
	return passwords.NIST()
}

// openOwnAccount creates a customer who is themself the actor.
func (s *Server) openOwnAccount(ctx context.Context, shop storefront, account NewCustomer, r decider.Request) (uuid.UUID, error) {
	id := r.NewID(string(wireid.Customer), 0)
	r.Actor = events.Customer(id, uuid.Nil)
	command := account.command(id, events.OriginSelf, shop.policies)
	_, err := customer.Decider.Handle(ctx, s.engine, events.CustomerStream(id), command, r)
	return id, err
}

// hideTaken keeps from a visitor that an email address has an account. That a
// username is taken they must know to choose another.
func hideTaken(err error) error {
	f, ok := fault.As(err)
	if !ok || !errors.Is(err, uniq.ErrNameTaken) && !errors.Is(err, uniq.ErrNameReserved) {
		return err
	}
	kept := fault.New(f.Kind, f.Code, f.Message).After(f.RetryAfter)
	for _, field := range f.Fields {
		if field.Name != "email" {
			kept = kept.On(field.Name, field.Message)
		}
	}
	if len(kept.Fields) == 0 {
		return nil
	}
	return kept
}

// calling gives a field at fault the name that the caller knows.
func calling(field, name string, err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}
	renamed := fault.New(f.Kind, f.Code, f.Message).After(f.RetryAfter)
	for _, at := range f.Fields {
		if at.Name == field {
			at.Name = name
		}
		renamed = renamed.On(at.Name, at.Message)
	}
	return renamed
}

// ChangePasswordInput changes a password by who knows the one in force.
type ChangePasswordInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Current string `json:"current_password" maxLength:"2000"`
		New     string `json:"new_password" maxLength:"2000" doc:"What it must be like is a policy of the store. All sessions end."`
	}
}

var (
	errOwnPassword   = fault.New(fault.Forbidden, "customer_only", "only customers change their password by themselves")
	errWrongPassword = fault.New(fault.Forbidden, "wrong_password", "the password is wrong").On("password", "is wrong")
)

// provePassword lets somebody go on who knows their password. It is how everything
// dangerous begins: a session that was left open, or taken, does not have it.
func (s *Server) provePassword(ctx context.Context, who identified, password string, r decider.Request) error {
	slot, err := s.throttle.Take(ctx, r.At, provenBucket(r.StoreID, who.id()))
	if err != nil {
		return err
	}
	who.credentials, err = login.Decider.Load(ctx, s.engine, r.StoreID, events.LoginStream(who.loginID()))
	if err != nil {
		return err
	}
	refused, _, err := s.verify(ctx, who, password)
	switch {
	case errors.Is(err, passwords.ErrBusy):
		return errors.Join(err, slot.Unused(ctx))
	case err != nil:
		return err
	case refused != "":
		return errWrongPassword
	}
	return slot.GiveBack(ctx)
}

// provenBucket counts the passwords that are tried in somebody's sessions.
func provenBucket(store, id uuid.UUID) throttle.Bucket {
	return throttle.Account(store, "person\x00"+id.String())
}

// changePassword handles POST /v1/customers/{id}/change-password.
func (s *Server) changePassword(ctx context.Context, in *ChangePasswordInput) (*CommandOutput, error) {
	if !callerOf(ctx).isCustomer() {
		return nil, errOwnPassword
	}
	who, r, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	return s.changeTo(ctx, who, in.ID, in.Body.Current, in.Body.New, r)
}

// changeTo replaces the password of somebody who knows the one in force.
func (s *Server) changeTo(ctx context.Context, who identified, id, current, password string, r decider.Request) (*CommandOutput, error) {
	if err := s.provePassword(ctx, who, current, r); err != nil {
		return nil, calling("password", "current_password", err)
	}
	hash, err := s.newPassword(ctx, who, password, "", callerOf(ctx).policies)
	if err != nil {
		return nil, err
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), login.SetPassword{
		LoginID: who.loginID(), CustomerID: who.account.State.ID, StaffID: who.member.State.ID, CredentialID: uuid.New(), Hash: hash,
		Scheme: string(passwords.SchemeOf(hash)), Cause: events.PasswordChanged,
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(id, out, r), nil
}
