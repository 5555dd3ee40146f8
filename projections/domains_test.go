package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

func (w *world) domainNames(f projections.DomainFilter) []string {
	w.tb.Helper()
	f.StoreID = w.store
	var names []string
	for {
		rows, next, err := w.queries.Domains(w.tb.Context(), f)
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, r := range rows {
			names = append(names, r.Name)
		}
		if next == nil {
			return names
		}
		f.After = next
	}
}

func TestDomainRow_S0_54(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.customer(person{"Alice", "A", "", "a@x.example"})
	bob := w.customer(person{"Bob", "B", "", "b@x.example"})
	expires := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	id := w.domain(alice, "xn--bcher-kva.example", expires)
	stream := events.DomainStream(id)
	get := func() projections.Domain {
		t.Helper()
		w.then()
		row, ok, err := w.queries.Domain(t.Context(), w.store, id)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return row
	}
	row := get()
	want := projections.Domain{
		DomainID: id, StoreID: w.store, CustomerID: alice, Name: "xn--bcher-kva.example", UnicodeName: "bücher.example",
		RegisteredAt: expires.AddDate(-1, 0, 0), ExpiresAt: expires, AutoRenew: true, Locked: true,
		Nameservers: []string{"ns1.example.net", "ns2.example.net"}, Period: 1, CreatedAt: row.CreatedAt, UpdatedAt: row.CreatedAt, Position: w.last.Commit,
	}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	w.given(stream,
		events.DomainAutoRenewSet{DomainID: id, CustomerID: alice, Before: true, After: false},
		events.DomainLockSet{DomainID: id, CustomerID: alice, Before: true, After: false},
		events.DomainPrivacySet{DomainID: id, CustomerID: alice, Before: false, After: true},
		events.DomainNameserversChanged{DomainID: id, CustomerID: alice, Before: row.Nameservers, After: []string{}},
		events.DomainPushed{DomainID: id, FromCustomerID: alice, ToCustomerID: bob},
	)
	row = get()
	want.AutoRenew, want.Locked, want.Privacy, want.Nameservers, want.CustomerID = false, false, true, []string{}, bob
	want.UpdatedAt, want.Revision, want.Position = row.UpdatedAt, 5, w.last.Commit
	if diff := cmp.Diff(want, row); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	w.given(stream, events.DomainImported{DomainID: id, CustomerID: alice, Name: row.Name, RegisteredAt: expires, ExpiresAt: expires.AddDate(1, 0, 0)})
	if row = get(); row.Period != 2 || row.CustomerID != alice || row.Privacy || row.Revision != 6 {
		t.Fatalf("again %+v", row)
	}
	w.exact()
}

func TestDomainList_S0_53(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.customer(person{"Alice", "A", "", "a@x.example"})
	bob := w.customer(person{"Bob", "B", "", "b@x.example"})
	year := func(n int) time.Time { return time.Date(2026+n, 1, 1, 0, 0, 0, 0, time.UTC) }
	w.domain(alice, "delta.example", year(1))
	w.domain(bob, "alpha.example", year(4))
	open := w.domain(alice, "charlie.example", year(3))
	w.domain(alice, "xn--bcher-kva.example", year(2))
	w.given(events.DomainStream(open), events.DomainLockSet{DomainID: open, CustomerID: alice, Before: true, After: false})
	w.then()
	no := false
	for name, c := range map[string]struct {
		filter projections.DomainFilter
		want   []string
	}{
		"by name":                    {projections.DomainFilter{}, []string{"alpha.example", "charlie.example", "delta.example", "xn--bcher-kva.example"}},
		"of a customer":              {projections.DomainFilter{CustomerID: alice}, []string{"charlie.example", "delta.example", "xn--bcher-kva.example"}},
		"by expiry":                  {projections.DomainFilter{Order: projections.DomainsByExpiry}, []string{"delta.example", "xn--bcher-kva.example", "charlie.example", "alpha.example"}},
		"expiring before":            {projections.DomainFilter{ExpiringBefore: year(3)}, []string{"delta.example", "xn--bcher-kva.example"}},
		"unlocked":                   {projections.DomainFilter{Locked: &no}, []string{"charlie.example"}},
		"part of the name":           {projections.DomainFilter{Query: "lph"}, []string{"alpha.example"}},
		"the name as people write":   {projections.DomainFilter{Query: "Bücher"}, []string{"xn--bcher-kva.example"}},
		"the beginning of the name":  {projections.DomainFilter{Query: "ch"}, []string{"charlie.example"}},
		"of a customer, by a search": {projections.DomainFilter{CustomerID: bob, Query: "example"}, []string{"alpha.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int{0, 1} {
				c.filter.Limit = limit
				if diff := cmp.Diff(c.want, w.domainNames(c.filter)); diff != "" {
					t.Fatalf("pages of %d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
	if _, ok, err := w.queries.Domain(t.Context(), uuid.New(), open); err != nil || ok {
		t.Fatalf("another store sees the domain: %v", err)
	}
}
