package customer

import (
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// Create opens an account. An email address is required, and a username if the
// store's policies say so; nothing else is. What is empty is left out.
type Create struct {
	CustomerID uuid.UUID
	LoginID    uuid.UUID
	Origin     events.Origin
	Email      string
	Username   string
	ExternalID string
	Profile    events.Profile
	Policies   policy.Set
}

func (Create) customerCommand() {}

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
	profile, refused := checkProfile(c.Profile, refused)
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	return []events.CustomerEvent{events.CustomerCreated{
		CustomerID: c.CustomerID, LoginID: c.LoginID, Origin: c.Origin, Status: events.StatusActive,
		Email: events.Clear(email), Username: optional(username), ExternalID: optional(externalID),
		Profile: withoutEmpty(profile),
	}}, nil
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
