package main

import (
	"fmt"

	"github.com/stewardhq/steward/events"
)

// create opens a customer's account.
func (d *dataset) create(c *account) entry {
	p := c.person
	profile := events.Profile{
		FirstName: events.Clear(p.first), LastName: events.Clear(p.last), Country: events.Clear(p.country),
		Phone: events.Clear(d.phone()), Street: events.Clear(d.street()), City: events.Clear("Springfield"),
	}
	if p.company != "" {
		profile.Company = events.Clear(p.company)
	}
	return d.entry(events.CustomerStream(c.id), &c.revision, d.staff(), events.CustomerCreated{
		CustomerID: c.id, LoginID: c.login, Origin: events.OriginStaff, Status: c.status,
		Email: events.Clear(p.email), Username: events.Clear(p.username), Profile: profile,
	})
}

func (d *dataset) phone() string {
	return fmt.Sprintf("+1 555 01%02d %04d", d.random.IntN(100), d.random.IntN(10_000))
}

func (d *dataset) street() string {
	return fmt.Sprintf("%d %s Street", 1+d.random.IntN(200), d.namer.pick(commonSurnames))
}

// acquire registers or imports a domain.
func (d *dataset) acquire(h *holding) entry {
	began := d.at.AddDate(-d.random.IntN(10), 0, 0)
	expires := d.at.AddDate(1+d.random.IntN(3), 0, 0)
	if d.random.IntN(10) < 3 {
		return d.entry(events.DomainStream(h.id), &h.revision, d.staff(), events.DomainRegistered{
			DomainID: h.id, CustomerID: h.owner, Name: h.name, RegisteredAt: d.at, ExpiresAt: expires, Settings: h.settings,
		})
	}
	return d.entry(events.DomainStream(h.id), &h.revision, d.staff(), events.DomainImported{
		DomainID: h.id, CustomerID: h.owner, Name: h.name, RegisteredAt: began, ExpiresAt: expires, Settings: h.settings,
	})
}

// change lets n things happen to a domain.
func (d *dataset) change(h *holding, n int) entry {
	by := d.actor(h.owner)
	happened := make([]events.Event, n)
	for i := range happened {
		happened[i] = d.changed(h)
	}
	return d.entry(events.DomainStream(h.id), &h.revision, by, happened...)
}

// changed is mostly a setting, sometimes a push.
func (d *dataset) changed(h *holding) events.Event {
	s := &h.settings
	switch n := d.random.IntN(100); {
	case n < 40:
		s.AutoRenew = !s.AutoRenew
		return events.DomainAutoRenewSet{DomainID: h.id, CustomerID: h.owner, Before: !s.AutoRenew, After: s.AutoRenew}
	case n < 55:
		s.Locked = !s.Locked
		return events.DomainLockSet{DomainID: h.id, CustomerID: h.owner, Before: !s.Locked, After: s.Locked}
	case n < 70:
		s.Privacy = !s.Privacy
		return events.DomainPrivacySet{DomainID: h.id, CustomerID: h.owner, Before: !s.Privacy, After: s.Privacy}
	case n < 92:
		before := s.Nameservers
		s.Nameservers = nameserverSets[d.random.IntN(len(nameserverSets))]
		return events.DomainNameserversChanged{DomainID: h.id, CustomerID: h.owner, Before: before, After: s.Nameservers}
	default:
		from := h.owner
		for h.owner == from {
			h.owner = d.customers[d.random.IntN(len(d.customers))].id
		}
		return events.DomainPushed{DomainID: h.id, FromCustomerID: from, ToCustomerID: h.owner, ReasonCode: events.PushSale}
	}
}

// happen lets n things happen to a customer.
func (d *dataset) happen(c *account, n int) entry {
	by := d.staff()
	happened := make([]events.Event, n)
	for i := range happened {
		happened[i] = d.happened(c)
	}
	return d.entry(events.CustomerStream(c.id), &c.revision, by, happened...)
}

// happened is an edit, a new address, or a suspension and its end.
func (d *dataset) happened(c *account) events.Event {
	switch n := d.random.IntN(100); {
	case n < 55:
		return events.CustomerProfileEdited{
			CustomerID: c.id,
			Before:     events.Profile{Phone: events.Clear(d.phone()), Street: events.Clear(d.street())},
			After:      events.Profile{Phone: events.Clear(d.phone()), Street: events.Clear(d.street())},
		}
	case n < 70:
		before := c.person.email
		c.person.email = fmt.Sprintf("%s.%d@%s", c.person.username, c.revision+2, mailHosts[d.namer.mailHosts.Uint64()])
		return events.CustomerEmailChanged{
			CustomerID: c.id, LoginID: c.login, Before: events.Clear(before), After: events.Clear(c.person.email),
		}
	case c.status == events.StatusActive:
		c.status = events.StatusSuspended
		return events.CustomerSuspended{
			CustomerID: c.id, Before: events.StatusActive, After: c.status, ReasonCode: events.ReasonNonPayment,
			Reason: events.Clear("The last invoice is open."), HoldServices: d.random.IntN(2) == 0,
		}
	default:
		c.status = events.StatusActive
		return events.CustomerReactivated{CustomerID: c.id, Before: events.StatusSuspended, After: c.status, ReleaseServices: true}
	}
}
