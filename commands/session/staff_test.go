package session_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

// A team member's attempts and sessions say whose they are.
func TestStaffSession(t *testing.T) {
	t.Parallel()
	member := uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0009")
	theirs := func(change func(*session.SignIn)) session.SignIn {
		return signIn(func(c *session.SignIn) {
			c.CustomerID, c.StaffID = uuid.Nil, member
			change(c)
		})
	}
	begun := started
	begun.CustomerID, begun.StaffID = uuid.Nil, member
	asked := events.SessionChallenged{SessionID: id, StaffID: member, LoginID: login, TokenHash: "ff00", Epoch: 3, ExpiresAt: end}
	passed := begun
	passed.Methods = []events.AuthMethod{events.MethodPassword, events.MethodCode}
	pass := session.Pass{Method: events.MethodCode, Status: events.StatusActive, Epoch: 3, TokenHash: "00ff", Idle: 30 * time.Minute, ExpiresAt: end, Now: end.Add(-time.Minute)}
	shutOut := pass
	shutOut.Status = ""
	decidertest.Run(t, session.Decider, []tcase{
		{Name: "begins", When: theirs(func(*session.SignIn) {}), Then: history{begun}, Again: session.ErrExists},
		{
			Name: "is refused with a wrong password", When: theirs(func(c *session.SignIn) { c.Refused = events.RefusedPassword }),
			Then: history{events.SessionRefused{SessionID: id, StaffID: member, Reason: events.RefusedPassword}}, Again: session.ErrExists,
		},
		{
			Name: "is refused when deactivated", When: theirs(func(c *session.SignIn) { c.Status = "" }),
			Then: history{events.SessionRefused{SessionID: id, StaffID: member, Reason: events.RefusedStatus}}, Again: session.ErrExists,
		},
		{
			Name: "waits for the second factor", When: theirs(func(c *session.SignIn) { c.Challenge, c.ChallengeUntil = "ff00", end }),
			Then: history{asked}, Again: session.ErrExists,
		},
		{Name: "passes it", Given: history{asked}, When: pass, Then: history{passed}, Again: session.ErrOver},
		{
			Name: "is deactivated meanwhile", Given: history{asked}, When: shutOut,
			Then: history{events.SessionRefused{SessionID: id, StaffID: member, Reason: events.RefusedStatus}}, Again: session.ErrOver,
		},
		{
			Name: "ends", Given: history{begun}, When: session.End{Reason: events.EndedBySignOut},
			Then: history{events.SessionEnded{SessionID: id, StaffID: member, Reason: events.EndedBySignOut}},
		},
		{
			Name: "is sent no link when deactivated", When: session.RefuseRecovery{SessionID: id, StaffID: member, VisitorID: visitor, Name: "x"},
			Then: history{events.SessionRecoveryRefused{SessionID: id, StaffID: member, Reason: events.RefusedStatus}}, Again: session.ErrExists,
		},
	})
}
