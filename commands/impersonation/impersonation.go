// Package impersonation decides how a member of the team comes into the session of a
// customer, what is noted there, and when it is over.
package impersonation

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the grant and the session that came of it.
var Decider = decider.Decider[State, Command, events.ImpersonationEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one impersonation.
type Command interface{ impersonationCommand() }

// State is what deciding, and checking a presented grant or token, needs to know.
type State struct {
	ID         uuid.UUID // zero when there is no such impersonation
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	APIKeyID   uuid.UUID // zero when the grant was not asked for by an API key
	Scope      events.ImpersonationScope
	Prefix     string // of the token
	KeyVersion int
	Standing   uint64
	GrantUntil time.Time

	TokenHash   string // empty until the grant is used
	ExpiresAt   time.Time
	ViewedUntil time.Time // reads until then are noted
	Ended       bool
}

// Scopes lists all, the narrowest first.
var Scopes = []events.ImpersonationScope{events.ImpersonationReadOnly, events.ImpersonationSupport, events.ImpersonationFull}

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "impersonation_not_found", "no such session of the team as a customer")
	ErrExists   = fault.New(fault.Conflict, "impersonation_exists", "this grant was issued already")
	ErrNoReason = fault.New(fault.Invalid, "reason_required", "this store wants a reason: send reason or Steward-Reason").On("reason", "is missing")
	ErrScope    = fault.New(fault.Invalid, "invalid_scope", "there is no such scope").On("scope", "is not one of read_only, support, full")
	// ErrGrantOver answers a grant that was used, is too old or was never begun.
	ErrGrantOver = fault.New(fault.Unauthorized, "grant_over", "this grant is not good any more: ask for another one")
	// ErrOver answers who is in a session that is over.
	ErrOver = fault.New(fault.Unauthorized, "impersonation_over", "this session is over: ask for another one")
)

// Issue gives a member of the team a grant.
type Issue struct {
	ImpersonationID uuid.UUID
	CustomerID      uuid.UUID
	StaffID         uuid.UUID
	APIKeyID        uuid.UUID
	Scope           events.ImpersonationScope
	Prefix          string
	ExpiresAt       time.Time
	KeyVersion      int
	Standing        uint64
	// Explained says that a reason is given, Required that the store wants one.
	Explained, Required bool
}

// Redeem uses a grant up, whose secret was checked.
type Redeem struct {
	// Standing is the customer's now.
	Standing  uint64
	TokenHash string
	Idle      time.Duration
	ExpiresAt time.Time
	Now       time.Time
}

// View notes that the customer's data is read in the session. One note is good until
// a time.
type View struct{ Now, Until time.Time }

// Refuse notes that something was tried in the session which is not for it.
type Refuse struct {
	Route  string
	Reason events.ImpersonationRefusal
	Now    time.Time
}

// End ends the grant or the session before its time.
type End struct{ Reason events.ImpersonationEnd }

func (Issue) impersonationCommand()  {}
func (Redeem) impersonationCommand() {}
func (View) impersonationCommand()   {}
func (Refuse) impersonationCommand() {}
func (End) impersonationCommand()    {}

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.ImpersonationEvent, error) {
	if c, ok := c.(Issue); ok {
		return issue(s, c)
	}
	if s.ID == uuid.Nil {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Redeem:
		return redeem(s, c)
	case View:
		switch {
		case !s.Alive(c.Now):
			return nil, ErrOver
		case c.Now.Before(s.ViewedUntil):
			return nil, nil
		}
		return one(events.ImpersonationCustomerViewed{ImpersonationID: s.ID, CustomerID: s.CustomerID, Until: c.Until.UTC()})
	case Refuse:
		if !s.Alive(c.Now) {
			return nil, ErrOver
		}
		return one(events.ImpersonationRefused{ImpersonationID: s.ID, CustomerID: s.CustomerID, Route: c.Route, Reason: c.Reason})
	case End:
		if s.Ended {
			return nil, nil
		}
		return one(events.ImpersonationEnded{ImpersonationID: s.ID, CustomerID: s.CustomerID, Reason: c.Reason})
	}
	return nil, fmt.Errorf("impersonation: no decision for %T", c)
}

func one(e events.ImpersonationEvent) ([]events.ImpersonationEvent, error) {
	return []events.ImpersonationEvent{e}, nil
}

func issue(s State, c Issue) ([]events.ImpersonationEvent, error) {
	switch {
	case s.ID != uuid.Nil:
		return nil, ErrExists
	case !slices.Contains(Scopes, c.Scope):
		return nil, ErrScope
	case c.Required && !c.Explained:
		return nil, ErrNoReason
	}
	return one(events.ImpersonationIssued{
		ImpersonationID: c.ImpersonationID, CustomerID: c.CustomerID, StaffID: c.StaffID, APIKeyID: c.APIKeyID, Scope: c.Scope,
		Prefix: c.Prefix, ExpiresAt: c.ExpiresAt.UTC(), KeyVersion: c.KeyVersion, Standing: c.Standing,
	})
}

func redeem(s State, c Redeem) ([]events.ImpersonationEvent, error) {
	if s.TokenHash != "" || s.Ended || !c.Now.Before(s.GrantUntil) || c.Standing != s.Standing {
		return nil, ErrGrantOver
	}
	return one(events.ImpersonationRedeemed{
		ImpersonationID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, TokenHash: c.TokenHash,
		IdleSeconds: int64(c.Idle / time.Second), ExpiresAt: c.ExpiresAt.UTC(),
	})
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.ImpersonationEvent) State {
	switch e := e.(type) {
	case events.ImpersonationIssued:
		return State{
			ID: e.ImpersonationID, CustomerID: e.CustomerID, StaffID: e.StaffID, APIKeyID: e.APIKeyID, Scope: e.Scope,
			Prefix: e.Prefix, KeyVersion: e.KeyVersion, Standing: e.Standing, GrantUntil: e.ExpiresAt,
		}
	case events.ImpersonationRedeemed:
		s.TokenHash, s.ExpiresAt = e.TokenHash, e.ExpiresAt
	case events.ImpersonationCustomerViewed:
		s.ViewedUntil = e.Until
	case events.ImpersonationEnded:
		s.Ended = true
	}
	return s
}

// Alive reports whether the session is good for a request now, as far as its own
// history says.
func (s State) Alive(now time.Time) bool {
	return s.TokenHash != "" && !s.Ended && now.Before(s.ExpiresAt)
}
