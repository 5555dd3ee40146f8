package projections

import (
	"github.com/stewardhq/steward/events"
)

func describeStore(e events.StoreEvent) Description {
	d := Description{Category: CategoryStore}
	switch e := e.(type) {
	case events.StoreCreated:
		d.Event = "Store opened"
		d.Changes = changed(append([]Change{
			{Field: SettingName, After: word(e.Name)},
			{Field: SettingHosts, After: listed(e.Hosts)},
		}, brandingChanges(events.Branding{}, e.Branding)...)...)
	case events.StoreRenamed:
		d.Event, d.Setting = "Store renamed", SettingName
		d.Changes = changed(Change{Field: SettingName, Before: word(e.Before), After: word(e.After)})
	case events.StoreHostsChanged:
		d.Event, d.Setting = "Host names of the store changed", SettingHosts
		d.Changes = []Change{{Field: SettingHosts, Before: listed(e.Before), After: listed(e.After)}}
	case events.StoreMailChanged:
		d.Event = "Mail settings changed"
		d.Changes = changed(
			Change{"sender_name", word(e.Before.SenderName), word(e.After.SenderName)},
			Change{"sender_address", word(e.Before.SenderAddress), word(e.After.SenderAddress)},
			Change{"reply_to", word(e.Before.ReplyTo), word(e.After.ReplyTo)},
			Change{"link_url", word(e.Before.LinkURL), word(e.After.LinkURL)},
		)
	case events.StoreBrandingChanged:
		d.Event, d.Setting = "Branding of the store changed", SettingBranding
		d.Changes = changed(brandingChanges(e.Before, e.After)...)
	case events.StorePolicySet:
		d.Event, d.Setting = "Policy of the store set", e.Policy
		d.Changes = []Change{
			{Field: e.Policy, Before: word(e.Before), After: word(e.After)},
			{Field: "effective_at", After: e.EffectiveAt},
		}
	case events.UniqClaimAborted:
		return describeAbortedClaim()
	}
	return d
}

func brandingChanges(before, after events.Branding) []Change {
	return []Change{
		{Field: "logo_url", Before: word(before.LogoURL), After: word(after.LogoURL)},
		{Field: "color", Before: word(before.Color), After: word(after.Color)},
	}
}

func describePlatform(e events.PlatformEvent) Description {
	d := Description{Category: CategoryPlatform}
	switch e := e.(type) {
	case events.PlatformInitialized:
		d.Event = "Platform set up"
		d.Changes = changed(
			Change{Field: "log_id", After: e.LogID.String()},
			Change{Field: "identity_scope", After: word(e.IdentityScope)},
		)
	case events.PlatformEventParked:
		d.Event = "Event parked"
		d.Changes = []Change{{Field: "event_id", After: e.EventID.String()}, {Field: "group", After: e.Group}}
	case events.PlatformReactionReset:
		d.Event = "Reaction reset"
		d.Changes = []Change{{Field: "reaction", After: e.Reaction}, {Field: "position", After: e.To}}
	}
	return d
}

func describeReservation(e events.ReservationEvent) Description {
	d := Description{Category: CategoryPlatform}
	switch e := e.(type) {
	case events.UniqReserved:
		d.Event, d.Changes = "Name reserved", []Change{{Field: "kind", After: word(e.Kind)}}
	case events.UniqConfirmed:
		d.Event, d.Changes = "Reservation confirmed", []Change{{Field: "kind", After: word(e.Kind)}}
	case events.UniqReleased:
		d.Event, d.Changes = "Name released", []Change{{Field: "kind", After: word(e.Kind)}}
	}
	return d
}

func describeAbortedClaim() Description {
	return Description{Category: CategoryPlatform, Event: "Claim of a name aborted"}
}
