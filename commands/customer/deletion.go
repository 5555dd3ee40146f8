package customer

import "github.com/stewardhq/steward/events"

// Delete hides the customer. Their names stay taken and nothing is lost.
type Delete struct{ By events.Actor }

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
