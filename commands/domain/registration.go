package domain

import (
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/fault"
)

// Details is what is known of a domain when it enters a store.
type Details struct {
	DomainID     uuid.UUID
	Name         string // any spelling
	RegisteredAt time.Time
	ExpiresAt    time.Time
	Settings     events.DomainSettings
}

// Register gives a newly registered domain to a customer.
type Register struct {
	Details
	Holder Holder
}

// Import gives a domain that was already registered elsewhere to a customer. A
// domain that the customer holds already stays as it is.
type Import struct {
	Details
	Holder Holder
	By     events.Actor
}

func (Register) domainCommand() {}
func (Import) domainCommand()   {}

func register(s State, c Register) ([]events.DomainEvent, error) {
	details, err := CheckDetails(c.Details)
	switch {
	case err != nil:
		return nil, err
	case s.Exists():
		return nil, ErrExists
	case !c.Holder.MayOwn:
		return nil, ErrNotEligible
	}
	return []events.DomainEvent{events.DomainRegistered{
		DomainID: details.DomainID, CustomerID: c.Holder.ID, Name: details.Name,
		RegisteredAt: details.RegisteredAt, ExpiresAt: details.ExpiresAt, Settings: details.Settings,
	}}, nil
}

func importDomain(s State, c Import) ([]events.DomainEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	details, err := CheckDetails(c.Details)
	switch {
	case err != nil:
		return nil, err
	case s.Exists() && s.CustomerID != c.Holder.ID:
		return nil, ErrHeldByOther
	case s.Exists():
		return nil, nil
	case !c.Holder.MayOwn:
		return nil, ErrNotEligible
	}
	return []events.DomainEvent{events.DomainImported{
		DomainID: details.DomainID, CustomerID: c.Holder.ID, Name: details.Name,
		RegisteredAt: details.RegisteredAt, ExpiresAt: details.ExpiresAt, Settings: details.Settings,
	}}, nil
}

// CheckDetails returns d normalised, or a fault that names every field that is
// not acceptable.
func CheckDetails(d Details) (Details, error) {
	refused := ErrInvalid
	name, err := dnsname.Registrable(d.Name)
	if err != nil {
		refused = refused.On("name", err.Error())
	}
	d.Name = name
	d.RegisteredAt, d.ExpiresAt = d.RegisteredAt.UTC(), d.ExpiresAt.UTC()
	refused = checkDate(refused, "registered_at", d.RegisteredAt)
	refused = checkDate(refused, "expires_at", d.ExpiresAt)
	if !d.ExpiresAt.After(d.RegisteredAt) {
		refused = refused.On("expires_at", "is not after registered_at")
	}
	d.Settings.Nameservers, refused = checkNameservers(d.Settings.Nameservers, refused)
	if len(refused.Fields) > 0 {
		return Details{}, refused
	}
	return d, nil
}

// The years in which a domain can have been registered and can expire.
const (
	firstYear = 1985 // of the first .com registration
	lastYear  = 2999
)

func checkDate(refused *fault.Error, field string, at time.Time) *fault.Error {
	if at.Year() < firstYear || at.Year() > lastYear {
		return refused.On(field, "is not a date between 1985 and 2999")
	}
	return refused
}
