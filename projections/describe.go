package projections

import (
	"github.com/stewardhq/steward/events"
)

// Category is what an event is about, in words for people.
type Category string

// The categories.
const (
	CategoryAccount  Category = "Account"
	CategoryDomain   Category = "Domain"
	CategorySettings Category = "Settings"
	CategorySignIn   Category = "Sign-in"
	CategoryTeam     Category = "Team"
	CategoryMail     Category = "Mail"
	CategoryAPIKeys  Category = "API keys"
	CategoryStore    Category = "Store"
	CategoryPlatform Category = "Platform"
)

// Settings that an event can change, as a log is filtered by.
const (
	SettingProfile     = "profile"
	SettingEmail       = "email"
	SettingUsername    = "username"
	SettingExternalID  = "external_id"
	SettingStatus      = "status"
	SettingAutoRenew   = "auto_renew"
	SettingLock        = "lock"
	SettingPrivacy     = "privacy"
	SettingNameservers = "nameservers"
	SettingOwner       = "owner"
	SettingName        = "name"
	SettingRole        = "role"
	SettingHosts       = "hosts"
	SettingBranding    = "branding"
	SettingPassword    = "password"
	SettingTwoFactor   = "two_factor"
	SettingTags        = "tags"
)

// Description is an event in words for people, with what it changed.
type Description struct {
	Category Category
	Event    string // a sentence without a full stop
	Setting  string // "" when no setting changed
	Changes  []Change
}

// Change is one field before and after. Both are ready for JSON: text, bool, a
// list of texts, a time, or nil for none. A value of a person who was erased is
// [ErasedText].
type Change struct {
	Field  string
	Before any
	After  any
}

const (
	// ErasedText stands for a value whose key was destroyed.
	ErasedText = "[erased]"
	// SealedText stands for a value that was not opened.
	SealedText = "[sealed]"
)

// Describe says what an event means. Personal values should have been opened.
// Every registered event has a description.
func Describe(e events.Event) Description {
	switch e := e.(type) {
	case events.CustomerEvent:
		return describeCustomer(e)
	case events.DomainEvent:
		return describeDomain(e)
	case events.StaffEvent:
		return describeStaff(e)
	case events.LoginEvent:
		return describeLogin(e)
	case events.SessionEvent:
		return describeSession(e)
	case events.MailEvent:
		return describeMail(e)
	case events.ImpersonationEvent:
		return describeImpersonation(e)
	case events.StoreEvent:
		return describeStore(e)
	case events.APIKeyEvent:
		return describeAPIKey(e)
	case events.PlatformEvent:
		return describePlatform(e)
	case events.ReservationEvent:
		return describeReservation(e)
	}
	return Description{}
}

// changed lists the changes in which something is there.
func changed(all ...Change) []Change {
	var some []Change
	for _, c := range all {
		if c.Before != nil || c.After != nil {
			some = append(some, c)
		}
	}
	return some
}

// personal is a change of a personal value.
func personal(field string, before, after events.Personal) Change {
	return Change{Field: field, Before: readable(before), After: readable(after)}
}

// readable is a personal value for people.
func readable(p events.Personal) any {
	if text, ok := p.Reveal(); ok {
		return text
	}
	switch {
	case p.IsZero():
		return nil
	case p.IsErased():
		return ErasedText
	default:
		return SealedText
	}
}

// word is a text for which empty means none.
func word[T ~string](text T) any {
	if text == "" {
		return nil
	}
	return string(text)
}

// choose is the sentence for a switch.
func choose(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
