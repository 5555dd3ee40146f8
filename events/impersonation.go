package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of an impersonation, which is a member of the team in the session of
// a customer. Append only: never edit or reuse a value.
const (
	TypeImpersonationIssued         = "impersonation.issued"
	TypeImpersonationRedeemed       = "impersonation.redeemed"
	TypeImpersonationCustomerViewed = "impersonation.customer_viewed"
	TypeImpersonationRefused        = "impersonation.refused"
	TypeImpersonationEnded          = "impersonation.ended"
)

// ImpersonationScope is what can be done in such a session.
type ImpersonationScope string

// The scopes. None reaches what only customers do themselves.
const (
	ImpersonationReadOnly ImpersonationScope = "read_only"
	ImpersonationSupport  ImpersonationScope = "support" // all but what cannot be taken back
	ImpersonationFull     ImpersonationScope = "full"
)

// ImpersonationRefusal says why something was refused in such a session.
type ImpersonationRefusal string

// The reasons.
const (
	RefusedAsCustomer ImpersonationRefusal = "not_as_customer" // only customers do it themselves
	RefusedScope      ImpersonationRefusal = "scope"
)

// ImpersonationEnd says why such a session ended.
type ImpersonationEnd string

// The reasons.
const (
	ImpersonationLeft     ImpersonationEnd = "left"     // by whoever was in it
	ImpersonationStopped  ImpersonationEnd = "stopped"  // by the team, from outside
	ImpersonationReplaced ImpersonationEnd = "replaced" // by a newer one of the same person and customer
	ImpersonationExpired  ImpersonationEnd = "expired"  // its time was over: noted where the customer gets a receipt
)

// ImpersonationIssued gives a member of the team a grant, which is good once and for
// a minute. Its secret is derived and stands nowhere.
type ImpersonationIssued struct {
	ImpersonationID uuid.UUID          `json:"impersonation_id"`
	CustomerID      uuid.UUID          `json:"customer_id"`
	StaffID         uuid.UUID          `json:"staff_id"`
	APIKeyID        uuid.UUID          `json:"api_key_id,omitzero"` // by which they asked: it ends with that
	Scope           ImpersonationScope `json:"scope"`
	// Prefix is what the token of the session will begin with.
	Prefix     string    `json:"prefix"`
	ExpiresAt  time.Time `json:"expires_at"`
	KeyVersion int       `json:"key_version"` // of the key that the grant is derived from
	// Standing is the customer's when it was issued: under a later one it is over.
	Standing uint64 `json:"standing"`
}

// ImpersonationRedeemed uses the grant up and begins the session.
type ImpersonationRedeemed struct {
	ImpersonationID uuid.UUID `json:"impersonation_id"`
	CustomerID      uuid.UUID `json:"customer_id"`
	StaffID         uuid.UUID `json:"staff_id"`
	TokenHash       string    `json:"token_hash"`   // SHA-256 of the secret part, in hexadecimal
	IdleSeconds     int64     `json:"idle_seconds"` // how long it lasts unused
	ExpiresAt       time.Time `json:"expires_at"`   // when it ends in any case
}

// ImpersonationCustomerViewed says that the customer's data was read in the session,
// once or often until a time.
type ImpersonationCustomerViewed struct {
	ImpersonationID uuid.UUID `json:"impersonation_id"`
	CustomerID      uuid.UUID `json:"customer_id"`
	Until           time.Time `json:"until"`
}

// ImpersonationRefused is something that was tried in the session and is not for it.
type ImpersonationRefused struct {
	ImpersonationID uuid.UUID            `json:"impersonation_id"`
	CustomerID      uuid.UUID            `json:"customer_id"`
	Route           string               `json:"route"` // as the documentation writes it, without ids
	Reason          ImpersonationRefusal `json:"reason"`
}

// ImpersonationEnded ends the session.
type ImpersonationEnded struct {
	ImpersonationID uuid.UUID        `json:"impersonation_id"`
	CustomerID      uuid.UUID        `json:"customer_id"`
	Reason          ImpersonationEnd `json:"reason"`
}

func (ImpersonationIssued) EventType() string         { return TypeImpersonationIssued }
func (ImpersonationRedeemed) EventType() string       { return TypeImpersonationRedeemed }
func (ImpersonationCustomerViewed) EventType() string { return TypeImpersonationCustomerViewed }
func (ImpersonationRefused) EventType() string        { return TypeImpersonationRefused }
func (ImpersonationEnded) EventType() string          { return TypeImpersonationEnded }

// Customer is whose session it is for.
func (e ImpersonationIssued) Customer() uuid.UUID { return e.CustomerID }

// Customer is whose session it is.
func (e ImpersonationRedeemed) Customer() uuid.UUID { return e.CustomerID }

// Customer is whose session it is.
func (e ImpersonationCustomerViewed) Customer() uuid.UUID { return e.CustomerID }

// Customer is whose session it is.
func (e ImpersonationRefused) Customer() uuid.UUID { return e.CustomerID }

// Customer is whose session it was.
func (e ImpersonationEnded) Customer() uuid.UUID { return e.CustomerID }

func (ImpersonationIssued) impersonationEvent()         {}
func (ImpersonationRedeemed) impersonationEvent()       {}
func (ImpersonationCustomerViewed) impersonationEvent() {}
func (ImpersonationRefused) impersonationEvent()        {}
func (ImpersonationEnded) impersonationEvent()          {}
