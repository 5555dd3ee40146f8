package api

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/wireid"
)

// NewCustomer is an account to be opened.
type NewCustomer struct {
	Email            string             `json:"email" doc:"An address at which nobody else has an account." example:"ada@example.com"`
	Username         string             `json:"username,omitempty" doc:"3 to 64 letters a to z, digits, dots, dashes and underscores. Whether it is needed is a policy of the store." example:"ada"`
	ExternalID       string             `json:"external_id,omitempty" doc:"The customer's id in your own systems."`
	Profile          ProfileInput       `json:"profile,omitempty"`
	Send             events.LinkPurpose `json:"send,omitempty" enum:"welcome,set_password" doc:"A mail to send at once, with a link by which the customer chooses a password. Without it none is sent, unless accounts of this store become usable by one."`
	SecurityQuestion string             `json:"security_question,omitempty" maxLength:"1000" doc:"One that the account had in another system. It is never asked here, and can only be removed."`
	// Provisional is for staff: a registration does not offer it.
	Provisional bool `json:"email_provisional,omitempty" doc:"The address is a stand-in until the customer's own is known: see needs_email of the list."`
}

// ProfileInput sets fields of a profile. A field that is left out stays as it
// is; null or the empty text removes it.
type ProfileInput struct {
	FirstName  profileText `json:"first_name,omitzero"`
	LastName   profileText `json:"last_name,omitzero"`
	Company    profileText `json:"company,omitzero"`
	Phone      profileText `json:"phone,omitzero" example:"+49 30 1234567"`
	Street     profileText `json:"street,omitzero"`
	PostalCode profileText `json:"postal_code,omitzero"`
	City       profileText `json:"city,omitzero"`
	Region     profileText `json:"region,omitzero"`
	Country    profileText `json:"country,omitzero" doc:"Two letters (ISO 3166-1)." example:"DE"`
}

func (p ProfileInput) profile() events.Profile {
	return events.Profile{
		FirstName: p.FirstName.value, LastName: p.LastName.value, Company: p.Company.value, Phone: p.Phone.value,
		Street: p.Street.value, PostalCode: p.PostalCode.value, City: p.City.value, Region: p.Region.value, Country: p.Country.value,
	}
}

// profileText is a text, or null to remove it, or nothing to leave it alone.
type profileText struct{ value events.Personal }

// UnmarshalJSON reads a text or null.
func (t *profileText) UnmarshalJSON(data []byte) error {
	text := ""
	if !bytes.Equal(data, []byte("null")) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	t.value = events.Clear(text)
	return nil
}

// Schema describes it as a text that may be null.
func (profileText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// CreateCustomerInput opens an account.
type CreateCustomerInput struct {
	CommandInput
	Body NewCustomer
}

// createCustomer handles POST /v1/customers.
func (s *Server) createCustomer(ctx context.Context, in *CreateCustomerInput) (*CommandOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	id, out, err := s.openAccount(ctx, in.Body, events.OriginStaff, r)
	if err != nil {
		return nil, err
	}
	return s.created(wireid.Format(wireid.Customer, id), customerPath(id), out, r), nil
}

// openAccount creates a customer with an id that follows from the command.
func (s *Server) openAccount(ctx context.Context, n NewCustomer, origin events.Origin, r decider.Request) (uuid.UUID, decider.Outcome, error) {
	return customer.Decider.Create(ctx, s.engine, string(wireid.Customer), events.CustomerStream, func(id uuid.UUID) customer.Command {
		return n.command(id, origin, callerOf(ctx).policies)
	}, r)
}

func (n NewCustomer) command(id uuid.UUID, origin events.Origin, policies policy.Set) customer.Command {
	return customer.Create{
		CustomerID: id, LoginID: loginID(id), Origin: origin,
		Email: n.Email, Username: n.Username, ExternalID: n.ExternalID, Profile: n.Profile.profile(),
		Send: n.Send, SecurityQuestion: n.SecurityQuestion, Policies: policies, Provisional: n.Provisional,
	}
}

// loginID is the id of the login that comes with a customer, or a member of the team.
func loginID(person uuid.UUID) uuid.UUID { return uuid.NewSHA1(person, []byte("login")) }

// onCustomer handles a command on the customer in the path.
func (s *Server) onCustomer(ctx context.Context, text string, command customer.Command) (*CommandOutput, error) {
	return s.onCustomerIf(ctx, text, command, func(customer.State) error { return nil })
}

// onCustomerIf handles a command that permitted may refuse in some states.
func (s *Server) onCustomerIf(ctx context.Context, text string, command customer.Command, permitted func(customer.State) error) (*CommandOutput, error) {
	return s.onCustomerFrom(ctx, text, func(_ context.Context, state customer.State) (customer.Command, error) {
		return command, permitted(state)
	})
}

// onCustomerFrom handles a command that is made from the state.
func (s *Server) onCustomerFrom(ctx context.Context, text string, command func(context.Context, customer.State) (customer.Command, error)) (*CommandOutput, error) {
	id, err := pathID(wireid.Customer, text)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	out, err := customer.Decider.HandleFrom(ctx, s.engine, events.CustomerStream(id), command, r)
	if err != nil {
		return nil, err
	}
	return s.answer(text, out, r), nil
}

// EditCustomerInput changes the profile.
type EditCustomerInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Profile ProfileInput `json:"profile"`
	}
}

// editCustomer handles PATCH /v1/customers/{id}.
func (s *Server) editCustomer(ctx context.Context, in *EditCustomerInput) (*CommandOutput, error) {
	if len(callOf(ctx).header.Values("If-Match")) == 0 {
		return nil, errIfMatch
	}
	return s.onCustomer(ctx, in.ID, customer.EditProfile{Profile: in.Body.Profile.profile()})
}

// ChangeEmailInput changes an email address.
type ChangeEmailInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Email       string `json:"email" example:"ada@example.com"`
		Provisional bool   `json:"email_provisional,omitempty" doc:"The address is a stand-in. Without it the address counts as the customer's own, also one that was there before."`
	}
}

// changeCustomerEmail handles POST /v1/customers/{id}/change-email.
func (s *Server) changeCustomerEmail(ctx context.Context, in *ChangeEmailInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.ChangeEmail{Email: in.Body.Email, Provisional: in.Body.Provisional})
}

// ChangeUsernameInput changes a username.
type ChangeUsernameInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Username string `json:"username" doc:"The empty text removes it, where the store's policies allow that." example:"ada"`
	}
}

// changeCustomerUsername handles POST /v1/customers/{id}/change-username.
func (s *Server) changeCustomerUsername(ctx context.Context, in *ChangeUsernameInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.ChangeUsername{Username: in.Body.Username, Policies: callerOf(ctx).policies})
}

// ChangeExternalIDInput changes the id in the reseller's own systems.
type ChangeExternalIDInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		ExternalID string `json:"external_id" doc:"The empty text removes it." example:"crm-4711"`
	}
}

// changeCustomerExternalID handles POST /v1/customers/{id}/change-external-id.
func (s *Server) changeCustomerExternalID(ctx context.Context, in *ChangeExternalIDInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.ChangeExternalID{ExternalID: in.Body.ExternalID})
}

// activateCustomer handles POST /v1/customers/{id}/activate.
func (s *Server) activateCustomer(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.Activate{By: callerOf(ctx).actor()})
}

// removeSecurityQuestion handles POST /v1/customers/{id}/remove-security-question.
func (s *Server) removeSecurityQuestion(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.RemoveSecurityQuestion{By: callerOf(ctx).actor()})
}

// reviewDetails handles POST /v1/customers/{id}/review-details.
func (s *Server) reviewDetails(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	if !callerOf(ctx).isCustomer() {
		return nil, errOwnReview
	}
	return s.onCustomer(ctx, in.ID, customer.ReviewDetails{})
}

var errOwnReview = fault.New(fault.Forbidden, "customer_only", "only customers review their own details")

// ShutOutInput suspends or bans.
type ShutOutInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct {
		ReasonCode   events.ReasonCode `json:"reason_code,omitempty" enum:"fraud,customer_request,terms_violation,non_payment,other"`
		Reason       string            `json:"reason,omitempty" doc:"In your own words, up to 1000 characters. It is kept for ever, encrypted."`
		HoldServices *bool             `json:"hold_services,omitempty" doc:"Also put the domains on hold, or not. Without it the store's policy hold_services decides."`
	}
}

// suspendCustomer handles POST /v1/customers/{id}/suspend.
func (s *Server) suspendCustomer(ctx context.Context, in *ShutOutInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	c := customer.Suspend{By: who.actor(), Explained: explained(ctx), Policies: who.policies}
	if in.Body != nil {
		c.ReasonCode, c.Reason, c.HoldServices = in.Body.ReasonCode, in.Body.Reason, in.Body.HoldServices
	}
	return s.onCustomer(ctx, in.ID, c)
}

// banCustomer handles POST /v1/customers/{id}/ban.
func (s *Server) banCustomer(ctx context.Context, in *ShutOutInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	c := customer.Ban{By: who.actor(), Explained: explained(ctx), Policies: who.policies}
	if in.Body != nil {
		c.ReasonCode, c.Reason, c.HoldServices = in.Body.ReasonCode, in.Body.Reason, in.Body.HoldServices
	}
	return s.onCustomer(ctx, in.ID, c)
}

// explained reports whether a reason stands beside the command.
func explained(ctx context.Context) bool { return callOf(ctx).header.Get("Steward-Reason") != "" }

// ReactivateInput lets somebody back in.
type ReactivateInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct {
		ReleaseServices bool `json:"release_services,omitempty" doc:"Also take the domains off hold."`
	}
}

// reactivateCustomer handles POST /v1/customers/{id}/reactivate.
func (s *Server) reactivateCustomer(ctx context.Context, in *ReactivateInput) (*CommandOutput, error) {
	c := customer.Reactivate{By: callerOf(ctx).actor()}
	if in.Body != nil {
		c.ReleaseServices = in.Body.ReleaseServices
	}
	return s.onCustomerIf(ctx, in.ID, c, func(state customer.State) error {
		if p := reactivation(state); !callerOf(ctx).may(p) {
			return errForbidden
		}
		return nil
	})
}

// reactivation is the permission to let a customer back in: a ban is lifted by
// those who may ban.
func reactivation(state customer.State) permission {
	if state.Status == events.StatusBanned {
		return permitCustomersBan
	}
	return permitCustomersSuspend
}

// PlainInput is a command that needs nothing but the id.
type PlainInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct{}
}
