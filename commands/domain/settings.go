package domain

import (
	"fmt"
	"slices"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/fault"
)

// SetAutoRenew says whether the domain renews itself before it expires.
type SetAutoRenew struct {
	On     bool
	By     events.Actor
	Holder Holder
}

// SetLock says whether the domain is locked against being transferred out.
type SetLock struct {
	On     bool
	By     events.Actor
	Holder Holder
}

// SetPrivacy says whether public lookups hide the contacts.
type SetPrivacy struct {
	On     bool
	By     events.Actor
	Holder Holder
}

// ChangeNameservers delegates the domain to other nameservers.
type ChangeNameservers struct {
	Nameservers []string
	By          events.Actor
	Holder      Holder
}

func (SetAutoRenew) domainCommand()      {}
func (SetLock) domainCommand()           {}
func (SetPrivacy) domainCommand()        {}
func (ChangeNameservers) domainCommand() {}

func setAutoRenew(s State, c SetAutoRenew) ([]events.DomainEvent, error) {
	if err := settable(s, c.By, c.Holder); err != nil || s.Settings.AutoRenew == c.On {
		return nil, err
	}
	return []events.DomainEvent{events.DomainAutoRenewSet{
		DomainID: s.ID, CustomerID: s.CustomerID, Before: s.Settings.AutoRenew, After: c.On,
	}}, nil
}

func setLock(s State, c SetLock) ([]events.DomainEvent, error) {
	if err := settable(s, c.By, c.Holder); err != nil || s.Settings.Locked == c.On {
		return nil, err
	}
	return []events.DomainEvent{events.DomainLockSet{
		DomainID: s.ID, CustomerID: s.CustomerID, Before: s.Settings.Locked, After: c.On,
	}}, nil
}

func setPrivacy(s State, c SetPrivacy) ([]events.DomainEvent, error) {
	if err := settable(s, c.By, c.Holder); err != nil || s.Settings.Privacy == c.On {
		return nil, err
	}
	return []events.DomainEvent{events.DomainPrivacySet{
		DomainID: s.ID, CustomerID: s.CustomerID, Before: s.Settings.Privacy, After: c.On,
	}}, nil
}

func changeNameservers(s State, c ChangeNameservers) ([]events.DomainEvent, error) {
	if err := settable(s, c.By, c.Holder); err != nil {
		return nil, err
	}
	after, refused := checkNameservers(c.Nameservers, ErrInvalid)
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	if slices.Equal(after, s.Settings.Nameservers) {
		return nil, nil
	}
	return []events.DomainEvent{events.DomainNameserversChanged{
		DomainID: s.ID, CustomerID: s.CustomerID, Before: s.Settings.Nameservers, After: after,
	}}, nil
}

// settable refuses changes to a domain that is not there, is not the acting
// customer's, or is on hold with its holder's account. A hold does not stop
// staff, who put it there.
func settable(s State, by events.Actor, holder Holder) error {
	switch {
	case !s.Exists():
		return ErrNotFound
	case by.Kind != events.ActorReseller && by.Kind != events.ActorSystem && by.ID != s.CustomerID.String():
		return ErrNotFound
	case holder.ID != s.CustomerID:
		return errHolderChanged
	case holder.Hold && by.Kind != events.ActorReseller:
		return ErrOnHold
	}
	return nil
}

// errHolderChanged means that the domain changed hands between the reading of
// its holder and the decision.
var errHolderChanged = fault.New(fault.Conflict, "busy", "changed by someone else at the same moment, try again")

// Nameservers a domain can have: none, or as many as registries take.
const (
	minNameservers = 2
	maxNameservers = 13
)

func checkNameservers(given []string, refused *fault.Error) ([]string, *fault.Error) {
	if len(given) != 0 && (len(given) < minNameservers || len(given) > maxNameservers) {
		return nil, refused.On("nameservers", "needs 2 to 13 entries, or none")
	}
	hosts := make([]string, 0, len(given))
	for i, name := range given {
		host, err := dnsname.Host(name)
		switch {
		case err != nil:
			refused = refused.On(fmt.Sprintf("nameservers[%d]", i), err.Error())
		case slices.Contains(hosts, host):
			refused = refused.On(fmt.Sprintf("nameservers[%d]", i), "is there twice")
		}
		hosts = append(hosts, host)
	}
	return hosts, refused
}
