package customer

import (
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/policy"
)

// Delete hides the customer. Their names stay taken and nothing is lost.
type Delete struct {
	By events.Actor
	// Explained says that a reason stands beside the command.
	Explained bool
	Policies  policy.Set
}

// Restore undoes a deletion.
type Restore struct{ By events.Actor }

func (Delete) customerCommand()  {}
func (Restore) customerCommand() {}

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
	if c.Policies.Get(policy.Deletion) == policy.DeletionDisabled {
		return nil, ErrDeletionDisabled
	}
	if err := explained(c.Policies, c.Explained); err != nil {
		return nil, err
	}
	return []events.CustomerEvent{events.CustomerDeleted{
		CustomerID: s.ID, Before: s.Status, After: events.StatusDeleted,
	}}, nil
}

func restore(s State, c Restore) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	switch s.Status {
	case "":
		return nil, ErrNotFound
	case events.StatusErased:
		return nil, ErrErased
	case events.StatusDeleted:
		return []events.CustomerEvent{events.CustomerRestored{
			CustomerID: s.ID, Before: s.Status, After: s.Restore,
		}}, nil
	}
	return nil, nil
}
