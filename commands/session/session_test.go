package session_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.SessionEvent
	tcase   = decidertest.Case[session.Command, events.SessionEvent]
)

var (
	id       = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	customer = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	login    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003")
	visitor  = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0004")
	end      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	started = events.SessionStarted{
		SessionID: id, CustomerID: customer, LoginID: login, TokenHash: "00ff", Methods: []events.AuthMethod{events.MethodPassword},
		Epoch: 3, IdleSeconds: 1800, ExpiresAt: end,
	}
)

func signIn(change func(*session.SignIn)) session.SignIn {
	c := session.SignIn{
		SessionID: id, CustomerID: customer, Status: events.StatusActive, LoginID: login, Epoch: 3, TokenHash: "00ff",
		Idle: 30 * time.Minute, ExpiresAt: end,
	}
	change(&c)
	return c
}

func TestSession(t *testing.T) {
	t.Parallel()
	refused := func(reason events.RefusalReason) events.SessionRefused {
		return events.SessionRefused{SessionID: id, CustomerID: customer, Reason: reason}
	}
	suspended := refused(events.RefusedStatus)
	suspended.Status = events.StatusSuspended
	decidertest.Run(t, session.Decider, []tcase{
		{Name: "begins with the right password", When: signIn(func(*session.SignIn) {}), Then: history{started}, Again: session.ErrExists},
		{
			Name: "does not with the wrong one", When: signIn(func(c *session.SignIn) { c.Refused = events.RefusedPassword }),
			Then: history{refused(events.RefusedPassword)}, Again: session.ErrExists,
		},
		{
			Name: "S0-35 S4-31 does not of somebody suspended", When: signIn(func(c *session.SignIn) { c.Status = events.StatusSuspended }),
			Then: history{suspended}, Again: session.ErrExists,
		},
		{
			Name: "names the wrong password before the status", When: signIn(func(c *session.SignIn) {
				c.Status, c.Refused = events.StatusSuspended, events.RefusedPassword
			}),
			Then: history{refused(events.RefusedPassword)}, Again: session.ErrExists,
		},
		{
			Name: "does not of nobody", When: signIn(func(c *session.SignIn) { c.CustomerID, c.VisitorID, c.Name = uuid.Nil, visitor, "nobody" }),
			Then: history{events.SessionRefused{
				SessionID: id, Reason: events.RefusedUnknown, VisitorID: visitor, Name: events.Clear("nobody"),
			}},
			Again: session.ErrExists,
		},
		{
			Name: "ends", Given: history{started}, When: session.End{Reason: events.EndedBySignOut},
			Then: history{events.SessionEnded{SessionID: id, CustomerID: customer, Reason: events.EndedBySignOut}},
		},
		{Name: "ends once", Given: history{started, events.SessionEnded{SessionID: id}}, When: session.End{Reason: events.EndedByRevoke}},
		{Name: "never was", When: session.End{}, Err: session.ErrNotFound},
		{Name: "was never begun", Given: history{refused(events.RefusedPassword)}, When: session.End{}, Err: session.ErrNotFound},
	})
}

func TestAlive(t *testing.T) {
	t.Parallel()
	before := end.Add(-time.Second)
	ended := events.SessionEnded{SessionID: id}
	for name, c := range map[string]struct {
		given history
		now   time.Time
		epoch uint64
		want  bool
	}{
		"in time":            {history{started}, before, 3, true},
		"used up":            {history{started}, end, 3, false},
		"ended":              {history{started, ended}, before, 3, false},
		"of an older epoch":  {history{started}, before, 4, false},
		"refused":            {history{events.SessionRefused{SessionID: id}}, before, 0, false},
		"nobody ever signed": {nil, before, 0, false},
	} {
		if got := session.Decider.Fold(c.given).Alive(c.now, c.epoch); got != c.want {
			t.Errorf("%s: alive is %v", name, got)
		}
	}
}
