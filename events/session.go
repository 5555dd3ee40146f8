package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of a session, which is one attempt to sign in and what came of it.
// Append only: never edit or reuse a value.
const (
	TypeSessionRefused       = "session.refused"
	TypeSessionChallenged    = "session.challenged"
	TypeSessionFactorRefused = "session.factor_refused"
	TypeSessionStarted       = "session.started"
	TypeSessionEnded         = "session.ended"

	TypeSessionRecoveryRefused = "session.recovery_refused"
)

// RefusalReason says why an attempt to sign in failed. Whoever tried is not told.
type RefusalReason string

// The reasons.
const (
	RefusedUnknown    RefusalReason = "unknown_name"
	RefusedPassword   RefusalReason = "wrong_password"
	RefusedNoPassword RefusalReason = "no_password"
	RefusedUnreadable RefusalReason = "unreadable_password" // stored in a form that nothing here can check
	RefusedStatus     RefusalReason = "status"              // the password was right, the account is not active
	RefusedCode       RefusalReason = "wrong_code"          // of the second factor, or of recovery
	RefusedUsedCode   RefusalReason = "already_used"        // the code was right, once
)

// AuthMethod is a proof of who somebody is (the values of RFC 8176).
type AuthMethod string

// The methods.
const (
	MethodPassword AuthMethod = "pwd"
	MethodCode     AuthMethod = "otp"      // of the authenticator app
	MethodRecovery AuthMethod = "recovery" // a recovery code, which RFC 8176 does not know
	MethodLink     AuthMethod = "link"     // a link that was sent by mail
)

// SessionScope is what a session is for; empty is everything.
type SessionScope string

// ScopePassword is the scope of a session in which nothing can be done but to choose
// a password. It is no sign-in.
const ScopePassword SessionScope = "password"

// EndReason says why a session ended.
type EndReason string

// The reasons.
const (
	EndedBySignOut EndReason = "signed_out"
	EndedByRevoke  EndReason = "revoked"
	EndedByLimit   EndReason = "too_many" // a newer one took its place
)

// SessionRefused is an attempt to sign in that failed.
type SessionRefused struct {
	SessionID  uuid.UUID     `json:"session_id"`
	CustomerID uuid.UUID     `json:"customer_id,omitzero"` // this or the next, neither when the name is nobody's
	StaffID    uuid.UUID     `json:"staff_id,omitzero"`
	Reason     RefusalReason `json:"reason"`
	// Status is the customer's, where that is the reason.
	Status CustomerStatus `json:"status,omitempty"`
	// VisitorID is whose key seals what is known of somebody unknown, and Name what
	// they called themselves.
	VisitorID uuid.UUID `json:"visitor_id,omitzero"`
	Name      Personal  `json:"name,omitzero" subject:"visitor"`
}

// SessionChallenged is an attempt with the right password that still needs a second
// factor. It opens nothing.
type SessionChallenged struct {
	SessionID  uuid.UUID `json:"session_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	LoginID    uuid.UUID `json:"login_id"`
	TokenHash  string    `json:"token_hash"` // of what answers the challenge: SHA-256, in hexadecimal
	Epoch      uint64    `json:"epoch"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// SessionFactorRefused is a second factor that failed. The challenge stays.
type SessionFactorRefused struct {
	SessionID  uuid.UUID     `json:"session_id"`
	CustomerID uuid.UUID     `json:"customer_id,omitzero"`
	StaffID    uuid.UUID     `json:"staff_id,omitzero"`
	Reason     RefusalReason `json:"reason"`
	Method     AuthMethod    `json:"method"`
}

// SessionRecoveryRefused is a request for a link to reset a password that nobody was
// sent, since the name is nobody's or the account is shut out.
type SessionRecoveryRefused struct {
	SessionID  uuid.UUID      `json:"session_id"`
	CustomerID uuid.UUID      `json:"customer_id,omitzero"`
	StaffID    uuid.UUID      `json:"staff_id,omitzero"`
	Reason     RefusalReason  `json:"reason"`
	Status     CustomerStatus `json:"status,omitempty"`
	VisitorID  uuid.UUID      `json:"visitor_id,omitzero"`
	Name       Personal       `json:"name,omitzero" subject:"visitor"`
}

// SessionStarted is a successful attempt to sign in, or a session of another scope.
type SessionStarted struct {
	SessionID  uuid.UUID    `json:"session_id"`
	CustomerID uuid.UUID    `json:"customer_id,omitzero"`
	StaffID    uuid.UUID    `json:"staff_id,omitzero"`
	LoginID    uuid.UUID    `json:"login_id"`
	Scope      SessionScope `json:"scope,omitempty"`
	TokenHash  string       `json:"token_hash"` // SHA-256 of the secret part, in hexadecimal
	Methods    []AuthMethod `json:"methods"`
	// Epoch is the login's when it began: a later one ends it.
	Epoch       uint64    `json:"epoch"`
	IdleSeconds int64     `json:"idle_seconds"` // how long it lasts unused
	ExpiresAt   time.Time `json:"expires_at"`   // when it ends in any case
}

// SessionEnded ends a session before its time.
type SessionEnded struct {
	SessionID  uuid.UUID `json:"session_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	Reason     EndReason `json:"reason"`
}

func (SessionRefused) EventType() string       { return TypeSessionRefused }
func (SessionChallenged) EventType() string    { return TypeSessionChallenged }
func (SessionFactorRefused) EventType() string { return TypeSessionFactorRefused }
func (SessionStarted) EventType() string       { return TypeSessionStarted }
func (SessionEnded) EventType() string         { return TypeSessionEnded }

func (SessionRecoveryRefused) EventType() string { return TypeSessionRecoveryRefused }

// Customer is who tried, absent when the name is nobody's.
func (e SessionRefused) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionRefused) Staff() uuid.UUID { return e.StaffID }

// Customer is who tries.
func (e SessionChallenged) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionChallenged) Staff() uuid.UUID { return e.StaffID }

// Customer is who tries.
func (e SessionFactorRefused) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionFactorRefused) Staff() uuid.UUID { return e.StaffID }

// Customer is who signed in.
func (e SessionStarted) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionStarted) Staff() uuid.UUID { return e.StaffID }

// Customer is whose session it was.
func (e SessionEnded) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionEnded) Staff() uuid.UUID { return e.StaffID }

// Customer is who asked, absent when the name is nobody's.
func (e SessionRecoveryRefused) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e SessionRecoveryRefused) Staff() uuid.UUID { return e.StaffID }

func (SessionRecoveryRefused) sessionEvent() {}

func (SessionRefused) sessionEvent()       {}
func (SessionChallenged) sessionEvent()    {}
func (SessionFactorRefused) sessionEvent() {}
func (SessionStarted) sessionEvent()       {}
func (SessionEnded) sessionEvent()         {}

// Creates returns the visitors of the month, if the name is nobody's.
func (e SessionRefused) Creates() []Subject { return visitors(e.VisitorID) }

// Creates returns the visitors of the month, if the name is nobody's.
func (e SessionRecoveryRefused) Creates() []Subject { return visitors(e.VisitorID) }

func visitors(id uuid.UUID) []Subject {
	if id == uuid.Nil {
		return nil
	}
	return []Subject{{Kind: SubjectVisitor, ID: id}}
}

// VisitorID is the one subject of everybody unknown who came to a store in a month:
// what is known of them is erased month by month.
func VisitorID(store uuid.UUID, at time.Time) uuid.UUID {
	return uuid.NewSHA1(store, []byte("visitor\x00"+at.UTC().Format("2006-01")))
}
