package projections_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

// logIDs reads a log page by page and returns its event ids.
func (w *world) logIDs(f projections.LogFilter) []uuid.UUID {
	w.tb.Helper()
	f.StoreID = w.store
	var ids []uuid.UUID
	for {
		rows, next, err := w.queries.Log(w.tb.Context(), f)
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, r := range rows {
			ids = append(ids, r.EventID)
		}
		if next == (events.Position{}) {
			return ids
		}
		f.Before = next
	}
}

func TestEventLog_LOG01(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.customer(person{"Alice", "A", "", "a@x.example"})
	bob := w.customer(person{"Bob", "B", "", "b@x.example"})
	expires := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	domain := w.domain(alice, "example.com", expires)
	stream := events.DomainStream(domain)
	lock := w.given(stream, events.DomainLockSet{DomainID: domain, CustomerID: alice, Before: true, After: false})[0]
	session, impersonation := uuid.New(), uuid.New()
	w.actor = events.Actor{Kind: events.ActorAsCustomer, ID: alice.String(), StaffID: w.staff, ImpersonationID: impersonation, SessionID: session}
	renew := w.given(stream, events.DomainAutoRenewSet{DomainID: domain, CustomerID: alice, Before: true, After: false})[0]
	w.actor = events.Actor{Kind: events.ActorCustomer, ID: alice.String(), SessionID: session}
	privacy := w.given(stream, events.DomainPrivacySet{DomainID: domain, CustomerID: alice, Before: false, After: true})[0]
	w.actor = events.Reseller(w.staff, uuid.New())
	push := w.given(stream, events.DomainPushed{DomainID: domain, FromCustomerID: alice, ToCustomerID: bob})[0]
	later := w.given(stream, events.DomainLockSet{DomainID: domain, CustomerID: bob, Before: false, After: true})[0]
	w.given("uniq_email-00112233445566778899aabbccddeeff", events.UniqReleased{Kind: events.NameEmail, Stream: "customer-x"})
	w.then()

	all := w.logIDs(projections.LogFilter{Limit: 3})
	if len(all) != 10 || all[0] != later {
		t.Fatalf("the store's log has %d rows, the first %s", len(all), all[0])
	}
	for name, c := range map[string]struct {
		filter projections.LogFilter
		want   []uuid.UUID
	}{
		"a domain, newest first (S0-64)":            {projections.LogFilter{DomainID: domain, Limit: 2}, all[:6]},
		"a setting of a domain (S0-90)":             {projections.LogFilter{DomainID: domain, Setting: projections.SettingLock}, []uuid.UUID{later, lock}},
		"the receiver sees the push and what comes": {projections.LogFilter{CustomerID: bob, Limit: 1}, []uuid.UUID{later, push, all[6]}},
		"only his own period of the domain":         {projections.LogFilter{CustomerID: bob, DomainID: domain}, []uuid.UUID{later, push}},
		"the giver sees up to the push":             {projections.LogFilter{CustomerID: alice, DomainID: domain}, all[1:6]},
		"one kind of actor":                         {projections.LogFilter{ActorKind: events.ActorCustomer}, []uuid.UUID{privacy}},
		"a staff member also as customer":           {projections.LogFilter{StaffID: w.staff, DomainID: domain}, append([]uuid.UUID{later, push, renew, lock}, all[5])},
		"a type":                                    {projections.LogFilter{Type: events.TypeDomainPushed}, []uuid.UUID{push}},
		"a category":                                {projections.LogFilter{Category: projections.CategorySettings}, []uuid.UUID{later, privacy, renew, lock}},
		"before all":                                {projections.LogFilter{Until: time.Now().Add(-time.Hour)}, nil},
		"since an hour":                             {projections.LogFilter{From: time.Now().Add(-time.Hour)}, all},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, w.logIDs(c.filter)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("entries say who, from where, and what", func(t *testing.T) {
		entries, _, err := w.queries.ReadLog(t.Context(), w.sealer, projections.LogFilter{StoreID: w.store, DomainID: domain})
		if err != nil {
			t.Fatal(err)
		}
		byID := make(map[uuid.UUID]projections.LogEntry)
		for _, e := range entries {
			byID[e.EventID] = e
		}
		if e := byID[lock]; e.StaffName != "Ada Admin" || e.Net == nil || e.Net.IP != address || e.ActorKind != events.ActorReseller { // S0-91
			t.Errorf("by staff: %+v", e)
		}
		if e := byID[renew]; e.StaffName != "Ada Admin" || e.ImpersonationID == nil || *e.ImpersonationID != impersonation { // S0-92
			t.Errorf("as customer: %+v", e)
		}
		if e := byID[privacy]; e.StaffName != "" || e.ImpersonationID != nil || e.SessionID == nil || *e.SessionID != session { // S0-93
			t.Errorf("by the customer: %+v", e)
		}
		if diff := cmp.Diff([]projections.Change{{Field: "lock", Before: true, After: false}}, byID[lock].Changes); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("bytes are exactly those of the log (LOG-05)", func(t *testing.T) {
		rows, err := w.queries.LogAfter(t.Context(), w.store, events.Position{}, nil, 500)
		if err != nil || len(rows) != len(all) {
			t.Fatal(len(rows), err)
		}
		records, err := w.log.ReadStream(t.Context(), stream, 0)
		if err != nil {
			t.Fatal(err)
		}
		stored := make(map[uuid.UUID]events.Record)
		for _, r := range records {
			stored[r.ID] = r
		}
		for i, row := range rows {
			if row.EventID != all[len(all)-1-i] {
				t.Errorf("row %d is not in the order of the log", i)
			}
			r, ok := stored[row.EventID]
			if ok && (!bytes.Equal(r.Data, row.Data) || !bytes.Equal(r.Metadata, row.Metadata) || row.Record().Position != r.Position) {
				t.Errorf("row of %s@%d differs from the record", r.Stream, r.Revision)
			}
		}
		some, err := w.queries.LogAfter(t.Context(), w.store, events.Position{}, []string{events.TypeDomainPushed}, 500)
		if err != nil || len(some) != 1 || some[0].EventID != push {
			t.Fatal(some, err)
		}
	})
	t.Run("another store sees nothing", func(t *testing.T) {
		for _, f := range []projections.LogFilter{{}, {CustomerID: alice}, {DomainID: domain}, {CustomerID: alice, DomainID: domain}} {
			f.StoreID = uuid.New()
			if rows, _, err := w.queries.Log(t.Context(), f); err != nil || len(rows) > 0 {
				t.Fatal(rows, err)
			}
		}
	})
	w.exact()
}
