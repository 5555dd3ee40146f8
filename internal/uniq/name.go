package uniq

import (
	"slices"
	"strconv"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
)

// Name is a name that only one holder may have at a time.
type Name struct {
	Kind events.NameKind
	Key  string // normalised: equal keys are the same name
	// Field is the input that the name came from, as a fault names it: email,
	// username, external_id, hosts[1].
	Field string
}

// same reports whether two names are one, whatever input they came from.
func (n Name) same(other Name) bool { return n.Kind == other.Kind && n.Key == other.Key }

// Names says which names e takes for its stream and which it gives up. Personal
// values must have been opened; an erased one yields nothing. Every event that
// is not about names yields nothing either: suspending or banning a customer keeps
// their names taken. What an erased customer gives up no event says, since it holds
// nothing personal; whoever reads the stream knows.
func Names(e events.Event) (taken, given []Name) {
	switch e := e.(type) {
	case events.CustomerCreated:
		return slices.Concat(email(e.Email), username(e.Username), externalID(e.ExternalID)), nil
	case events.CustomerEmailChanged:
		return change(email(e.Before), email(e.After))
	case events.CustomerUsernameChanged:
		return change(username(e.Before), username(e.After))
	case events.CustomerExternalIDChanged:
		return change(externalID(e.Before), externalID(e.After))
	case events.CustomerNamesReleased:
		return nil, slices.Concat(email(e.Email), username(e.Username), externalID(e.ExternalID))
	case events.CustomerNamesClaimed:
		return slices.Concat(email(e.Email), username(e.Username), externalID(e.ExternalID)), nil
	case events.StoreCreated:
		return hosts(e.Hosts), nil
	case events.StoreHostsChanged:
		return change(hosts(e.Before), hosts(e.After))
	case events.StaffCreated:
		return staffEmail(e.Email), nil
	case events.StaffEmailChanged:
		return change(staffEmail(e.Before), staffEmail(e.After))
	}
	return nil, nil
}

// BearsNames reports whether an event of this kind can take or give up names.
func BearsNames(e events.Event) bool {
	switch e.(type) {
	case events.CustomerCreated, events.CustomerEmailChanged, events.CustomerUsernameChanged,
		events.CustomerExternalIDChanged, events.CustomerNamesReleased, events.CustomerNamesClaimed, events.CustomerErased, events.StoreCreated, events.StoreHostsChanged,
		events.StaffCreated, events.StaffEmailChanged:
		return true
	}
	return false
}

// change is what somebody takes and gives up whose names were before and are
// after.
func change(before, after []Name) (taken, given []Name) {
	return without(after, before), without(before, after)
}

func without(names, others []Name) []Name {
	var rest []Name
	for _, n := range names {
		if !slices.ContainsFunc(others, n.same) {
			rest = append(rest, n)
		}
	}
	return rest
}

func email(p events.Personal) []Name {
	return personal(events.NameEmail, "email", p, identity.EmailKey)
}

func username(p events.Personal) []Name {
	return personal(events.NameUsername, "username", p, identity.UsernameKey)
}

func externalID(p events.Personal) []Name {
	return personal(events.NameExternalID, "external_id", p, identity.ExternalIDKey)
}

func staffEmail(p events.Personal) []Name {
	return personal(events.NameStaffEmail, "email", p, identity.EmailKey)
}

func personal(kind events.NameKind, field string, p events.Personal, key func(string) string) []Name {
	text, ok := p.Reveal()
	if !ok || text == "" {
		return nil
	}
	return []Name{{Kind: kind, Key: key(text), Field: field}}
}

func hosts(all []string) []Name {
	var names []Name
	for i, host := range all {
		n := Name{Kind: events.NameHost, Key: host, Field: "hosts[" + strconv.Itoa(i) + "]"}
		if host != "" && !slices.ContainsFunc(names, n.same) {
			names = append(names, n)
		}
	}
	return names
}
