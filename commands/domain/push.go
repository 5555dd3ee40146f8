package domain

import (
	"slices"

	"github.com/stewardhq/steward/events"
)

// Push moves a domain with all its settings to another customer of the store,
// whoever holds it now and in whatever state their account is.
type Push struct {
	By         events.Actor
	To         Holder
	ReasonCode events.PushReason
}

func (Push) domainCommand() {}

// PushReasons lists what a push may be classified as.
var PushReasons = []events.PushReason{
	events.PushConsolidation, events.PushSale, events.PushReorganize, events.PushCorrection, events.PushOther,
}

func push(s State, c Push) ([]events.DomainEvent, error) {
	switch {
	case c.By.Kind != events.ActorReseller:
		return nil, ErrStaffOnly
	case c.ReasonCode != "" && !slices.Contains(PushReasons, c.ReasonCode):
		return nil, ErrInvalid.On("reason_code", "is not one of the known reasons")
	case !s.Exists():
		return nil, ErrNotFound
	case s.CustomerID == c.To.ID:
		return nil, nil
	case !c.To.MayOwn:
		return nil, ErrNotEligible.On("to", "is suspended, banned or deleted")
	}
	return []events.DomainEvent{events.DomainPushed{
		DomainID: s.ID, FromCustomerID: s.CustomerID, ToCustomerID: c.To.ID, ReasonCode: c.ReasonCode,
	}}, nil
}
