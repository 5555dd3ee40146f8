package projections_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

// lastFrom is where a customer last signed in from; "" if that is not known.
func (w *world) lastFrom(id uuid.UUID) string {
	w.tb.Helper()
	from, err := w.queries.LastSignIns(w.tb.Context(), w.sealer, w.store, w.mustCustomer(id))
	if err != nil {
		w.tb.Fatal(err)
	}
	return from[id].IP
}

func TestLastSignIn_S1_27(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.customer(person{"Ada", "Lovelace", "ada", "ada@x.example"})
	w.then()
	if row := w.mustCustomer(id); row.LastSignInAt != nil || w.lastFrom(id) != "" {
		t.Fatalf("never signed in: %+v", row)
	}
	w.signsIn(id, "203.0.113.7")
	w.then()
	first := w.mustCustomer(id)
	if first.LastSignInAt == nil || w.lastFrom(id) != "203.0.113.7" || first.Revision != 0 || first.UpdatedAt != first.CreatedAt {
		t.Fatalf("signed in: %+v, from %s", first, w.lastFrom(id))
	}

	w.refused(id, events.RefusedPassword)
	w.refused(id, events.RefusedUnreadable)
	helping, choosing := uuid.New(), uuid.New()
	w.by(events.Actor{Kind: events.ActorAsCustomer, ID: id.String(), StaffID: w.staff}, "192.0.2.99", events.SessionStream(helping), events.SessionStarted{
		SessionID: helping, CustomerID: id, Methods: []events.AuthMethod{},
	})
	w.by(events.Customer(id, choosing), "192.0.2.98", events.SessionStream(choosing), events.SessionStarted{
		SessionID: choosing, CustomerID: id, Scope: events.ScopePassword, Methods: []events.AuthMethod{events.MethodLink},
	})
	w.then()
	if row := w.mustCustomer(id); !row.LastSignInAt.Equal(*first.LastSignInAt) || w.lastFrom(id) != "203.0.113.7" {
		t.Errorf("something else moved the last sign-in: %+v, from %s", row, w.lastFrom(id))
	}
	if got := w.attempts(projections.SignInFilter{CustomerID: id, Outcome: projections.SignInSucceeded}); len(got) != 1 {
		t.Errorf("%d sign-ins", len(got))
	}

	w.signsIn(id, "203.0.113.8")
	w.then()
	if row := w.mustCustomer(id); !row.LastSignInAt.After(*first.LastSignInAt) || w.lastFrom(id) != "203.0.113.8" {
		t.Errorf("signed in again: %+v, from %s", row, w.lastFrom(id))
	}
	w.exact()
	if _, err := w.vault.Erase(t.Context(), events.Subject{Kind: events.SubjectCustomer, ID: id}); err != nil {
		t.Fatal(err)
	}
	if w.lastFrom(id) != "" {
		t.Error("the address of somebody who was erased is shown")
	}
}

// attempts lists attempts to sign in page by page.
func (w *world) attempts(f projections.SignInFilter) []projections.LogEntry {
	w.tb.Helper()
	var all []projections.LogEntry
	for f.StoreID, f.Limit = w.store, 2; ; {
		found, next, err := w.queries.SignIns(w.tb.Context(), w.sealer, f)
		if err != nil {
			w.tb.Fatal(err)
		}
		all = append(all, found...)
		if f.Before = next; next == (events.Position{}) {
			return all
		}
	}
}

func TestSignIns_CRE_09_S0_87_S3_61(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.customer(person{"Ada", "L", "ada", "ada@x.example"}), w.customer(person{"Bob", "B", "bob", "bob@x.example"})
	attempt := uuid.New()
	challenged := events.Customer(ada, uuid.Nil)
	w.by(challenged, address, events.SessionStream(attempt), events.SessionChallenged{SessionID: attempt, CustomerID: ada})
	w.by(challenged, address, events.SessionStream(attempt), events.SessionFactorRefused{
		SessionID: attempt, CustomerID: ada, Reason: events.RefusedUsedCode, Method: events.MethodCode,
	})
	w.by(events.Customer(ada, attempt), address, events.SessionStream(attempt), events.SessionStarted{
		SessionID: attempt, CustomerID: ada, Methods: []events.AuthMethod{events.MethodPassword, events.MethodCode},
	})
	w.refused(bob, events.RefusedPassword)
	w.signsIn(bob, address)
	unknown := uuid.New()
	w.by(events.Customer(uuid.Nil, uuid.Nil), "198.51.100.1", events.SessionStream(unknown), events.SessionRefused{
		SessionID: unknown, Reason: events.RefusedUnknown, VisitorID: events.VisitorID(w.store, time.Now()), Name: events.Clear("eve"),
	})
	w.then()
	type line struct{ customer, what, ip string }
	names := map[uuid.UUID]string{ada: "ada", bob: "bob"}
	lines := func(f projections.SignInFilter) []line {
		t.Helper()
		all := []line{}
		for _, e := range w.attempts(f) {
			l := line{what: e.Type}
			if e.CustomerID != nil {
				l.customer = names[*e.CustomerID]
			}
			switch event := e.Envelope.Event.(type) {
			case events.SessionRefused:
				l.what = string(event.Reason)
				if name, ok := event.Name.Reveal(); ok {
					l.what += " " + name
				}
			case events.SessionFactorRefused:
				l.what = string(event.Reason)
			}
			if e.Net != nil {
				l.ip = e.Net.IP
			}
			all = append(all, l)
		}
		return all
	}
	all := []line{
		{"", "unknown_name eve", "198.51.100.1"},
		{"bob", events.TypeSessionStarted, address},
		{"bob", "wrong_password", "198.51.100.9"},
		{"ada", events.TypeSessionStarted, address},
		{"ada", "already_used", address},
	}
	for name, c := range map[string]struct {
		filter projections.SignInFilter
		want   []line
	}{
		"all":                        {projections.SignInFilter{}, all},
		"those of a customer":        {projections.SignInFilter{CustomerID: ada}, all[3:]},
		"those that failed":          {projections.SignInFilter{Outcome: projections.SignInFailed}, []line{all[0], all[2], all[4]}},
		"those that succeeded":       {projections.SignInFilter{Outcome: projections.SignInSucceeded}, []line{all[1], all[3]}},
		"for a reason":               {projections.SignInFilter{Reason: events.RefusedUsedCode}, all[4:]},
		"for a reason of a customer": {projections.SignInFilter{CustomerID: bob, Reason: events.RefusedUsedCode}, []line{}},
		"a customer's failures":      {projections.SignInFilter{CustomerID: bob, Outcome: projections.SignInFailed}, all[2:3]},
		"a reason of a success":      {projections.SignInFilter{Outcome: projections.SignInSucceeded, Reason: events.RefusedUsedCode}, []line{}},
	} {
		if diff := cmp.Diff(c.want, lines(c.filter), cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.exact()
}

func TestCustomerFilters_S3_05_S4_16_CUS12_CUS_05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []uuid.UUID
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, w.customer(person{name, "X", name + "name", name + "@x.example"}))
	}
	with := func(id uuid.UUID, all ...events.Event) {
		for _, e := range all {
			stream := events.CustomerStream(id)
			if _, ok := e.(events.LoginEvent); ok {
				stream = events.LoginStream(id)
			}
			w.given(stream, e)
		}
	}
	enabled := func(id uuid.UUID) events.Event {
		return events.LoginTwoFactorEnabled{LoginID: id, CustomerID: id, CredentialID: uuid.New(), RecoveryID: uuid.New(), Recovery: events.Clear("x")}
	}
	with(ids[0], enabled(ids[0]), events.CustomerTagsChanged{CustomerID: ids[0], Before: []string{}, After: []string{"new", "vip"}})
	with(ids[1], enabled(ids[1]), events.LoginTwoFactorDisabled{LoginID: ids[1], CustomerID: ids[1]})
	with(ids[2], enabled(ids[2]), events.CustomerEmailProvisionalSet{CustomerID: ids[2], After: true})
	with(ids[3], events.CustomerEmailProvisionalSet{CustomerID: ids[3], After: true}, events.CustomerEmailProvisionalSet{CustomerID: ids[3], Before: true})
	with(ids[3], events.CustomerTagsChanged{CustomerID: ids[3], Before: []string{}, After: []string{"vip"}})
	with(ids[4], events.CustomerTagsChanged{CustomerID: ids[4], Before: []string{}, After: []string{"vip"}}, events.CustomerTagsChanged{CustomerID: ids[4], Before: []string{"vip"}, After: []string{}})
	w.then()
	for name, c := range map[string]struct {
		filter projections.CustomerFilter
		want   []int
	}{
		"with a second factor":    {projections.CustomerFilter{TwoFactor: new(true)}, []int{0, 2}},
		"without one":             {projections.CustomerFilter{TwoFactor: new(false)}, []int{1, 3, 4}},
		"with a stand-in":         {projections.CustomerFilter{Provisional: true}, []int{2}},
		"under a tag":             {projections.CustomerFilter{Tag: "vip"}, []int{0, 3}},
		"under the other tag":     {projections.CustomerFilter{Tag: "new"}, []int{0}},
		"under no such tag":       {projections.CustomerFilter{Tag: "v"}, nil},
		"all of them":             {projections.CustomerFilter{Tag: "vip", TwoFactor: new(true)}, []int{0}},
		"all of them, to nothing": {projections.CustomerFilter{Provisional: true, TwoFactor: new(false)}, nil},
	} {
		var want []uuid.UUID
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		for _, order := range []projections.CustomerOrder{projections.CustomersBySignIn, projections.CustomersByCreation, projections.CustomersByUsername} {
			for _, term := range []string{"", "x.example"} {
				f := c.filter
				f.Order, f.Query, f.Limit = order, term, 1
				got := w.list(f)
				sorted := func(ids []uuid.UUID) []uuid.UUID {
					return slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
				}
				if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
					t.Errorf("%s, by %s, term %q (-want +got):\n%s", name, order, term, diff)
				}
			}
		}
	}
	w.exact()
}

func TestPasswordSchemes_S1_46(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []uuid.UUID
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, w.customer(person{name, "X", name + "name", name + "@x.example"}))
	}
	password := func(id uuid.UUID, scheme string) {
		w.given(events.LoginStream(id), events.LoginPasswordSet{
			LoginID: id, CustomerID: id, CredentialID: uuid.New(), Hash: events.Clear("$"), Scheme: scheme, Cause: events.PasswordChanged,
		})
	}
	for i, scheme := range []string{"argon2id", "bcrypt", "bcrypt", "bcrypt"} {
		password(ids[i], scheme)
	}
	password(ids[1], "argon2id")
	w.refused(ids[2], events.RefusedUnreadable)
	w.refused(ids[3], events.RefusedUnreadable)
	w.refused(ids[0], events.RefusedPassword)
	w.signsIn(ids[3], address) // what reads it was put back
	w.given(events.CustomerStream(ids[0]), events.CustomerDeleted{CustomerID: ids[0], Before: "active", After: "deleted"})
	w.then()
	got, err := w.queries.PasswordSchemes(t.Context(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	want := []projections.PasswordScheme{
		{Scheme: new("argon2id"), Customers: 2}, {Scheme: new("bcrypt"), Customers: 2, Unreadable: 1}, {Customers: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := w.queries.PasswordSchemes(t.Context(), uuid.New()); err != nil || len(got) > 0 {
		t.Errorf("another store sees %v, %v", got, err)
	}
	w.exact()
}

func TestLogForCustomers_S1_26_CUS_11(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.customer(person{"Ada", "Lovelace", "ada", "ada@x.example"})
	w.given(events.CustomerStream(id), events.CustomerNoteAdded{CustomerID: id, Text: events.Clear("shouts")})
	w.given(events.CustomerStream(id), events.CustomerTagsChanged{CustomerID: id, Before: []string{}, After: []string{"loud"}})
	w.then()
	types := func(f projections.LogFilter) (all []string) {
		f.StoreID, f.CustomerID = w.store, id
		entries, _, err := w.queries.ReadLog(t.Context(), w.sealer, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Type)
		}
		return all
	}
	if diff := cmp.Diff([]string{"customer.tags_changed", "customer.note_added", "customer.created"}, types(projections.LogFilter{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"customer.created"}, types(projections.LogFilter{Public: true})); diff != "" {
		t.Error(diff)
	}
	if got := types(projections.LogFilter{Public: true, Type: events.TypeCustomerNoteAdded}); len(got) > 0 {
		t.Errorf("asked for by name it shows %v", got)
	}
}
