package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// CustomerDetail is everything about one customer.
type CustomerDetail struct {
	Badge            projections.Badge  `json:"badge" enum:"green,yellow,red,"`
	ID               string             `json:"id" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name             string             `json:"name"`
	Email            *string            `json:"email"`
	Username         *string            `json:"username"`
	Provisional      bool               `json:"email_provisional" doc:"Whether the email address is a stand-in until the customer's own is known."`
	ExternalID       *string            `json:"external_id"`
	Tags             *[]string          `json:"tags,omitempty" doc:"What the team sorts the customer under. Customers do not see it."`
	Status           CustomerStatus     `json:"status"`
	Login            CustomerLogin      `json:"login"`
	SecurityQuestion bool               `json:"security_question" doc:"Whether the account brought a security question along from another system. It is never asked."`
	Onboarding       string             `json:"onboarding,omitempty" enum:"password_required,review_details,ready" doc:"What a customer still has to do whose account the team opened: follow the link and choose a password, then look at their details. Left out while that cannot be known."`
	TwoFactor        string             `json:"two_factor,omitempty" enum:"Enabled,Disabled" doc:"Two-factor authentication. Left out while that cannot be known."`
	RecoveryCodes    *int               `json:"recovery_codes_left,omitempty" doc:"With two-factor authentication: how many recovery codes are left."`
	Profile          ProfileView        `json:"profile"`
	Origin           events.Origin      `json:"origin" enum:"staff,self,checkout,import" doc:"How the account came to be."`
	CreatedAt        time.Time          `json:"created_at"`
	UpdatedAt        time.Time          `json:"updated_at"`
	Revision         int64              `json:"revision" doc:"The version of all this. As an ETag it reads \"r<revision>\"."`
	Erasure          *ErasureView       `json:"erasure,omitempty" doc:"Of a customer who is about to be erased, or was."`
	Links            CustomerLinks      `json:"links"`
	AvailableActions *[]customer.Action `json:"available_actions,omitempty" doc:"What you could do to the customer now with an effect. Left out while that cannot be known."`
}

// CustomerStatus is where a customer stands, and since when, why and by whom.
type CustomerStatus struct {
	Value        events.CustomerStatus `json:"value" enum:"pending,active,suspended,banned,deleted,erased"`
	Label        string                `json:"label" doc:"The same in words, or what the store calls it." example:"Suspended"`
	Since        time.Time             `json:"since"`
	By           Actor                 `json:"by"`
	ReasonCode   events.ReasonCode     `json:"reason_code,omitempty"`
	Reason       string                `json:"reason,omitempty" doc:"What was written when the customer was suspended or banned."`
	HoldServices bool                  `json:"hold_services" doc:"Whether the domains are on hold with the account."`
}

// statusLabel is a status in words.
func statusLabel(policies policy.Set, status events.CustomerStatus) string {
	if status == events.StatusSuspended {
		return policies.Get(policy.SuspendedLabel)
	}
	return strings.ToUpper(string(status[:1])) + string(status[1:])
}

// ProfileView is what a customer is called and where they can be reached.
type ProfileView struct {
	FirstName  *string `json:"first_name"`
	LastName   *string `json:"last_name"`
	Company    *string `json:"company"`
	Phone      *string `json:"phone"`
	Street     *string `json:"street"`
	PostalCode *string `json:"postal_code"`
	City       *string `json:"city"`
	Region     *string `json:"region"`
	Country    *string `json:"country"`
}

// IDInput names one thing in the path.
type IDInput struct {
	ReadInput
	ID string `path:"id"`
}

// CustomerOutput is the answer with one customer.
type CustomerOutput struct {
	ETag string `header:"ETag"`
	Body CustomerDetail
}

// getCustomer handles GET /v1/customers/{id}.
func (s *Server) getCustomer(ctx context.Context, in *IDInput) (out *CustomerOutput, err error) {
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	store := callerOf(ctx).storeID
	err = s.read(ctx, in.ReadInput, func(ctx context.Context) error {
		history, err := customer.Decider.LoadHistory(ctx, s.engine, store, events.CustomerStream(id))
		switch {
		case err != nil:
			return err
		case !history.State.Exists():
			return customer.ErrNotFound
		}
		out, err = s.customerFromLog(ctx, history)
		return err
	}, func(ctx context.Context) error {
		row, found, err := s.queries.Customer(ctx, store, id)
		if err != nil {
			return err
		}
		if !found {
			return customer.ErrNotFound
		}
		out, err = s.customerFromRow(ctx, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, in.ReadInput); err != nil { // the log alone does not tell of sign-ins
		return nil, err
	}
	out.Body.Login.SignInFacts, err = s.signInFacts(ctx, store, id, out.Body)
	if err != nil && faultOf(err).Kind == fault.Unavailable {
		s.log.WarnContext(ctx, "a customer is shown without their sign-ins", "request_id", callOf(ctx).requestID, "err", err)
		err = nil
	}
	return out, err
}

// customerFromLog is the detail as of the last event of the customer's stream.
func (s *Server) customerFromLog(ctx context.Context, history decider.History[customer.State]) (*CustomerOutput, error) {
	state, who := history.State, callerOf(ctx)
	d := CustomerDetail{
		Badge: projections.Customer{Status: state.Status}.Badge(), ID: wireid.Format(wireid.Customer, state.ID),
		Email: shown(state.Email), Username: shown(state.Username), ExternalID: shown(state.ExternalID),
		Provisional: state.Provisional, Login: CustomerLogin{ID: wireid.Format(wireid.Login, state.LoginID)}, Profile: profileView(state.Profile),
		Revision: int64(history.Revision), Links: customerLinks(state.ID),
	}
	d.Tags = &[]string{}
	if state.Tags != nil {
		d.Tags = &state.Tags
	}
	d.Name, d.Erasure = customerName(state.Status, text(d.Profile.FirstName), text(d.Profile.LastName), text(d.Profile.Company), text(d.Username), text(d.Email)), erasureView(state)
	d.Status = CustomerStatus{Value: state.Status, Label: statusLabel(who.policies, state.Status), HoldServices: state.Hold}
	var by events.Actor
	for _, env := range history.Events {
		s.clock.saw(env.Metadata.OccurredAt)
		if e, ok := env.Event.(events.CustomerCreated); ok {
			d.CreatedAt, d.Origin = env.RecordedAt, e.Origin
		}
		d.UpdatedAt = env.RecordedAt
		if d.Status.follow(env) {
			by = env.Metadata.Actor
		}
	}
	actor, err := s.actorOf(ctx, history.StoreID, by)
	if err != nil {
		return nil, err
	}
	d.Status.By = actor
	credentials, err := login.Decider.Load(ctx, s.engine, history.StoreID, events.LoginStream(state.LoginID))
	if err != nil {
		return nil, err
	}
	d.SecurityQuestion = state.SecurityQuestion
	d.Onboarding = onboarding(state, credentials.State)
	actions := permittedActions(who, state, s.clock.now())
	if d.TwoFactor = onOff(credentials.State.TwoFactor.Enabled); credentials.State.TwoFactor.Enabled {
		left := credentials.State.TwoFactor.Remaining()
		d.RecoveryCodes = &left
		if who.isCustomer() || who.may(permitCustomersSuspend) && who.policies.On(policy.StaffDisableTwoFactor) {
			actions = append(actions, actionDisableTwoFactor)
		}
	}
	d.AvailableActions = &actions
	return &CustomerOutput{ETag: etag(history.Revision), Body: d.to(who)}, nil
}

// onboarding is what a customer still has to do.
func onboarding(account customer.State, credentials login.State) string {
	switch {
	case !credentials.Chosen:
		return "password_required"
	case credentials.Welcomed && !account.Reviewed:
		return "review_details"
	default:
		return "ready"
	}
}

// to leaves out what the caller is not to see: the team's own remarks.
func (d CustomerDetail) to(who *caller) CustomerDetail {
	if who.isCustomer() {
		d.Tags, d.Links.Notes = nil, ""
	}
	return d
}

// follow takes over what an event says of the status, and reports whether it
// set it.
func (c *CustomerStatus) follow(env events.Envelope) bool {
	switch e := env.Event.(type) {
	case events.CustomerCreated, events.CustomerActivated:
	case events.CustomerReactivated:
		c.ReasonCode, c.Reason = "", ""
	case events.CustomerSuspended:
		c.ReasonCode, c.Reason = e.ReasonCode, reasonText(e.Reason)
	case events.CustomerBanned:
		c.ReasonCode, c.Reason = e.ReasonCode, reasonText(e.Reason)
	case events.CustomerDeleted, events.CustomerRestored:
	case events.CustomerErasureRequested, events.CustomerErasureCancelled:
	case events.CustomerErased:
		*c = CustomerStatus{Value: c.Value, Label: c.Label, HoldServices: c.HoldServices}
	default:
		return false
	}
	c.Since = env.RecordedAt
	return true
}

func reasonText(p events.Personal) string {
	if p.IsErased() {
		return projections.ErasedText
	}
	text, _ := p.Reveal()
	return text
}

// customerFromRow is the detail as the list shows it. Phone and address are in
// the log alone.
func (s *Server) customerFromRow(ctx context.Context, c projections.Customer) (*CustomerOutput, error) {
	row := customerRow(c, nil)
	actor := events.Actor{Kind: c.StatusActorKind, ID: c.StatusActorID}
	if c.StatusStaffID != nil {
		actor.StaffID = *c.StatusStaffID
	}
	by, err := s.actorFromRows(ctx, c.StoreID, actor)
	if err != nil {
		return nil, err
	}
	d := CustomerDetail{
		Badge: row.Badge, ID: row.ID, Name: row.Name, Email: row.Email, Username: row.Username, ExternalID: row.ExternalID,
		Provisional: c.EmailProvisional, Tags: &c.Tags,
		Status: CustomerStatus{
			Value: c.Status, Label: statusLabel(callerOf(ctx).policies, c.Status), Since: c.StatusSince, By: by, ReasonCode: c.ReasonCode, HoldServices: c.HoldServices,
		},
		Login:   CustomerLogin{ID: wireid.Format(wireid.Login, c.LoginID)},
		Profile: ProfileView{FirstName: c.FirstName, LastName: c.LastName, Company: c.Company, Country: c.Country},
		Origin:  c.Origin, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Revision: int64(c.Revision), Links: row.Links,
	}
	return &CustomerOutput{ETag: etag(eventstore.Revision(c.Revision)), Body: d.to(callerOf(ctx))}, nil
}

// actionPermission is the permission that an action needs, as its route does.
func actionPermission(action customer.Action, state customer.State) permission {
	switch action {
	case customer.ActionSuspend, customer.ActionRemoveQuestion:
		return permitCustomersSuspend
	case customer.ActionReactivate:
		return reactivation(state)
	case customer.ActionBan:
		return permitCustomersBan
	case customer.ActionDelete, customer.ActionRestore:
		return permitCustomersDelete
	case customer.ActionErase, customer.ActionCancelErasure:
		return permitCustomersErase
	default:
		return permitCustomersWrite
	}
}

// actionDisableTwoFactor is the one action on a customer that their login decides.
const actionDisableTwoFactor customer.Action = "disable_2fa"

// permittedActions is what the caller could do to a customer now.
func permittedActions(who *caller, state customer.State, now time.Time) []customer.Action {
	permitted := []customer.Action{}
	for _, action := range customer.Actions(state, who.actor(), who.policies, now) {
		if who.may(actionPermission(action, state)) || who.actsOnOwn() && slices.Contains(customerActions, action) {
			permitted = append(permitted, action)
		}
	}
	return permitted
}

func profileView(p events.Profile) ProfileView {
	return ProfileView{
		FirstName: shown(p.FirstName), LastName: shown(p.LastName), Company: shown(p.Company), Phone: shown(p.Phone),
		Street: shown(p.Street), PostalCode: shown(p.PostalCode), City: shown(p.City), Region: shown(p.Region), Country: shown(p.Country),
	}
}

// shown is a personal value as callers see it: null when there is none, or none
// any more.
func shown(p events.Personal) *string {
	text, ok := p.Reveal()
	if !ok {
		return nil
	}
	return &text
}

func staffPath(id uuid.UUID) string { return "/v1/staff/" + wireid.Format(wireid.Staff, id) }
