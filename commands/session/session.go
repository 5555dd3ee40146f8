// Package session decides what comes of an attempt to sign in, and when a session
// is over.
package session

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the attempt to sign in and the session that came of it.
var Decider = decider.Decider[State, Command, events.SessionEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one session.
type Command interface{ sessionCommand() }

// State is what deciding needs to know of a session.
type State struct {
	ID         uuid.UUID // zero when nobody tried
	CustomerID uuid.UUID // whose it is, or else StaffID; both zero when the name was nobody's
	StaffID    uuid.UUID
	LoginID    uuid.UUID
	Scope      events.SessionScope
	Refused    events.RefusalReason // empty when it was started
	Ended      bool
	// Challenge is the hash of what a second factor is sent with, until ChallengeUntil;
	// empty when none is asked for.
	Challenge      string
	ChallengeUntil time.Time
	TokenHash      string
	Epoch          uint64
	Idle           time.Duration
	ExpiresAt      time.Time
	Methods        []events.AuthMethod
}

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "session_not_found", "no such session")
	ErrExists   = fault.New(fault.Conflict, "session_exists", "this attempt was answered already")
	ErrOver     = fault.New(fault.Unauthorized, "challenge_over", "this took too long, or was answered already: sign in again")
)

// SignIn is an attempt to sign in, after the password was checked.
type SignIn struct {
	SessionID uuid.UUID
	// CustomerID or StaffID is who it is. Both are zero when the name is nobody's;
	// VisitorID and Name then say who it was.
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	VisitorID  uuid.UUID
	Name       string
	// Refused is what the check came to, empty when the password was right.
	Refused events.RefusalReason
	// Status is the customer's now; a team member's is active, or empty.
	Status    events.CustomerStatus
	Scope     events.SessionScope
	LoginID   uuid.UUID
	Epoch     uint64
	TokenHash string
	Idle      time.Duration
	ExpiresAt time.Time
	// Challenge is the hash of a token for the second factor, if the login has one.
	// It is good until ChallengeUntil.
	Challenge      string
	ChallengeUntil time.Time
}

// Pass begins the session of a challenge whose second factor was right.
type Pass struct {
	Method    events.AuthMethod
	Status    events.CustomerStatus
	Scope     events.SessionScope
	Epoch     uint64
	TokenHash string
	Idle      time.Duration
	ExpiresAt time.Time
	Now       time.Time
}

// RefuseFactor notes a second factor that was not right. The challenge stays.
type RefuseFactor struct {
	Method events.AuthMethod
	Reason events.RefusalReason
	Now    time.Time
}

// Open begins a session of somebody who followed a link. In its scope nothing can be
// done but what the link is for.
type Open struct {
	SessionID  uuid.UUID
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	LoginID    uuid.UUID
	Scope      events.SessionScope
	Method     events.AuthMethod
	Epoch      uint64
	TokenHash  string
	Idle       time.Duration
	ExpiresAt  time.Time
}

// RefuseRecovery notes that somebody was sent no link to reset a password.
type RefuseRecovery struct {
	SessionID uuid.UUID
	// CustomerID or StaffID is who it is. Both are zero when the name is nobody's;
	// VisitorID and Name then say who it was.
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	Status     events.CustomerStatus
	VisitorID  uuid.UUID
	Name       string
}

// End ends a session before its time.
type End struct{ Reason events.EndReason }

func (SignIn) sessionCommand()         {}
func (Pass) sessionCommand()           {}
func (RefuseFactor) sessionCommand()   {}
func (Open) sessionCommand()           {}
func (RefuseRecovery) sessionCommand() {}
func (End) sessionCommand()            {}

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.SessionEvent, error) {
	switch c := c.(type) {
	case SignIn:
		return signIn(s, c)
	case Pass:
		return pass(s, c)
	case Open:
		return open(s, c)
	case RefuseRecovery:
		return refuseRecovery(s, c)
	case RefuseFactor:
		if !s.Waits(c.Now) {
			return nil, ErrOver
		}
		return []events.SessionEvent{events.SessionFactorRefused{SessionID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Reason: c.Reason, Method: c.Method}}, nil
	case End:
		if s.ID == uuid.Nil || s.Refused != "" || s.TokenHash == "" {
			return nil, ErrNotFound
		}
		if s.Ended {
			return nil, nil
		}
		return []events.SessionEvent{events.SessionEnded{SessionID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Reason: c.Reason}}, nil
	}
	return nil, fmt.Errorf("session: no decision for %T", c)
}

func signIn(s State, c SignIn) ([]events.SessionEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := events.SessionRefused{SessionID: c.SessionID, CustomerID: c.CustomerID, StaffID: c.StaffID, Reason: c.Refused}
	switch {
	case c.CustomerID == uuid.Nil && c.StaffID == uuid.Nil:
		refused.Reason, refused.VisitorID, refused.Name = events.RefusedUnknown, c.VisitorID, events.Clear(c.Name)
	case c.Refused != "":
	case c.Status != events.StatusActive:
		refused.Reason, refused.Status = events.RefusedStatus, c.Status
	case c.Challenge != "":
		return []events.SessionEvent{events.SessionChallenged{
			SessionID: c.SessionID, CustomerID: c.CustomerID, StaffID: c.StaffID, LoginID: c.LoginID, TokenHash: c.Challenge, Epoch: c.Epoch,
			ExpiresAt: c.ChallengeUntil.UTC(),
		}}, nil
	default:
		return []events.SessionEvent{events.SessionStarted{
			SessionID: c.SessionID, CustomerID: c.CustomerID, StaffID: c.StaffID, LoginID: c.LoginID, Scope: c.Scope, TokenHash: c.TokenHash,
			Methods: []events.AuthMethod{events.MethodPassword}, Epoch: c.Epoch,
			IdleSeconds: int64(c.Idle / time.Second), ExpiresAt: c.ExpiresAt.UTC(),
		}}, nil
	}
	return []events.SessionEvent{refused}, nil
}

func open(s State, c Open) ([]events.SessionEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	return []events.SessionEvent{events.SessionStarted{
		SessionID: c.SessionID, CustomerID: c.CustomerID, StaffID: c.StaffID, LoginID: c.LoginID, Scope: c.Scope, TokenHash: c.TokenHash,
		Methods: []events.AuthMethod{c.Method}, Epoch: c.Epoch,
		IdleSeconds: int64(c.Idle / time.Second), ExpiresAt: c.ExpiresAt.UTC(),
	}}, nil
}

func refuseRecovery(s State, c RefuseRecovery) ([]events.SessionEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := events.SessionRecoveryRefused{SessionID: c.SessionID, CustomerID: c.CustomerID, StaffID: c.StaffID, Reason: events.RefusedStatus, Status: c.Status}
	if c.CustomerID == uuid.Nil && c.StaffID == uuid.Nil {
		refused.Reason, refused.VisitorID, refused.Name = events.RefusedUnknown, c.VisitorID, events.Clear(c.Name)
	}
	return []events.SessionEvent{refused}, nil
}

func pass(s State, c Pass) ([]events.SessionEvent, error) {
	switch {
	case !s.Waits(c.Now), c.Epoch != s.Epoch:
		return nil, ErrOver
	case c.Status != events.StatusActive:
		return []events.SessionEvent{events.SessionRefused{SessionID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Reason: events.RefusedStatus, Status: c.Status}}, nil
	}
	return []events.SessionEvent{events.SessionStarted{
		SessionID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, LoginID: s.LoginID, Scope: c.Scope, TokenHash: c.TokenHash,
		Methods: []events.AuthMethod{events.MethodPassword, c.Method}, Epoch: s.Epoch,
		IdleSeconds: int64(c.Idle / time.Second), ExpiresAt: c.ExpiresAt.UTC(),
	}}, nil
}

// Waits reports whether a second factor can still be sent.
func (s State) Waits(now time.Time) bool { return s.Challenge != "" && now.Before(s.ChallengeUntil) }

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.SessionEvent) State {
	switch e := e.(type) {
	case events.SessionRefused:
		return State{ID: e.SessionID, CustomerID: e.CustomerID, StaffID: e.StaffID, Refused: e.Reason}
	case events.SessionRecoveryRefused:
		return State{ID: e.SessionID, CustomerID: e.CustomerID, StaffID: e.StaffID, Refused: e.Reason}
	case events.SessionChallenged:
		return State{
			ID: e.SessionID, CustomerID: e.CustomerID, StaffID: e.StaffID, LoginID: e.LoginID, Epoch: e.Epoch,
			Challenge: e.TokenHash, ChallengeUntil: e.ExpiresAt,
		}
	case events.SessionStarted:
		return State{
			ID: e.SessionID, CustomerID: e.CustomerID, StaffID: e.StaffID, LoginID: e.LoginID, Scope: e.Scope, TokenHash: e.TokenHash,
			Epoch: e.Epoch, Idle: time.Duration(e.IdleSeconds) * time.Second, ExpiresAt: e.ExpiresAt,
			Methods: e.Methods,
		}
	case events.SessionEnded:
		s.Ended = true
	}
	return s
}

// Alive reports whether the session is good for a request now: it was started and
// neither ended nor used up, and nothing ended all sessions of its login.
func (s State) Alive(now time.Time, epoch uint64) bool {
	return s.TokenHash != "" && s.Refused == "" && !s.Ended && s.Epoch == epoch && now.Before(s.ExpiresAt)
}
