package impersonation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/impersonation"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.ImpersonationEvent
	tcase   = decidertest.Case[impersonation.Command, events.ImpersonationEvent]
)

var (
	id       = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	customer = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	member   = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003")
	key      = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0004")
	now      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	issued = events.ImpersonationIssued{
		ImpersonationID: id, CustomerID: customer, StaffID: member, APIKeyID: key, Scope: events.ImpersonationFull,
		Prefix: "stw_imp_0123456789abcdef", ExpiresAt: now.Add(time.Minute), KeyVersion: 2, Standing: 3,
	}
	redeemed = events.ImpersonationRedeemed{
		ImpersonationID: id, CustomerID: customer, StaffID: member, TokenHash: "00ff", IdleSeconds: 600, ExpiresAt: now.Add(time.Hour),
	}
	viewed = events.ImpersonationCustomerViewed{ImpersonationID: id, CustomerID: customer, Until: now.Add(10 * time.Minute)}
	ended  = events.ImpersonationEnded{ImpersonationID: id, CustomerID: customer, Reason: events.ImpersonationLeft}
)

func issue(change func(*impersonation.Issue)) impersonation.Issue {
	c := impersonation.Issue{
		ImpersonationID: id, CustomerID: customer, StaffID: member, APIKeyID: key, Scope: events.ImpersonationFull,
		Prefix: "stw_imp_0123456789abcdef", ExpiresAt: now.Add(time.Minute), KeyVersion: 2, Standing: 3, Explained: true, Required: true,
	}
	change(&c)
	return c
}

func TestIssue(t *testing.T) {
	t.Parallel()
	silent := issue(func(c *impersonation.Issue) { c.Explained = false })
	decidertest.Run(t, impersonation.Decider, []tcase{
		{Name: "S0-40 to a member of the team", When: issue(func(*impersonation.Issue) {}), Then: history{issued}, Again: impersonation.ErrExists},
		{Name: "I5 not without a reason where the store wants one", When: silent, Err: impersonation.ErrNoReason, Field: "reason"},
		{
			Name: "without one where it does not", When: issue(func(c *impersonation.Issue) { c.Explained, c.Required = false, false }),
			Then: history{issued}, Again: impersonation.ErrExists,
		},
		{Name: "not in a scope that does not exist", When: issue(func(c *impersonation.Issue) { c.Scope = "all" }), Err: impersonation.ErrScope, Field: "scope"},
		{Name: "once", Given: history{issued}, When: issue(func(*impersonation.Issue) {}), Err: impersonation.ErrExists},
	})
}

func TestRedeem(t *testing.T) {
	t.Parallel()
	redeem := func(change func(*impersonation.Redeem)) impersonation.Redeem {
		c := impersonation.Redeem{Standing: 3, TokenHash: "00ff", Idle: 10 * time.Minute, ExpiresAt: now.Add(time.Hour), Now: now}
		change(&c)
		return c
	}
	plain := redeem(func(*impersonation.Redeem) {})
	decidertest.Run(t, impersonation.Decider, []tcase{
		{Name: "I1 once", Given: history{issued}, When: plain, Then: history{redeemed}, Again: impersonation.ErrGrantOver},
		{Name: "S0-51 I1 not again", Given: history{issued, redeemed}, When: plain, Err: impersonation.ErrGrantOver},
		{
			Name: "S0-51 P18 not after a minute", Given: history{issued},
			When: redeem(func(c *impersonation.Redeem) { c.Now = now.Add(time.Minute) }), Err: impersonation.ErrGrantOver,
		},
		{
			Name: "I5 not when the customer was shut out since", Given: history{issued},
			When: redeem(func(c *impersonation.Redeem) { c.Standing = 4 }), Err: impersonation.ErrGrantOver,
		},
		{Name: "not after it was stopped", Given: history{issued, ended}, When: plain, Err: impersonation.ErrGrantOver},
		{Name: "S0-51 never issued", When: plain, Err: impersonation.ErrNotFound},
	})
}

func TestSession(t *testing.T) {
	t.Parallel()
	view := impersonation.View{Now: now, Until: now.Add(10 * time.Minute)}
	later := impersonation.View{Now: now.Add(10 * time.Minute), Until: now.Add(20 * time.Minute)}
	refuse := impersonation.Refuse{Route: "POST /v1/sign-out", Reason: events.RefusedAsCustomer, Now: now}
	end := impersonation.End{Reason: events.ImpersonationLeft}
	in := history{issued, redeemed}
	decidertest.Run(t, impersonation.Decider, []tcase{
		{Name: "I7 reads are noted", Given: in, When: view, Then: history{viewed}},
		{Name: "I7 once in ten minutes", Given: history{issued, redeemed, viewed}, When: view},
		{
			Name: "I7 and again after them", Given: history{issued, redeemed, viewed}, When: later,
			Then: history{events.ImpersonationCustomerViewed{ImpersonationID: id, CustomerID: customer, Until: later.Until}},
		},
		{Name: "no reads after the end", Given: history{issued, redeemed, ended}, When: view, Err: impersonation.ErrOver},
		{Name: "no reads before the beginning", Given: history{issued}, When: view, Err: impersonation.ErrOver},
		{
			Name: "C17 what is refused is noted, each time", Given: in, When: refuse, Anew: true,
			Then: history{events.ImpersonationRefused{ImpersonationID: id, CustomerID: customer, Route: "POST /v1/sign-out", Reason: events.RefusedAsCustomer}},
		},
		{Name: "not after the end", Given: history{issued, redeemed, ended}, When: refuse, Err: impersonation.ErrOver},
		{Name: "I5 ends", Given: in, When: end, Then: history{ended}},
		{Name: "a grant ends too", Given: history{issued}, When: end, Then: history{ended}},
		{Name: "ends once", Given: history{issued, redeemed, ended}, When: end},
		{Name: "never was", When: end, Err: impersonation.ErrNotFound},
	})
}

func TestAlive_P14(t *testing.T) {
	t.Parallel()
	last := now.Add(time.Hour)
	for name, c := range map[string]struct {
		given history
		at    time.Time
		want  bool
	}{
		"in time":        {history{issued, redeemed}, last.Add(-time.Second), true},
		"after an hour":  {history{issued, redeemed}, last, false},
		"ended":          {history{issued, redeemed, ended}, now, false},
		"a grant is not": {history{issued}, now, false},
		"nothing is not": {nil, now, false},
	} {
		if got := impersonation.Decider.Fold(c.given).Alive(c.at); got != c.want {
			t.Errorf("%s: alive is %v", name, got)
		}
	}
}
