package customer

import (
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// Delete hides the customer and loses nothing, or has them erased where that is what
// the store calls deleting.
type Delete struct {
	By events.Actor
	// HoldsDomains says that the customer holds live domains, which stops it unless
	// it is forced.
	HoldsDomains bool
	Force        bool
	// Explained says that a reason stands beside the command.
	Explained bool
	Policies  policy.Set
	Now       time.Time
}

// Restore undoes a deletion. The names are for a customer whose own were released:
// what is nil is taken again.
type Restore struct {
	By         events.Actor
	Email      *string
	Username   *string
	ExternalID *string
	Policies   policy.Set
}

func (Delete) customerCommand()  {}
func (Restore) customerCommand() {}

// ErrNamesKept refuses other names for a customer who still has theirs.
var ErrNamesKept = fault.New(fault.Conflict, "names_kept", "the customer still has their names: restore them without any, and change them afterwards")

func deleteCustomer(s State, c Delete) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	switch s.Status {
	case "":
		return nil, ErrNotFound
	case events.StatusErased:
		return nil, ErrErased
	case events.StatusDeleted:
		return nil, nil
	}
	switch c.Policies.Get(policy.Deletion) {
	case policy.DeletionDisabled:
		return nil, ErrDeletionDisabled
	case policy.DeletionErase:
		return requestErasure(s, RequestErasure(c))
	}
	if err := explained(c.Policies, c.Explained); err != nil {
		return nil, err
	}
	if c.HoldsDomains && !c.Force {
		return nil, ErrHoldsDomains
	}
	decided := []events.CustomerEvent{events.CustomerDeleted{
		CustomerID: s.ID, Before: s.Status, After: events.StatusDeleted,
	}}
	if c.Policies.Get(policy.ReleaseIdentifiers) == policy.ReleaseOnDelete {
		decided = append(decided, events.CustomerNamesReleased{
			CustomerID: s.ID, LoginID: s.LoginID, Email: s.Email, Username: s.Username, ExternalID: s.ExternalID,
		})
	}
	return decided, nil
}

func restore(s State, c Restore) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	switch {
	case !s.Exists():
		return nil, ErrNotFound
	case s.Status == events.StatusErased:
		return nil, ErrErased
	case s.Erasure.Pending():
		return nil, ErrErasurePending
	case s.Status != events.StatusDeleted:
		return nil, nil
	}
	restored := events.CustomerRestored{CustomerID: s.ID, Before: s.Status, After: s.Restore}
	if !s.NamesReleased {
		if c.Email != nil || c.Username != nil || c.ExternalID != nil {
			return nil, ErrNamesKept
		}
		return []events.CustomerEvent{restored}, nil
	}
	claimed, err := claimNames(s, c)
	if err != nil {
		return nil, err
	}
	return []events.CustomerEvent{claimed, restored}, nil
}

// claimNames are the names that a customer without any comes back with.
func claimNames(s State, c Restore) (events.CustomerNamesClaimed, error) {
	e := events.CustomerNamesClaimed{CustomerID: s.ID, LoginID: s.LoginID, Email: s.Email, Username: s.Username, ExternalID: s.ExternalID}
	refused := ErrInvalid
	if c.Email != nil {
		email, err := identity.Email(*c.Email)
		refused, e.Email = refuse(refused, "email", err), events.Clear(email)
	}
	if c.Username != nil {
		username, err := checkUsername(*c.Username, c.Policies)
		refused, e.Username = refuse(refused, "username", err), optional(username)
	}
	if c.ExternalID != nil {
		id, err := identity.ExternalID(*c.ExternalID)
		refused, e.ExternalID = refuse(refused, "external_id", err), optional(id)
	}
	if len(refused.Fields) > 0 {
		return e, refused
	}
	return e, nil
}
