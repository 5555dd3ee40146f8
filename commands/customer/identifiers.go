package customer

import (
	"errors"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// ChangeEmail changes the address that the customer is reached and found by, and
// says whether it is a stand-in until their own is known.
type ChangeEmail struct {
	Email       string
	Provisional bool
	// Undo says that it goes back to an earlier address by the link sent there.
	Undo bool
}

// ChangeUsername changes the name that the customer signs in with; the empty text
// removes it where the store's policies allow accounts without one.
type ChangeUsername struct {
	Username string
	Policies policy.Set
}

// ChangeExternalID changes the customer's id in the reseller's own systems; the
// empty text removes it.
type ChangeExternalID struct{ ExternalID string }

func (ChangeEmail) customerCommand()      {}
func (ChangeUsername) customerCommand()   {}
func (ChangeExternalID) customerCommand() {}

func changeEmail(s State, c ChangeEmail) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	email, err := identity.Email(c.Email)
	if err != nil {
		return nil, ErrInvalid.On("email", err.Error())
	}
	var decided []events.CustomerEvent
	if after := events.Clear(email); after != s.Email {
		decided = append(decided, events.CustomerEmailChanged{
			CustomerID: s.ID, LoginID: s.LoginID, Before: s.Email, After: after, Undone: c.Undo,
		})
	}
	if c.Provisional != s.Provisional {
		decided = append(decided, events.CustomerEmailProvisionalSet{CustomerID: s.ID, Before: s.Provisional, After: c.Provisional})
	}
	return decided, nil
}

func changeUsername(s State, c ChangeUsername) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	username, err := checkUsername(c.Username, c.Policies)
	if err != nil {
		return nil, ErrInvalid.On("username", err.Error())
	}
	after := optional(username)
	if after == s.Username {
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerUsernameChanged{
		CustomerID: s.ID, LoginID: s.LoginID, Before: s.Username, After: after,
	}}, nil
}

func changeExternalID(s State, c ChangeExternalID) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	id, err := identity.ExternalID(c.ExternalID)
	if err != nil {
		return nil, ErrInvalid.On("external_id", err.Error())
	}
	after := optional(id)
	if after == s.ExternalID {
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerExternalIDChanged{
		CustomerID: s.ID, Before: s.ExternalID, After: after,
	}}, nil
}

var (
	errNoUsername = errors.New("is not used in this store: customers sign in with their email address")
	errUsername   = errors.New("is missing")
)

// checkUsername returns a username as it is kept. The empty text is none.
func checkUsername(name string, policies policy.Set) (string, error) {
	mode := policies.Get(policy.UsernameMode)
	switch {
	case mode == policy.UsernameIsEmail && name != "":
		return "", errNoUsername
	case mode == policy.UsernameRequired && name == "":
		return "", errUsername
	case name == "":
		return "", nil
	}
	return identity.Username(name)
}
