package projections

import (
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

func describeDomain(e events.DomainEvent) Description {
	d := Description{Category: CategorySettings}
	switch e := e.(type) {
	case events.DomainRegistered:
		d.Category, d.Event = CategoryDomain, "Domain registered"
		d.Changes = periodChanges(e.Name, e.CustomerID, e.RegisteredAt, e.ExpiresAt, e.Settings)
	case events.DomainImported:
		d.Category, d.Event = CategoryDomain, "Domain imported"
		d.Changes = periodChanges(e.Name, e.CustomerID, e.RegisteredAt, e.ExpiresAt, e.Settings)
	case events.DomainAutoRenewSet:
		d.Event, d.Setting = choose(e.After, "Auto-renew turned on", "Auto-renew turned off"), SettingAutoRenew
		d.Changes = []Change{{Field: SettingAutoRenew, Before: e.Before, After: e.After}}
	case events.DomainLockSet:
		d.Event, d.Setting = choose(e.After, "Domain locked", "Domain unlocked"), SettingLock
		d.Changes = []Change{{Field: SettingLock, Before: e.Before, After: e.After}}
	case events.DomainPrivacySet:
		d.Event, d.Setting = choose(e.After, "Contact privacy turned on", "Contact privacy turned off"), SettingPrivacy
		d.Changes = []Change{{Field: SettingPrivacy, Before: e.Before, After: e.After}}
	case events.DomainNameserversChanged:
		d.Event, d.Setting = "Nameservers changed", SettingNameservers
		d.Changes = []Change{{Field: SettingNameservers, Before: listed(e.Before), After: listed(e.After)}}
	case events.DomainPushed:
		d.Category, d.Event, d.Setting = CategoryDomain, "Domain pushed to another customer", SettingOwner
		d.Changes = changed(
			Change{Field: SettingOwner, Before: e.FromCustomerID.String(), After: e.ToCustomerID.String()},
			Change{Field: "reason_code", After: word(e.ReasonCode)},
		)
	}
	return d
}

// periodChanges is what a domain begins with.
func periodChanges(name string, owner uuid.UUID, registered, expires time.Time, s events.DomainSettings) []Change {
	return []Change{
		{Field: SettingName, After: name},
		{Field: SettingOwner, After: owner.String()},
		{Field: "registered_at", After: registered},
		{Field: "expires_at", After: expires},
		{Field: SettingAutoRenew, After: s.AutoRenew},
		{Field: SettingLock, After: s.Locked},
		{Field: SettingPrivacy, After: s.Privacy},
		{Field: SettingNameservers, After: listed(s.Nameservers)},
	}
}

// listed is a list of texts that is never nil, so that JSON shows an empty one.
func listed(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
