package customer

import (
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// RequestErasure shuts the customer out and has them erased when the store's grace
// is over. Staff may ask for it, and the customer.
type RequestErasure struct {
	By events.Actor
	// HoldsDomains says that the customer holds live domains. Only staff can insist
	// on going on all the same.
	HoldsDomains bool
	Force        bool
	Explained    bool
	Policies     policy.Set
	Now          time.Time
}

// CancelErasure takes the request back, until it is due.
type CancelErasure struct {
	By  events.Actor
	Now time.Time
}

// Erase ends a customer whose erasure is due.
type Erase struct{ Now time.Time }

// CompleteErasure notes that the keys of an erased customer are gone.
type CompleteErasure struct{ Keys []events.DestroyedKey }

// Export notes that somebody is given everything that is known of the customer.
type Export struct {
	By      events.Actor
	Purpose string
}

func (RequestErasure) customerCommand()  {}
func (CancelErasure) customerCommand()   {}
func (Erase) customerCommand()           {}
func (CompleteErasure) customerCommand() {}
func (Export) customerCommand()          {}

// Erasure is how far the erasure of a customer is.
type Erasure struct {
	DueAt     time.Time             // zero when nobody asked for it
	Before    events.CustomerStatus // what cancelling leads back to
	Release   bool                  // the names become free with it
	Completed bool
}

// Pending reports whether the customer waits to be erased.
func (e Erasure) Pending() bool { return !e.DueAt.IsZero() }

// Faults of erasing.
var (
	ErrHoldsDomains   = fault.New(fault.Conflict, "customer_holds_domains", "the customer holds domains: push them to somebody else first, or send force")
	ErrErasurePending = fault.New(fault.Conflict, "erasure_pending", "the customer is about to be erased: cancel that first")
	ErrErasureDue     = fault.New(fault.Conflict, "erasure_due", "it is too late: the erasure is due")
	ErrErasureNotDue  = fault.New(fault.Conflict, "erasure_not_due", "the erasure is not due")
	ErrImpersonated   = fault.New(fault.Forbidden, "not_as_customer", "nobody may do this in the customer's place")
)

func requestErasure(s State, c RequestErasure) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller && c.By.Kind != events.ActorCustomer {
		return nil, ErrImpersonated
	}
	switch {
	case !s.Exists():
		return nil, ErrNotFound
	case s.Status == events.StatusErased:
		return nil, ErrErased
	case s.Erasure.Pending():
		return nil, nil
	}
	staff := c.By.Kind == events.ActorReseller
	if staff {
		if err := explained(c.Policies, c.Explained); err != nil {
			return nil, err
		}
	}
	if c.HoldsDomains && (!staff || !c.Force) {
		return nil, ErrHoldsDomains
	}
	grace := time.Duration(c.Policies.Number(policy.ErasureGrace)) * time.Hour
	return []events.CustomerEvent{events.CustomerErasureRequested{
		CustomerID: s.ID, Before: s.Status, After: events.StatusDeleted,
		DueAt:        c.Now.UTC().Add(grace).Truncate(time.Second),
		ReleaseNames: c.Policies.Get(policy.ReleaseIdentifiers) != policy.ReleaseNever,
	}}, nil
}

func cancelErasure(s State, c CancelErasure) ([]events.CustomerEvent, error) {
	switch {
	case c.By.Kind != events.ActorReseller:
		return nil, ErrStaffOnly
	case !s.Exists():
		return nil, ErrNotFound
	case s.Status == events.StatusErased:
		return nil, ErrErased
	case !s.Erasure.Pending():
		return nil, nil
	case !c.Now.Before(s.Erasure.DueAt):
		return nil, ErrErasureDue
	}
	return []events.CustomerEvent{events.CustomerErasureCancelled{
		CustomerID: s.ID, Before: s.Status, After: s.Erasure.Before,
	}}, nil
}

func erase(s State, c Erase) ([]events.CustomerEvent, error) {
	switch {
	case !s.Exists():
		return nil, ErrNotFound
	case s.Status == events.StatusErased:
		return nil, nil
	case !s.Erasure.Pending(), c.Now.Before(s.Erasure.DueAt):
		return nil, ErrErasureNotDue
	}
	return []events.CustomerEvent{events.CustomerErased{
		CustomerID: s.ID, LoginID: s.LoginID, Before: s.Status, After: events.StatusErased, ReleaseNames: s.Erasure.Release,
	}}, nil
}

func completeErasure(s State, c CompleteErasure) ([]events.CustomerEvent, error) {
	switch {
	case s.Status != events.StatusErased:
		return nil, ErrErasureNotDue
	case s.Erasure.Completed:
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerErasureCompleted{CustomerID: s.ID, LoginID: s.LoginID, Keys: c.Keys}}, nil
}

func export(s State, c Export) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller && c.By.Kind != events.ActorCustomer {
		return nil, ErrImpersonated
	}
	switch s.Status {
	case "":
		return nil, ErrNotFound
	case events.StatusErased:
		return nil, ErrErased
	}
	purpose, err := identity.Text(c.Purpose, 1000)
	switch {
	case err != nil:
		return nil, ErrInvalid.On("purpose", err.Error())
	case purpose == "":
		return nil, ErrInvalid.On("purpose", "is missing")
	}
	return []events.CustomerEvent{events.CustomerExported{CustomerID: s.ID, Purpose: events.Clear(purpose)}}, nil
}

// evolveErasure folds what leads to an erasure and away from it.
func evolveErasure(s State, e events.CustomerEvent) State {
	switch e := e.(type) {
	case events.CustomerErasureRequested:
		s.Status, s.Erasure = e.After, Erasure{DueAt: e.DueAt, Before: e.Before, Release: e.ReleaseNames}
		s.Standing++
	case events.CustomerErasureCancelled:
		s.Status, s.Erasure = e.After, Erasure{}
	case events.CustomerErased:
		// The key may still be there for a moment; what it opened is not kept.
		return State{ID: s.ID, LoginID: s.LoginID, Status: e.After, Hold: s.Hold, Standing: s.Standing + 1}
	case events.CustomerErasureCompleted:
		s.Erasure.Completed = true
	case events.CustomerNamesReleased:
		s.NamesReleased = true
	case events.CustomerNamesClaimed:
		s.NamesReleased = false
		s.Standing++
		s.Email, s.Username, s.ExternalID = e.Email, e.Username, e.ExternalID
	}
	return s
}
