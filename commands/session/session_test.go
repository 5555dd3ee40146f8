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

// A link leads to a session in which nothing can be done but what it is for.
func TestOpen(t *testing.T) {
	t.Parallel()
	open := session.Open{
		SessionID: id, CustomerID: customer, LoginID: login, Scope: events.ScopePassword, Method: events.MethodLink, Epoch: 3,
		TokenHash: "00ff", Idle: 30 * time.Minute, ExpiresAt: end,
	}
	opened := started
	opened.Scope, opened.Methods = events.ScopePassword, []events.AuthMethod{events.MethodLink}
	unknown := session.RefuseRecovery{SessionID: id, VisitorID: visitor, Name: "eve@example.com"}
	decidertest.Run(t, session.Decider, []tcase{
		{Name: "S0-28 by a link", When: open, Then: history{opened}, Again: session.ErrExists},
		{Name: "not twice", Given: history{started}, When: open, Err: session.ErrExists},
		{
			Name: "S2-09 no link for an unknown name", When: unknown, Again: session.ErrExists,
			Then: history{events.SessionRecoveryRefused{SessionID: id, Reason: events.RefusedUnknown, VisitorID: visitor, Name: events.Clear("eve@example.com")}},
		},
		{
			Name: "no link for somebody shut out", When: session.RefuseRecovery{SessionID: id, CustomerID: customer, Status: events.StatusBanned, VisitorID: visitor, Name: "x"},
			Then:  history{events.SessionRecoveryRefused{SessionID: id, CustomerID: customer, Reason: events.RefusedStatus, Status: events.StatusBanned}},
			Again: session.ErrExists,
		},
	})
	if s := session.Decider.Fold(history{opened}); s.Scope != events.ScopePassword || !s.Alive(end.Add(-time.Second), 3) {
		t.Errorf("%+v", s)
	}
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

func TestChallenge(t *testing.T) {
	t.Parallel()
	now := end.Add(-time.Hour)
	challenged := events.SessionChallenged{
		SessionID: id, CustomerID: customer, LoginID: login, TokenHash: "cc", Epoch: 3, ExpiresAt: now.Add(5 * time.Minute),
	}
	pass := session.Pass{
		Method: events.MethodCode, Status: events.StatusActive, Epoch: 3, TokenHash: "00ff", Idle: 30 * time.Minute, ExpiresAt: end, Now: now,
	}
	with := func(change func(*session.Pass)) session.Pass { p := pass; change(&p); return p }
	passed := started
	passed.Methods = []events.AuthMethod{events.MethodPassword, events.MethodCode}
	refuse := session.RefuseFactor{Method: events.MethodCode, Reason: events.RefusedCode, Now: now}
	refused := events.SessionFactorRefused{SessionID: id, CustomerID: customer, Reason: events.RefusedCode, Method: events.MethodCode}
	decidertest.Run(t, session.Decider, []tcase{
		{
			Name: "S3-01 S3-23 stands between the password and the session", When: signIn(func(c *session.SignIn) {
				c.Challenge, c.ChallengeUntil = "cc", now.Add(5*time.Minute)
			}),
			Then: history{challenged}, Again: session.ErrExists,
		},
		{
			Name: "is not for the wrong password", When: signIn(func(c *session.SignIn) {
				c.Challenge, c.Refused = "cc", events.RefusedPassword
			}),
			Then: history{events.SessionRefused{SessionID: id, CustomerID: customer, Reason: events.RefusedPassword}}, Again: session.ErrExists,
		},
		{Name: "S3-25 is passed with the second factor", Given: history{challenged}, When: pass, Then: history{passed}, Again: session.ErrOver},
		{Name: "S3-28 can be tried again", Given: history{challenged, refused}, When: pass, Then: history{passed}, Again: session.ErrOver},
		{Name: "S3-28 notes what failed", Given: history{challenged}, When: refuse, Then: history{refused}, Anew: true},
		{Name: "ends in time", Given: history{challenged}, When: with(func(p *session.Pass) { p.Now = now.Add(5 * time.Minute) }), Err: session.ErrOver},
		{Name: "ends with a new password", Given: history{challenged}, When: with(func(p *session.Pass) { p.Epoch = 4 }), Err: session.ErrOver},
		{Name: "takes no more tries then", Given: history{challenged, passed}, When: refuse, Err: session.ErrOver},
		{
			Name: "finds who was suspended meanwhile", Given: history{challenged}, When: with(func(p *session.Pass) { p.Status = events.StatusSuspended }),
			Then: history{events.SessionRefused{SessionID: id, CustomerID: customer, Reason: events.RefusedStatus, Status: events.StatusSuspended}}, Again: session.ErrOver,
		},
		{Name: "was never begun", When: pass, Err: session.ErrOver},
		{Name: "is no session to end", Given: history{challenged}, When: session.End{}, Err: session.ErrNotFound},
	})
	if s := session.Decider.Fold(history{challenged}); s.Alive(now, 3) {
		t.Error("S3-11: a challenge opens something")
	}
}
