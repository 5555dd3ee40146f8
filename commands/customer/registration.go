package customer

import (
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// Create opens an account. An email address is required, and a username if the
// store's policies say so; nothing else is. What is empty is left out. An account
// that somebody opens for themself is pending until it is activated.
type Create struct {
	CustomerID uuid.UUID
	LoginID    uuid.UUID
	Origin     events.Origin
	Email      string
	Username   string
	ExternalID string
	Profile    events.Profile
	// SecurityQuestion is one that the account had where it came from, if any.
	SecurityQuestion string
	// Send is the link to send at once: welcome, set_password or none. Where accounts
	// become usable by a link, one is sent in any case.
	Send     events.LinkPurpose
	Policies policy.Set
	// Provisional says that the email address is a stand-in until the customer's own
	// is known.
	Provisional bool
}

// Activate makes a pending account usable.
type Activate struct {
	By events.Actor
	// Proven says that the customer followed a link that was sent to their address.
	Proven bool
}

// ReviewDetails ends the welcome: the customer looked at what the account says of them.
type ReviewDetails struct{}

func (ReviewDetails) customerCommand() {}

func reviewDetails(s State) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil || s.Reviewed {
		return nil, err
	}
	return []events.CustomerEvent{events.CustomerDetailsReviewed{CustomerID: s.ID}}, nil
}

func (Create) customerCommand()   {}
func (Activate) customerCommand() {}

func activate(s State, c Activate) ([]events.CustomerEvent, error) {
	method := events.ActivatedByStaff
	switch c.By.Kind {
	case events.ActorReseller:
	case events.ActorSystem:
		method = events.ActivatedAutomatically
	case events.ActorCustomer:
		if !c.Proven {
			return nil, ErrStaffOnly
		}
		method = events.ActivatedByLink
	default:
		return nil, ErrStaffOnly
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	switch {
	case s.Resume == events.StatusActive:
		return nil, nil
	case s.Status != events.StatusPending:
		return nil, ErrShutOut
	}
	return []events.CustomerEvent{events.CustomerActivated{
		CustomerID: s.ID, Before: s.Status, After: events.StatusActive, Method: method,
	}}, nil
}

func create(s State, c Create) ([]events.CustomerEvent, error) {
	if s.Exists() {
		return nil, ErrExists
	}
	refused := ErrInvalid
	email, err := identity.Email(c.Email)
	refused = refuse(refused, "email", err)
	username, err := checkUsername(c.Username, c.Policies)
	refused = refuse(refused, "username", err)
	externalID, err := identity.ExternalID(c.ExternalID)
	refused = refuse(refused, "external_id", err)
	question, err := identity.Line(c.SecurityQuestion, maxQuestion)
	refused = refuse(refused, "security_question", err)
	profile, refused := checkProfile(c.Profile, refused)
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	status, send := events.StatusActive, c.Send
	byLink := c.Policies.Get(policy.Activation) == policy.ActivationLink
	switch {
	case c.Origin == events.OriginSelf:
		status = events.StatusPending
		if byLink {
			send = events.LinkActivate
		}
	case byLink && c.Origin == events.OriginStaff:
		// The account becomes usable when the customer chose a password by the link.
		status = events.StatusPending
		if send == "" {
			send = events.LinkWelcome
		}
	}
	decided := []events.CustomerEvent{events.CustomerCreated{
		CustomerID: c.CustomerID, LoginID: c.LoginID, Origin: c.Origin, Status: status,
		Email: events.Clear(email), Username: optional(username), ExternalID: optional(externalID),
		Profile: withoutEmpty(profile), Send: send,
	}}
	if question != "" {
		decided = append(decided, events.CustomerSecurityQuestionImported{CustomerID: c.CustomerID, Question: events.Clear(question)})
	}
	if c.Provisional {
		decided = append(decided, events.CustomerEmailProvisionalSet{CustomerID: c.CustomerID, After: true})
	}
	return decided, nil
}

// refuse adds a field to f when there is something wrong with it.
func refuse(f *fault.Error, field string, err error) *fault.Error {
	if err == nil {
		return f
	}
	return f.On(field, err.Error())
}

// optional is absent for the empty text.
func optional(text string) events.Personal {
	if text == "" {
		return events.Personal{}
	}
	return events.Clear(text)
}
