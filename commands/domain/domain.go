// Package domain decides what may happen to a DNS domain name that a customer
// of a store holds.
package domain

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the domain.
var Decider = decider.Decider[State, Command, events.DomainEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one domain.
type Command interface{ domainCommand() }

// State is what deciding needs to know of a domain.
type State struct {
	ID           uuid.UUID
	CustomerID   uuid.UUID // who holds it; zero when there is no such domain
	Name         string
	RegisteredAt time.Time
	ExpiresAt    time.Time
	Settings     events.DomainSettings
}

// Exists reports whether the store holds the domain.
func (s State) Exists() bool { return s.CustomerID != uuid.Nil }

// Holder is what a decision about a domain must know of a customer, folded from
// the customer's own stream.
type Holder struct {
	ID     uuid.UUID
	MayOwn bool // the customer may be given domains
	Hold   bool // the customer's domains are on hold
}

// Faults of this aggregate.
var (
	ErrNotFound     = fault.New(fault.NotFound, "domain_not_found", "no such domain")
	ErrHeldByOther  = fault.New(fault.Conflict, "domain_held_by_other", "another customer holds this domain").On("name", "belongs to another customer")
	ErrExists       = fault.New(fault.Conflict, "domain_exists", "this domain is in the store already").On("name", "is in the store already")
	ErrOnHold       = fault.New(fault.Conflict, "domain_on_hold", "the domain is on hold with its holder's account")
	ErrNotEligible  = fault.New(fault.Conflict, "customer_not_eligible", "this customer cannot be given domains in their present state")
	ErrStaffOnly    = fault.New(fault.Forbidden, "staff_only", "only staff may do this")
	ErrUnknownOwner = fault.New(fault.NotFound, "customer_not_found", "no such customer")
	ErrInvalid      = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.DomainEvent, error) {
	switch c := c.(type) {
	case Register:
		return register(s, c)
	case Import:
		return importDomain(s, c)
	case SetAutoRenew:
		return setAutoRenew(s, c)
	case SetLock:
		return setLock(s, c)
	case SetPrivacy:
		return setPrivacy(s, c)
	case ChangeNameservers:
		return changeNameservers(s, c)
	case Push:
		return push(s, c)
	}
	return nil, fmt.Errorf("domain: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.DomainEvent) State {
	switch e := e.(type) {
	case events.DomainRegistered:
		return State{e.DomainID, e.CustomerID, e.Name, e.RegisteredAt, e.ExpiresAt, e.Settings}
	case events.DomainImported:
		return State{e.DomainID, e.CustomerID, e.Name, e.RegisteredAt, e.ExpiresAt, e.Settings}
	case events.DomainAutoRenewSet:
		s.Settings.AutoRenew = e.After
	case events.DomainLockSet:
		s.Settings.Locked = e.After
	case events.DomainPrivacySet:
		s.Settings.Privacy = e.After
	case events.DomainNameserversChanged:
		s.Settings.Nameservers = e.After
	case events.DomainPushed:
		s.CustomerID = e.ToCustomerID
	}
	return s
}
