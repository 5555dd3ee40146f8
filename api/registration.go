package api

import (
	"context"
	"errors"
	"net/http"
	"time"

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

// provePassword lets a customer go on who knows their password, and returns their
// login. It is how everything dangerous begins: a session that was left open, or
// taken, does not have it.
func (s *Server) provePassword(ctx context.Context, account decider.Loaded[customer.State], password string, now time.Time) (decider.Loaded[login.State], error) {
	id, store := account.State.ID, account.StoreID
	slot, err := s.throttle.Take(ctx, now, provenBucket(store, id))
	if err != nil {
		return decider.Loaded[login.State]{}, err
	}
	credentials, err := login.Decider.Load(ctx, s.engine, store, events.LoginStream(account.State.LoginID))
	if err != nil {
		return credentials, err
	}
	refused, _, err := s.verify(ctx, identified{account, credentials}, password)
	switch {
	case errors.Is(err, passwords.ErrBusy):
		return credentials, errors.Join(err, slot.Unused(ctx))
	case err != nil:
		return credentials, err
	case refused != "":
		return credentials, errWrongPassword
	}
	return credentials, slot.GiveBack(ctx)
}

// provenBucket counts the passwords that are tried in sessions of a customer.
func provenBucket(store, id uuid.UUID) throttle.Bucket {
	return throttle.Account(store, "customer\x00"+id.String())
}

// changePassword handles POST /v1/customers/{id}/change-password.
func (s *Server) changePassword(ctx context.Context, in *ChangePasswordInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	if !who.isCustomer() {
		return nil, errOwnPassword
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
	if _, err := s.provePassword(ctx, account, in.Body.Current, r.At); err != nil {
		return nil, calling("password", "current_password", err)
	}
	person := passwords.Person{Username: text(shown(account.State.Username)), Email: text(shown(account.State.Email))}
	if err := passwordPolicy(who.policies).Check(in.Body.New, person); err != nil {
		return nil, calling("password", "new_password", err)
	}
	hash, err := s.hasher.Hash(ctx, in.Body.New)
	if err != nil {
		return nil, err
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), login.SetPassword{
		LoginID: account.State.LoginID, CustomerID: who.customerID, CredentialID: uuid.New(), Hash: hash,
		Scheme: string(passwords.SchemeOf(hash)), Cause: events.PasswordChanged,
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}
