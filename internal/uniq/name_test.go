package uniq_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/uniq"
)

func TestNames(t *testing.T) {
	t.Parallel()
	clear, sealed := events.Clear, events.Sealed([16]byte{1}, "AAAA")
	email := func(key string) uniq.Name { return uniq.Name{Kind: events.NameEmail, Key: key, Field: "email"} }
	username := func(key string) uniq.Name {
		return uniq.Name{Kind: events.NameUsername, Key: key, Field: "username"}
	}
	externalID := func(key string) uniq.Name {
		return uniq.Name{Kind: events.NameExternalID, Key: key, Field: "external_id"}
	}
	staff := func(key string) uniq.Name { return uniq.Name{Kind: events.NameStaffEmail, Key: key, Field: "email"} }
	host := func(key, field string) uniq.Name { return uniq.Name{Kind: events.NameHost, Key: key, Field: field} }
	type names = []uniq.Name
	for name, c := range map[string]struct {
		event        events.Event
		taken, given names
	}{
		"a customer takes all that is present": {
			event: events.CustomerCreated{Email: clear("Ada@Example.com"), Username: clear("Ada"), ExternalID: clear("X1")},
			taken: names{email("ada@example.com"), username("ada"), externalID("X1")},
		},
		"a customer takes nothing that is absent": {
			event: events.CustomerCreated{Email: clear("a@example.com")}, taken: names{email("a@example.com")},
		},
		"a change takes one and gives one": {
			event: events.CustomerEmailChanged{Before: clear("a@example.com"), After: clear("b@example.com")},
			taken: names{email("b@example.com")}, given: names{email("a@example.com")},
		},
		"another spelling of the same name is no change": {
			event: events.CustomerEmailChanged{Before: clear("a@example.com"), After: clear("A@EXAMPLE.com")},
		},
		"a first username gives nothing": {
			event: events.CustomerUsernameChanged{After: clear("ada")}, taken: names{username("ada")},
		},
		"a removed external id takes nothing": {
			event: events.CustomerExternalIDChanged{Before: clear("X1")}, given: names{externalID("X1")},
		},
		"external ids differ by letter case": {
			event: events.CustomerExternalIDChanged{Before: clear("X1"), After: clear("x1")},
			taken: names{externalID("x1")}, given: names{externalID("X1")},
		},
		"a store takes its hosts, each once": {
			event: events.StoreCreated{Hosts: []string{"a.example", "b.example", "a.example"}},
			taken: names{host("a.example", "hosts[0]"), host("b.example", "hosts[1]")},
		},
		"hosts change by what differs": {
			event: events.StoreHostsChanged{Before: []string{"a.example", "b.example"}, After: []string{"c.example", "b.example"}},
			taken: names{host("c.example", "hosts[0]")}, given: names{host("a.example", "hosts[0]")},
		},
		"a staff member takes an email of another kind": {
			event: events.StaffCreated{Email: clear("a@example.com")}, taken: names{staff("a@example.com")},
		},
		"a staff member changes it": {
			event: events.StaffEmailChanged{Before: clear("a@example.com"), After: clear("b@example.com")},
			taken: names{staff("b@example.com")}, given: names{staff("a@example.com")},
		},
		"an erased person uses nothing": {
			event: events.CustomerCreated{Email: events.Erased(), Username: events.Erased()},
		},
		"a sealed value yields nothing": {event: events.CustomerCreated{Email: sealed}},
		"suspension keeps the names":    {event: events.CustomerSuspended{}},
		"a ban keeps the names":         {event: events.CustomerBanned{}},
		"deletion keeps the names":      {event: events.CustomerDeleted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, given := uniq.Names(c.event)
			if d := cmp.Diff(c.taken, taken) + cmp.Diff(c.given, given); d != "" {
				t.Fatal(d)
			}
			if len(taken)+len(given) > 0 && !uniq.BearsNames(c.event) {
				t.Fatal("an event that bears names is not known as one")
			}
		})
	}
}
