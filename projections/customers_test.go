package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

func (w *world) mustCustomer(id uuid.UUID) projections.Customer {
	w.tb.Helper()
	row, ok, err := w.queries.Customer(w.tb.Context(), w.store, id)
	if err != nil || !ok {
		w.tb.Fatalf("customer %s: found %v, %v", id, ok, err)
	}
	return row
}

// list returns the ids of a list, page by page.
func (w *world) list(f projections.CustomerFilter) []uuid.UUID {
	w.tb.Helper()
	f.StoreID = w.store
	var ids []uuid.UUID
	for {
		rows, next, err := w.queries.Customers(w.tb.Context(), f)
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, r := range rows {
			ids = append(ids, r.CustomerID)
		}
		if next == nil {
			return ids
		}
		f.After = next
	}
}

func TestCustomerRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, login := uuid.New(), uuid.New()
	stream := events.CustomerStream(id)
	given := func(e events.Event) projections.Customer {
		t.Helper()
		w.given(stream, e)
		w.then()
		return w.mustCustomer(id)
	}
	row := given(events.CustomerCreated{
		CustomerID: id, LoginID: login, Origin: events.OriginStaff, Status: events.StatusActive, Email: events.Clear("Eve@Example.org"),
		Username: events.Clear("eve"), ExternalID: events.Clear("c-7"),
		Profile: events.Profile{FirstName: events.Clear("Eve"), LastName: events.Clear("Adams"), Company: events.Clear("ACME"), Country: events.Clear("DE")},
	})
	text := func(s string) *string { return &s }
	want := projections.Customer{
		CustomerID: id, StoreID: w.store, LoginID: login, Status: events.StatusActive, Origin: events.OriginStaff,
		Email: text("Eve@Example.org"), Username: text("eve"), FirstName: text("Eve"), LastName: text("Adams"), Company: text("ACME"),
		Country: text("DE"), ExternalID: text("c-7"), Tags: []string{}, StatusSince: row.CreatedAt, StatusActorKind: events.ActorReseller,
		StatusActorID: w.staff.String(), StatusStaffID: &w.staff, CreatedAt: row.CreatedAt, UpdatedAt: row.CreatedAt, Position: w.last.Commit,
	}
	if diff := cmp.Diff(want, row); diff != "" || time.Since(row.CreatedAt) > patience {
		t.Fatalf("created (-want +got):\n%s", diff)
	}
	row = given(events.CustomerProfileEdited{
		CustomerID: id, Before: events.Profile{LastName: events.Clear("Adams"), Company: events.Clear("ACME")}, After: events.Profile{LastName: events.Clear("Baker")},
	})
	if *row.LastName != "Baker" || row.Company != nil || *row.FirstName != "Eve" || row.Revision != 1 {
		t.Fatalf("edited %+v", row)
	}
	row = given(events.CustomerEmailChanged{CustomerID: id, LoginID: login, Before: events.Clear("Eve@Example.org"), After: events.Clear("e@x.example")})
	if *row.Email != "e@x.example" {
		t.Fatalf("email %+v", row)
	}
	row = given(events.CustomerUsernameChanged{CustomerID: id, LoginID: login, Before: events.Clear("eve"), After: events.Clear("eva")})
	if *row.Username != "eva" {
		t.Fatalf("username %+v", row)
	}
	row = given(events.CustomerExternalIDChanged{CustomerID: id, Before: events.Clear("c-7")})
	if row.ExternalID != nil {
		t.Fatalf("external id %+v", row)
	}
	row = given(events.CustomerSuspended{CustomerID: id, Before: "active", After: "suspended", ReasonCode: events.ReasonFraud, HoldServices: true})
	if row.Status != events.StatusSuspended || row.ReasonCode != events.ReasonFraud || !row.HoldServices || row.StatusSince != row.UpdatedAt {
		t.Fatalf("suspended %+v", row)
	}
	// Suspended again without a hold: the flag is set, not added to.
	if row := given(events.CustomerSuspended{CustomerID: id, Before: "suspended", After: "suspended"}); row.HoldServices {
		t.Fatal("still on hold after a suspension without one")
	}
	row = given(events.CustomerSuspended{CustomerID: id, Before: "suspended", After: "suspended", HoldServices: true})
	row = given(events.CustomerReactivated{CustomerID: id, Before: "suspended", After: "active", ReleaseServices: true})
	if row.Status != events.StatusActive || row.ReasonCode != "" || row.HoldServices {
		t.Fatalf("reactivated %+v", row)
	}
	row = given(events.CustomerBanned{CustomerID: id, Before: "active", After: "banned", ReasonCode: events.ReasonTerms})
	if row.Status != events.StatusBanned || row.ReasonCode != events.ReasonTerms {
		t.Fatalf("banned %+v", row)
	}
	row = given(events.CustomerDeleted{CustomerID: id, Before: "banned", After: "deleted"})
	if row.Status != events.StatusDeleted {
		t.Fatalf("deleted %+v", row)
	}
	row = given(events.CustomerRestored{CustomerID: id, Before: "deleted", After: "banned"})
	if row.Status != events.StatusBanned || row.ReasonCode != events.ReasonTerms {
		t.Fatalf("restored %+v", row)
	}
	row = given(events.UniqClaimAborted{Claim: events.Claim{Stream: stream, ExpectedRevision: 9}})
	if row.Revision != 12 || row.Position != w.last.Commit {
		t.Fatalf("sealed %+v", row)
	}
	never := events.CustomerStream(uuid.New())
	w.given(never, events.UniqClaimAborted{Claim: events.Claim{Stream: never, ExpectedRevision: -1}})
	w.exact()
}

func TestBadge_S1_11_S1_12_S1_13(t *testing.T) {
	t.Parallel()
	for status, want := range map[events.CustomerStatus]projections.Badge{
		events.StatusActive: "green", events.StatusSuspended: "yellow", events.StatusPending: "yellow", events.StatusBanned: "red",
		events.StatusDeleted: "", events.StatusErased: "",
	} {
		if got := (projections.Customer{Status: status}).Badge(); got != want {
			t.Errorf("%s has the badge %q, want %q", status, got, want)
		}
	}
}

func TestCustomerSearch_S0_13_S0_14_S0_15_S1_15(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jane := w.customer(person{"Jané", "O'Mülleroy", "jdoe_99", "Jane.Doe+1@Example.org"})
	john := w.customer(person{"John", "Smith", "", "js@example.org"})
	percent := w.customer(person{"Per%cent", "Under_score", "back\\slash", "p@x.example"})
	gone := w.customer(person{"Jane", "Gone", "", "gone@example.org"})
	w.given(events.CustomerStream(gone), events.CustomerDeleted{CustomerID: gone, Before: "active", After: "deleted"})
	w.then()
	for name, c := range map[string]struct {
		filter projections.CustomerFilter
		want   []uuid.UUID
	}{
		"part of a first name":              {projections.CustomerFilter{Query: "ohn"}, []uuid.UUID{john}},
		"part of a surname":                 {projections.CustomerFilter{Query: "mit"}, []uuid.UUID{john}},
		"first name and surname":            {projections.CustomerFilter{Query: "john smi"}, []uuid.UUID{john}},
		"case does not count":               {projections.CustomerFilter{Query: "SMITH"}, []uuid.UUID{john}},
		"accents do not count":              {projections.CustomerFilter{Query: "jane o'mull"}, []uuid.UUID{jane}},
		"nor in the term":                   {projections.CustomerFilter{Query: "MÜLLER"}, []uuid.UUID{jane}},
		"part of a username":                {projections.CustomerFilter{Query: "oe_9"}, []uuid.UUID{jane}},
		"part of an email":                  {projections.CustomerFilter{Query: "doe+1@exam"}, []uuid.UUID{jane}},
		"two characters begin a first name": {projections.CustomerFilter{Query: "jo"}, []uuid.UUID{john}},
		"or a surname":                      {projections.CustomerFilter{Query: "sm"}, []uuid.UUID{john}},
		"or a username":                     {projections.CustomerFilter{Query: "jd"}, []uuid.UUID{jane}},
		"or an email":                       {projections.CustomerFilter{Query: "js"}, []uuid.UUID{john}},
		"but are not found inside":          {projections.CustomerFilter{Query: "mi"}, nil},
		"one character":                     {projections.CustomerFilter{Query: "p"}, []uuid.UUID{percent}},
		"a percent sign is itself":          {projections.CustomerFilter{Query: "per%c"}, []uuid.UUID{percent}},
		"so is an underscore":               {projections.CustomerFilter{Query: "der_s"}, []uuid.UUID{percent}},
		"and a backslash":                   {projections.CustomerFilter{Query: `ck\s`}, []uuid.UUID{percent}},
		"not across fields":                 {projections.CustomerFilter{Query: "smithjs"}, nil},
		"a wildcard alone finds nothing":    {projections.CustomerFilter{Query: "%%%"}, nil},
		"deleted ones when asked for":       {projections.CustomerFilter{Query: "gone", Statuses: []events.CustomerStatus{"deleted"}}, []uuid.UUID{gone}},
		"and not otherwise":                 {projections.CustomerFilter{Query: "gone"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, w.list(c.filter)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
	if rows, _, err := w.queries.Customers(t.Context(), projections.CustomerFilter{StoreID: uuid.New(), Query: "smith"}); err != nil || len(rows) > 0 {
		t.Fatalf("another store sees %v, %v", rows, err)
	}
	if _, ok, err := w.queries.Customer(t.Context(), uuid.New(), john); err != nil || ok {
		t.Fatalf("another store sees the customer: %v", err)
	}
}

func TestCustomerOrder_S0_12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []uuid.UUID
	for _, p := range []person{{"A", "A", "delta", "a@x.example"}, {"B", "B", "", "b@x.example"}, {"C", "C", "Alpha", "c@x.example"}, {"D", "D", "beta", "d@x.example"}} {
		ids = append(ids, w.customer(p))
	}
	for _, i := range []int{1, 0, 2, 1} {
		w.signsIn(ids[i], address)
	}
	w.refused(ids[3], events.RefusedPassword)
	w.refused(ids[0], events.RefusedCode)
	w.then()
	for order, want := range map[projections.CustomerOrder][]uuid.UUID{
		"":                              {ids[1], ids[2], ids[0], ids[3]},
		projections.CustomersByCreation: {ids[3], ids[2], ids[1], ids[0]},
		projections.CustomersByUsername: {ids[2], ids[3], ids[0], ids[1]},
	} {
		for _, limit := range []int{0, 1, 3} {
			for _, q := range []string{"", "x.example"} {
				if diff := cmp.Diff(want, w.list(projections.CustomerFilter{Order: order, Limit: limit, Query: q})); diff != "" {
					t.Errorf("order %q, pages of %d, term %q (-want +got):\n%s", order, limit, q, diff)
				}
			}
		}
	}
}

// TestSearchOnEveryPath compares what a search finds with what a plain scan
// finds, for terms of all frequencies.
func TestSearchOnEveryPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCrowd(true)
	c.load(t, w.pool, w.store, 3*projections.SampleRows)
	for _, term := range []string{"ber", "an", "a", "mann", "gmail", "brec", "lamm", "xayor", "berc", "vinwal", "nobody", ".example", "an.ber2"} {
		var want []uuid.UUID
		rows, err := w.pool.Query(t.Context(), `
			SELECT customer_id FROM read_core.customers
			WHERE status <> 'deleted' AND CASE WHEN length($1) < 3 THEN search ~ ('\n' || $1) ELSE position($1 IN search) > 0 END
			ORDER BY last_sign_in_at DESC NULLS LAST, customer_id`, term)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id uuid.UUID
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, w.list(projections.CustomerFilter{Query: term, Limit: projections.MaxLimit})); diff != "" {
			t.Errorf("%q: %d rows (-want +got):\n%s", term, len(want), diff)
		}
	}
}

func TestErasedPersonIsNull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, login := uuid.New(), uuid.New()
	w.given(events.CustomerStream(id), events.CustomerCreated{
		CustomerID: id, LoginID: login, Origin: events.OriginSelf, Status: events.StatusActive, Email: events.Clear("eve@example.org"),
		Profile: events.Profile{FirstName: events.Clear("Eve")},
	})
	for _, subject := range []events.Subject{{Kind: events.SubjectCustomer, ID: id}, {Kind: events.SubjectLogin, ID: login}} {
		if _, err := w.vault.Erase(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	w.then()
	if row := w.mustCustomer(id); row.Email != nil || row.FirstName != nil {
		t.Fatalf("row %+v", row)
	}
	entries, _, err := w.queries.ReadLog(t.Context(), w.sealer, projections.LogFilter{StoreID: w.store, CustomerID: id})
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	for _, change := range entries[0].Changes {
		if change.Field == "email" && change.After != projections.ErasedText {
			t.Fatalf("email %v", change)
		}
	}
	w.exact()
}
