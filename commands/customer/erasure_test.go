package customer_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
	"github.com/stewardhq/steward/internal/policy"
)

var (
	asked = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	due   = asked.Add(72 * time.Hour)

	requested = events.CustomerErasureRequested{
		CustomerID: id, Before: events.StatusActive, After: events.StatusDeleted, DueAt: due, ReleaseNames: true,
	}
	cancelled = events.CustomerErasureCancelled{CustomerID: id, Before: events.StatusDeleted, After: events.StatusActive}
	erased    = events.CustomerErased{CustomerID: id, LoginID: login, Before: events.StatusDeleted, After: events.StatusErased, ReleaseNames: true}
	gone      = events.CustomerErasureCompleted{CustomerID: id, LoginID: login}

	released = events.CustomerNamesReleased{CustomerID: id, LoginID: login, Email: created.Email, Username: created.Username}
)

func TestRequestErasure(t *testing.T) {
	t.Parallel()
	request := func(by events.Actor, change func(*customer.RequestErasure)) customer.RequestErasure {
		c := customer.RequestErasure{By: by, Now: asked}
		if change != nil {
			change(&c)
		}
		return c
	}
	with := func(change func(*events.CustomerErasureRequested)) history {
		e := requested
		change(&e)
		return history{e}
	}
	set := func(values policy.Set) func(*customer.RequestErasure) {
		return func(c *customer.RequestErasure) { c.Policies = values }
	}
	held := func(force bool) func(*customer.RequestErasure) {
		return func(c *customer.RequestErasure) { c.HoldsDomains, c.Force = true, force }
	}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "S4-34 by staff", Given: history{created}, When: request(staff, nil), Then: history{requested}},
		{Name: "by the customer", Given: history{created}, When: request(self, nil), Then: history{requested}},
		{Name: "C17 not in the customer's place", Given: history{created}, When: request(helper, nil), Err: customer.ErrImpersonated},
		{Name: "not by the system", Given: history{created}, When: request(events.System("x"), nil), Err: customer.ErrImpersonated},
		{
			Name: "C1 the store's grace counts", Given: history{created}, When: request(staff, set(policy.Set{"erasure_grace_hours": "0"})),
			Then: with(func(e *events.CustomerErasureRequested) { e.DueAt = asked }),
		},
		{
			Name: "C1 also where deleting is disabled", Given: history{created}, When: request(self, set(policy.Set{"deletion": "disabled"})),
			Then: history{requested},
		},
		{
			Name: "C2 names can stay taken", Given: history{created}, When: request(staff, set(policy.Set{"release_identifiers": "never"})),
			Then: with(func(e *events.CustomerErasureRequested) { e.ReleaseNames = false }),
		},
		{
			Name: "of a suspended customer", Given: history{created, suspended}, When: request(staff, nil),
			Then: with(func(e *events.CustomerErasureRequested) { e.Before = events.StatusSuspended }),
		},
		{
			Name: "of a deleted one", Given: history{created, deleted}, When: request(staff, nil),
			Then: with(func(e *events.CustomerErasureRequested) { e.Before = events.StatusDeleted }),
		},
		{Name: "C11 staff give a reason where the store wants one", Given: history{created}, When: request(staff, set(policy.Set{"require_reason": "true"})), Err: customer.ErrNoReason},
		{Name: "C11 the customer needs none", Given: history{created}, When: request(self, set(policy.Set{"require_reason": "true"})), Then: history{requested}},
		{Name: "C25 not with domains", Given: history{created}, When: request(staff, held(false)), Err: customer.ErrHoldsDomains},
		{Name: "C25 unless forced", Given: history{created}, When: request(staff, held(true)), Then: history{requested}},
		{Name: "C25 which the customer cannot", Given: history{created}, When: request(self, held(true)), Err: customer.ErrHoldsDomains},
		{Name: "is under way", Given: history{created, requested}, When: request(staff, held(false))},
		{Name: "is done", Given: history{created, requested, erased}, When: request(staff, nil), Err: customer.ErrErased},
		{Name: "never was", When: request(staff, nil), Err: customer.ErrNotFound},
	})
}

func TestFrozenUntilErased(t *testing.T) {
	t.Parallel()
	given := history{created, requested}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "no change", Given: given, When: customer.EditProfile{Profile: events.Profile{City: events.Clear("x")}}, Err: customer.ErrErasurePending},
		{Name: "no other names", Given: given, When: customer.ChangeEmail{Email: "x@example.com"}, Err: customer.ErrErasurePending},
		{Name: "no suspension", Given: given, When: customer.Suspend{By: staff}, Err: customer.ErrErasurePending},
		{Name: "no restoration", Given: given, When: customer.Restore{By: staff}, Err: customer.ErrErasurePending},
		{Name: "deleting finds it so", Given: given, When: customer.Delete{By: staff, Now: asked}},
		{
			Name: "what is known is given out", Given: given, When: customer.Export{By: staff, Purpose: "request 7"}, Anew: true,
			Then: history{events.CustomerExported{CustomerID: id, Purpose: events.Clear("request 7")}},
		},
	})
}

func TestCancelErasure(t *testing.T) {
	t.Parallel()
	at := func(now time.Time) customer.CancelErasure { return customer.CancelErasure{By: staff, Now: now} }
	second := requested
	second.Before = events.StatusDeleted
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "leads back", Given: history{created, requested}, When: at(due.Add(-time.Second)), Then: history{cancelled}},
		{
			Name: "also to a deletion", Given: history{created, deleted, second}, When: at(asked),
			Then: history{events.CustomerErasureCancelled{CustomerID: id, Before: events.StatusDeleted, After: events.StatusDeleted}},
		},
		{
			Name: "which can be restored then", Given: history{created, deleted, second, events.CustomerErasureCancelled{CustomerID: id, Before: events.StatusDeleted, After: events.StatusDeleted}},
			When: customer.Restore{By: staff}, Then: history{events.CustomerRestored{CustomerID: id, Before: events.StatusDeleted, After: events.StatusActive}},
		},
		{Name: "not when it is due", Given: history{created, requested}, When: at(due), Err: customer.ErrErasureDue},
		{Name: "nothing to cancel", Given: history{created}, When: at(asked)},
		{Name: "not after it", Given: history{created, requested, erased}, When: at(asked), Err: customer.ErrErased},
		{Name: "is for staff", Given: history{created, requested}, When: customer.CancelErasure{By: self, Now: asked}, Err: customer.ErrStaffOnly},
		{Name: "never was", When: at(asked), Err: customer.ErrNotFound},
	})
}

func TestErase(t *testing.T) {
	t.Parallel()
	at := func(now time.Time) customer.Erase { return customer.Erase{Now: now} }
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "when it is due", Given: history{created, requested}, When: at(due), Then: history{erased}},
		{Name: "not before", Given: history{created, requested}, When: at(due.Add(-time.Second)), Err: customer.ErrErasureNotDue},
		{Name: "not unasked", Given: history{created}, When: at(due), Err: customer.ErrErasureNotDue},
		{Name: "not after it was cancelled", Given: history{created, requested, cancelled}, When: at(due), Err: customer.ErrErasureNotDue},
		{Name: "is done", Given: history{created, requested, erased}, When: at(due)},
		{Name: "never was", When: at(due), Err: customer.ErrNotFound},

		{Name: "is complete without keys", Given: history{created, requested, erased}, When: customer.CompleteErasure{}, Then: history{gone}},
		{Name: "is complete once", Given: history{created, requested, erased, gone}, When: customer.CompleteErasure{}},
		{Name: "is not complete before", Given: history{created, requested}, When: customer.CompleteErasure{}, Err: customer.ErrErasureNotDue},

		{Name: "S4-34 is not restored", Given: history{created, requested, erased}, When: customer.Restore{By: staff}, Err: customer.ErrErased},
		{Name: "accepts nothing", Given: history{created, requested, erased}, When: customer.EditProfile{Profile: events.Profile{City: events.Clear("x")}}, Err: customer.ErrErased},
		{Name: "gives nothing out", Given: history{created, requested, erased}, When: customer.Export{By: staff, Purpose: "x"}, Err: customer.ErrErased},
	})
	tagged := events.CustomerTagsChanged{CustomerID: id, After: []string{"vip"}}
	state := customer.Decider.Fold(history{created, tagged, onHold, requested, erased})
	want := customer.State{ID: id, LoginID: login, Status: events.StatusErased, Hold: true, Standing: 3}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("what is left of an erased customer (-want +got): %s", diff)
	}
}

func TestDeletePolicies(t *testing.T) {
	t.Parallel()
	early := policy.Set{"release_identifiers": "on_delete"}
	erasing := policy.Set{"deletion": "erase"}
	back := events.CustomerRestored{CustomerID: id, Before: events.StatusDeleted, After: events.StatusActive}
	claimed := events.CustomerNamesClaimed{CustomerID: id, LoginID: login, Email: created.Email, Username: created.Username}
	other := claimed
	other.Email, other.Username = events.Clear("a@example.com"), events.Clear("ada2")
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "C1 deleting can be erasing", Given: history{created}, When: customer.Delete{By: staff, Policies: erasing, Now: asked}, Then: history{requested}},
		{Name: "C1 what was deleted before stays so", Given: history{created, deleted}, When: customer.Delete{By: staff, Policies: erasing, Now: asked}},
		{Name: "C25 not with domains", Given: history{created}, When: customer.Delete{By: staff, HoldsDomains: true}, Err: customer.ErrHoldsDomains},
		{Name: "C25 nor if it erases", Given: history{created}, When: customer.Delete{By: staff, HoldsDomains: true, Policies: erasing, Now: asked}, Err: customer.ErrHoldsDomains},
		{Name: "C25 unless forced", Given: history{created}, When: customer.Delete{By: staff, HoldsDomains: true, Force: true}, Then: history{deleted}},
		{Name: "C2 names can be released at once", Given: history{created}, When: customer.Delete{By: staff, Policies: early}, Then: history{deleted, released}},
		{Name: "C2 and are taken again", Given: history{created, deleted, released}, When: customer.Restore{By: staff}, Then: history{claimed, back}},
		{
			Name: "C2 or others", Given: history{created, deleted, released}, Then: history{other, back},
			When: customer.Restore{By: staff, Email: new("a@example.com"), Username: new("ada2")},
		},
		{Name: "C2 which must be good ones", Given: history{created, deleted, released}, When: customer.Restore{By: staff, Email: new("a")}, Err: customer.ErrInvalid, Field: "email"},
		{Name: "C2 no others while they are kept", Given: history{created, deleted}, When: customer.Restore{By: staff, Email: new("a@example.com")}, Err: customer.ErrNamesKept},
	})
	if s := customer.Decider.Fold(history{created, deleted, released, other, back}); s.Email != other.Email || s.Username != other.Username || s.NamesReleased {
		t.Errorf("restored with other names: %+v", s)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	exported := history{events.CustomerExported{CustomerID: id, Purpose: events.Clear("access request")}}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "to staff", Given: history{created}, When: customer.Export{By: staff, Purpose: " access request "}, Then: exported, Anew: true},
		{Name: "to the customer", Given: history{created}, When: customer.Export{By: self, Purpose: "access request"}, Then: exported, Anew: true},
		{Name: "not in the customer's place", Given: history{created}, When: customer.Export{By: helper, Purpose: "x"}, Err: customer.ErrImpersonated},
		{Name: "for a purpose", Given: history{created}, When: customer.Export{By: staff}, Err: customer.ErrInvalid, Field: "purpose"},
		{Name: "never was", When: customer.Export{By: staff, Purpose: "x"}, Err: customer.ErrNotFound},
	})
}

// Whoever is named in the keys of a completed erasure ends with it, once each.
func TestErasureCompleted_Ends(t *testing.T) {
	t.Parallel()
	credential := events.Subject{Kind: events.SubjectCredential, ID: uuid.New()}
	e := gone
	e.Keys = []events.DestroyedKey{{Subject: "customer:" + id.String()}, {Subject: "login:" + login.String()}, {Subject: credential.String()}}
	ends := e.Ends()
	if len(ends) != 3 || ends[2] != credential {
		t.Errorf("it ends %v", ends)
	}
}
