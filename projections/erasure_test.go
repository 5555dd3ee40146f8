package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

// A row comes to the same whether the tables were there when the keys were, or are
// made afterwards.
func TestErasedCustomer_S4_35(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, login := uuid.New(), uuid.New()
	stream := events.CustomerStream(id)
	created := events.CustomerCreated{
		CustomerID: id, LoginID: login, Origin: events.OriginStaff, Status: events.StatusActive, Email: events.Clear("eve@example.org"),
		Username: events.Clear("eve"), ExternalID: events.Clear("c-7"),
		Profile: events.Profile{FirstName: events.Clear("Eve"), LastName: events.Clear("Adams"), Company: events.Clear("ACME"), Country: events.Clear("DE")},
	}
	w.given(stream, created)
	w.given(stream, events.CustomerSuspended{CustomerID: id, Before: "active", After: "suspended", ReasonCode: events.ReasonFraud, HoldServices: true, Reason: events.Clear("stolen card")})
	w.given(stream, events.CustomerTagsChanged{CustomerID: id, Before: []string{}, After: []string{"vip"}})
	w.given(stream, events.CustomerEmailProvisionalSet{CustomerID: id, After: true})
	w.then()
	w.given(stream, events.CustomerErasureRequested{CustomerID: id, Before: "suspended", After: "deleted", DueAt: time.Now().UTC(), ReleaseNames: true})
	w.then()
	if row := w.mustCustomer(id); row.Status != events.StatusDeleted || row.ReasonCode != events.ReasonFraud || row.Email == nil {
		t.Fatalf("to be erased %+v", row)
	}
	w.given(stream, events.CustomerErasureCancelled{CustomerID: id, Before: "deleted", After: "suspended"})
	w.then()
	if row := w.mustCustomer(id); row.Status != events.StatusSuspended || row.ReasonCode != events.ReasonFraud {
		t.Fatalf("not any more %+v", row)
	}
	w.given(stream, events.CustomerErased{CustomerID: id, LoginID: login, Before: "deleted", After: "erased", ReleaseNames: true})
	for _, subject := range created.Creates() {
		if _, err := w.vault.Erase(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	w.given(stream, events.CustomerErasureCompleted{CustomerID: id, LoginID: login})
	w.then()
	row := w.mustCustomer(id)
	want := projections.Customer{
		CustomerID: id, StoreID: w.store, LoginID: login, Status: events.StatusErased, HoldServices: true, Origin: events.OriginStaff, Tags: []string{},
		StatusSince: row.StatusSince, StatusActorKind: events.ActorReseller, StatusActorID: w.staff.String(), StatusStaffID: &w.staff,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Revision: 7, Position: w.last.Commit,
	}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Fatalf("erased (-want +got):\n%s", diff)
	}
	var search string
	if err := w.pool.QueryRow(t.Context(), `SELECT search || username_rank FROM read_core.customers WHERE customer_id = $1`, id).Scan(&search); err != nil {
		t.Fatal(err)
	}
	var nobody string
	if err := w.pool.QueryRow(t.Context(), `SELECT search || username_rank FROM read_core.customers WHERE customer_id = $1`, w.nameless()).Scan(&nobody); err != nil {
		t.Fatal(err)
	}
	if search != nobody {
		t.Errorf("what it is found by is %q", search)
	}
	entries, _, err := w.queries.ReadLog(t.Context(), w.sealer, projections.LogFilter{StoreID: w.store, CustomerID: id})
	if err != nil || len(entries) != 8 {
		t.Fatalf("the log: %d entries, %v", len(entries), err)
	}
	if first := entries[7]; first.Changes[2] != (projections.Change{Field: "email", After: projections.ErasedText}) {
		t.Errorf("the log opens to %v", first.Changes)
	}
	w.exact()
}

// nameless is a customer who never had a name at all.
func (w *world) nameless() uuid.UUID {
	w.tb.Helper()
	id := uuid.New()
	w.given(events.CustomerStream(id), events.CustomerCreated{CustomerID: id, LoginID: uuid.New(), Status: events.StatusActive, Email: events.Personal{}})
	w.then()
	return id
}
