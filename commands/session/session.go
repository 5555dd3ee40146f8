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
	CustomerID uuid.UUID // zero when the name was nobody's
	LoginID    uuid.UUID
	Refused    events.RefusalReason // empty when it was started
	Ended      bool
	TokenHash  string
	Epoch      uint64
	Idle       time.Duration
	ExpiresAt  time.Time
}

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "session_not_found", "no such session")
	ErrExists   = fault.New(fault.Conflict, "session_exists", "this attempt was answered already")
)

// SignIn is an attempt to sign in, after the password was checked.
type SignIn struct {
	SessionID uuid.UUID
	// CustomerID is zero when the name is nobody's; VisitorID and Name then say who
	// it was.
	CustomerID uuid.UUID
	VisitorID  uuid.UUID
	Name       string
	// Refused is what the check came to, empty when the password was right.
	Refused events.RefusalReason
	// Status is the customer's now.
	Status    events.CustomerStatus
	LoginID   uuid.UUID
	Epoch     uint64
	TokenHash string
	Idle      time.Duration
	ExpiresAt time.Time
}

// End ends a session before its time.
type End struct{ Reason events.EndReason }

func (SignIn) sessionCommand() {}
func (End) sessionCommand()    {}

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.SessionEvent, error) {
	switch c := c.(type) {
	case SignIn:
		return signIn(s, c)
	case End:
		if s.ID == uuid.Nil || s.Refused != "" {
			return nil, ErrNotFound
		}
		if s.Ended {
			return nil, nil
		}
		return []events.SessionEvent{events.SessionEnded{SessionID: s.ID, CustomerID: s.CustomerID, Reason: c.Reason}}, nil
	}
	return nil, fmt.Errorf("session: no decision for %T", c)
}

func signIn(s State, c SignIn) ([]events.SessionEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := events.SessionRefused{SessionID: c.SessionID, CustomerID: c.CustomerID, Reason: c.Refused}
	switch {
	case c.CustomerID == uuid.Nil:
		refused.Reason, refused.VisitorID, refused.Name = events.RefusedUnknown, c.VisitorID, events.Clear(c.Name)
	case c.Refused != "":
	case c.Status != events.StatusActive:
		refused.Reason, refused.Status = events.RefusedStatus, c.Status
	default:
		return []events.SessionEvent{events.SessionStarted{
			SessionID: c.SessionID, CustomerID: c.CustomerID, LoginID: c.LoginID, TokenHash: c.TokenHash,
			Methods: []events.AuthMethod{events.MethodPassword}, Epoch: c.Epoch,
			IdleSeconds: int64(c.Idle / time.Second), ExpiresAt: c.ExpiresAt.UTC(),
		}}, nil
	}
	return []events.SessionEvent{refused}, nil
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.SessionEvent) State {
	switch e := e.(type) {
	case events.SessionRefused:
		return State{ID: e.SessionID, CustomerID: e.CustomerID, Refused: e.Reason}
	case events.SessionStarted:
		return State{
			ID: e.SessionID, CustomerID: e.CustomerID, LoginID: e.LoginID, TokenHash: e.TokenHash,
			Epoch: e.Epoch, Idle: time.Duration(e.IdleSeconds) * time.Second, ExpiresAt: e.ExpiresAt,
		}
	case events.SessionEnded:
		s.Ended = true
	}
	return s
}

// Alive reports whether the session is good for a request now: it was started and
// neither ended nor used up, and nothing ended all sessions of its login.
func (s State) Alive(now time.Time, epoch uint64) bool {
	return s.ID != uuid.Nil && s.Refused == "" && !s.Ended && s.Epoch == epoch && now.Before(s.ExpiresAt)
}
