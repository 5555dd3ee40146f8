package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of a domain. Append only: never edit or reuse a value.
const (
	TypeDomainRegistered         = "domain.registered"
	TypeDomainImported           = "domain.imported"
	TypeDomainAutoRenewSet       = "domain.auto_renew_set"
	TypeDomainLockSet            = "domain.lock_set"
	TypeDomainPrivacySet         = "domain.privacy_set"
	TypeDomainNameserversChanged = "domain.nameservers_changed"
	TypeDomainPushed             = "domain.pushed"
)

// DomainSettings is what its owner can set on a domain.
type DomainSettings struct {
	AutoRenew   bool     `json:"auto_renew"`
	Locked      bool     `json:"locked"`
	Privacy     bool     `json:"privacy"`
	Nameservers []string `json:"nameservers"` // host names, lower-case ASCII, 0 or 2 to 13
}

// DomainRegistered begins a period of ownership with a registration.
type DomainRegistered struct {
	DomainID     uuid.UUID      `json:"domain_id"`
	CustomerID   uuid.UUID      `json:"customer_id"`
	Name         string         `json:"name"` // lower-case ASCII, no trailing dot
	RegisteredAt time.Time      `json:"registered_at"`
	ExpiresAt    time.Time      `json:"expires_at"`
	Settings     DomainSettings `json:"settings"`
}

// DomainImported begins a period of ownership with a domain that was already
// registered elsewhere.
type DomainImported struct {
	DomainID     uuid.UUID      `json:"domain_id"`
	CustomerID   uuid.UUID      `json:"customer_id"`
	Name         string         `json:"name"`
	RegisteredAt time.Time      `json:"registered_at"`
	ExpiresAt    time.Time      `json:"expires_at"`
	Settings     DomainSettings `json:"settings"`
}

// DomainAutoRenewSet says whether the domain renews itself before it expires.
type DomainAutoRenewSet struct {
	DomainID   uuid.UUID `json:"domain_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Before     bool      `json:"before"`
	After      bool      `json:"after"`
}

// DomainLockSet says whether the domain may be transferred out.
type DomainLockSet struct {
	DomainID   uuid.UUID `json:"domain_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Before     bool      `json:"before"`
	After      bool      `json:"after"`
}

// DomainPrivacySet says whether public lookups hide the contacts.
type DomainPrivacySet struct {
	DomainID   uuid.UUID `json:"domain_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Before     bool      `json:"before"`
	After      bool      `json:"after"`
}

// DomainNameserversChanged delegates the domain elsewhere.
type DomainNameserversChanged struct {
	DomainID   uuid.UUID `json:"domain_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Before     []string  `json:"before"`
	After      []string  `json:"after"`
}

// PushReason classifies why a domain changed hands.
type PushReason string

// The reasons of a push.
const (
	PushConsolidation PushReason = "consolidation"
	PushSale          PushReason = "sale"
	PushReorganize    PushReason = "reorganization"
	PushCorrection    PushReason = "correction"
	PushOther         PushReason = "other"
)

// DomainPushed moves the domain, with all its settings, to another customer of
// the same store.
type DomainPushed struct {
	DomainID       uuid.UUID  `json:"domain_id"`
	FromCustomerID uuid.UUID  `json:"from_customer_id"`
	ToCustomerID   uuid.UUID  `json:"to_customer_id"`
	ReasonCode     PushReason `json:"reason_code,omitempty"`
}

func (DomainRegistered) EventType() string         { return TypeDomainRegistered }
func (DomainImported) EventType() string           { return TypeDomainImported }
func (DomainAutoRenewSet) EventType() string       { return TypeDomainAutoRenewSet }
func (DomainLockSet) EventType() string            { return TypeDomainLockSet }
func (DomainPrivacySet) EventType() string         { return TypeDomainPrivacySet }
func (DomainNameserversChanged) EventType() string { return TypeDomainNameserversChanged }
func (DomainPushed) EventType() string             { return TypeDomainPushed }

// Owner returns the customer who held the domain when it happened, or who
// received it by it.
func (e DomainRegistered) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who held the domain.
func (e DomainImported) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who held the domain.
func (e DomainAutoRenewSet) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who held the domain.
func (e DomainLockSet) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who held the domain.
func (e DomainPrivacySet) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who held the domain.
func (e DomainNameserversChanged) Owner() uuid.UUID { return e.CustomerID }

// Owner returns the customer who gave the domain away.
func (e DomainPushed) Owner() uuid.UUID { return e.FromCustomerID }
