package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of erasing a person and of giving them what is known of them.
// Append only: never edit or reuse a value.
const (
	TypeCustomerErasureRequested = "customer.erasure_requested"
	TypeCustomerErasureCancelled = "customer.erasure_cancelled"
	TypeCustomerErased           = "customer.erased"
	TypeCustomerErasureCompleted = "customer.erasure_completed"
	TypeCustomerNamesReleased    = "customer.names_released"
	TypeCustomerNamesClaimed     = "customer.names_claimed"
	TypeCustomerExported         = "customer.exported"
	TypeLoginErased              = "login.erased"
)

// CustomerErasureRequested shuts the customer out and says when they will be
// erased. Until then it can be taken back.
type CustomerErasureRequested struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
	DueAt      time.Time      `json:"due_at"`
	// ReleaseNames says whether others may have the customer's names afterwards.
	ReleaseNames bool `json:"release_names"`
}

// CustomerErasureCancelled takes the request back; After is the status from
// before it.
type CustomerErasureCancelled struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
}

// CustomerErased ends a customer for good. Nothing personal is known of them from
// here on; the keys of what was are about to be destroyed.
type CustomerErased struct {
	CustomerID   uuid.UUID      `json:"customer_id"`
	LoginID      uuid.UUID      `json:"login_id"`
	Before       CustomerStatus `json:"before"`
	After        CustomerStatus `json:"after"`
	ReleaseNames bool           `json:"release_names"`
}

// CustomerErasureCompleted says that the keys are destroyed and that no process
// holds one any more.
type CustomerErasureCompleted struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	LoginID    uuid.UUID      `json:"login_id"`
	Keys       []DestroyedKey `json:"keys"`
}

// DestroyedKey is a key that is no more. Its commitment is the one that the log
// named when the key was first used.
type DestroyedKey struct {
	KeyID      uuid.UUID `json:"key_id"`
	Subject    string    `json:"subject"`
	Commitment string    `json:"commitment"`
}

// CustomerNamesReleased lets others have the names of a customer who was deleted.
type CustomerNamesReleased struct {
	CustomerID uuid.UUID `json:"customer_id"`
	LoginID    uuid.UUID `json:"login_id"`
	Email      Personal  `json:"email" subject:"login"`
	Username   Personal  `json:"username,omitzero" subject:"login"`
	ExternalID Personal  `json:"external_id,omitzero" subject:"customer"`
}

// CustomerNamesClaimed takes names for a customer who is restored after theirs were
// released: the same ones, or others.
type CustomerNamesClaimed struct {
	CustomerID uuid.UUID `json:"customer_id"`
	LoginID    uuid.UUID `json:"login_id"`
	Email      Personal  `json:"email" subject:"login"`
	Username   Personal  `json:"username,omitzero" subject:"login"`
	ExternalID Personal  `json:"external_id,omitzero" subject:"customer"`
}

// CustomerExported says that somebody was given everything that is known of the
// customer.
type CustomerExported struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Purpose    Personal  `json:"purpose" subject:"customer"`
}

// LoginErased ends a login for good: no secret can be given to it again.
type LoginErased struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	// ReplacedIDs are the credentials that end with it.
	ReplacedIDs []uuid.UUID `json:"replaced_ids,omitempty"`
}

func (CustomerErasureRequested) EventType() string { return TypeCustomerErasureRequested }
func (CustomerErasureCancelled) EventType() string { return TypeCustomerErasureCancelled }
func (CustomerErased) EventType() string           { return TypeCustomerErased }
func (CustomerErasureCompleted) EventType() string { return TypeCustomerErasureCompleted }
func (CustomerNamesReleased) EventType() string    { return TypeCustomerNamesReleased }
func (CustomerNamesClaimed) EventType() string     { return TypeCustomerNamesClaimed }
func (CustomerExported) EventType() string         { return TypeCustomerExported }
func (LoginErased) EventType() string              { return TypeLoginErased }

func (CustomerErasureRequested) customerEvent() {}
func (CustomerErasureCancelled) customerEvent() {}
func (CustomerErased) customerEvent()           {}
func (CustomerErasureCompleted) customerEvent() {}
func (CustomerNamesReleased) customerEvent()    {}
func (CustomerNamesClaimed) customerEvent()     {}
func (CustomerExported) customerEvent()         {}

func (LoginErased) loginEvent() {}

// Customer is whose login it is.
func (e LoginErased) Customer() uuid.UUID { return e.CustomerID }

// Staff is nobody: only customers are erased.
func (e LoginErased) Staff() uuid.UUID { return uuid.Nil }

// Ends returns every secret of the login.
func (e LoginErased) Ends() []Subject { return credentials(e.ReplacedIDs...) }

// Ends returns everybody whose keys were destroyed, so that a vault which is older
// than that can be told again.
func (e CustomerErasureCompleted) Ends() []Subject {
	ends := []Subject{
		{Kind: SubjectCustomer, ID: e.CustomerID},
		{Kind: SubjectLogin, ID: e.LoginID},
	}
	for _, key := range e.Keys {
		subject, err := ParseSubject(key.Subject)
		if err == nil && subject != ends[0] && subject != ends[1] {
			ends = append(ends, subject)
		}
	}
	return ends
}
