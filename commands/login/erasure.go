package login

import (
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// Erase ends the login for good, be there one yet or not: whatever is being decided
// about it at the same moment is refused.
type Erase struct {
	LoginID    uuid.UUID
	CustomerID uuid.UUID
}

func (Erase) loginCommand() {}

// ErrErased refuses everything about a login that has ended for good.
var ErrErased = fault.New(fault.Conflict, "customer_erased", "the customer was erased")

func erase(s State, c Erase) ([]events.LoginEvent, error) {
	return []events.LoginEvent{events.LoginErased{
		LoginID: c.LoginID, CustomerID: c.CustomerID, ReplacedIDs: s.credentials(),
	}}, nil
}

func whenErased(c Command) ([]events.LoginEvent, error) {
	if _, again := c.(Erase); again {
		return nil, nil
	}
	return nil, ErrErased
}

// credentials lists what the secrets in force are sealed under.
func (s State) credentials() []uuid.UUID {
	var all []uuid.UUID
	for _, id := range []uuid.UUID{s.CredentialID, s.TwoFactor.PendingID, s.TwoFactor.CredentialID, s.TwoFactor.RecoveryID} {
		if id != uuid.Nil {
			all = append(all, id)
		}
	}
	return all
}
