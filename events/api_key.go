package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of an API key. Append only: never edit or reuse a value.
const (
	TypeAPIKeyCreated = "api_key.created"
	TypeAPIKeyRevoked = "api_key.revoked"
	TypeAPIKeyRotated = "api_key.rotated"
	TypeAPIKeyUsed    = "api_key.used"
)

// APIKeyCreated issues a credential to a program, which then acts for a staff
// member. The secret itself is nowhere; it was shown once.
type APIKeyCreated struct {
	APIKeyID uuid.UUID `json:"api_key_id"`
	StaffID  uuid.UUID `json:"staff_id"`
	Prefix   string    `json:"prefix"` // the part of the key that may be shown
	Hash     string    `json:"hash"`   // SHA-256 of the secret part, in hexadecimal
	Label    Personal  `json:"label,omitzero" subject:"staff"`
	// Source is written into the metadata of whatever the key is used for.
	Source    Source    `json:"source"`
	ExpiresAt time.Time `json:"expires_at"`
	// Scopes are the permissions that the key has, as far as the staff member has them
	// too when it is used. A key from before there were scopes has none: it may do
	// whatever the staff member may.
	Scopes []string `json:"scopes,omitempty"`
	// Role is the staff member's when it was made. The key acts with no higher one:
	// whoever holds it gains nothing from what the staff member becomes.
	Role Role `json:"role,omitempty"`
}

// APIKeyRotated gives a credential another secret.
type APIKeyRotated struct {
	APIKeyID uuid.UUID `json:"api_key_id"`
	StaffID  uuid.UUID `json:"staff_id"`
	Hash     string    `json:"hash"` // as in [APIKeyCreated]
	// PreviousUntil is how long the secret before is good as well. One that was
	// replaced before that ends now.
	PreviousUntil time.Time `json:"previous_until"`
}

// APIKeyUsed says that a credential was used on a day, if only once.
type APIKeyUsed struct {
	APIKeyID uuid.UUID `json:"api_key_id"`
	StaffID  uuid.UUID `json:"staff_id"`
	Day      string    `json:"day"` // in UTC, 2006-01-02
}

// APIKeyRevoked ends a credential for good.
type APIKeyRevoked struct {
	APIKeyID uuid.UUID `json:"api_key_id"`
	StaffID  uuid.UUID `json:"staff_id"`
}

func (APIKeyCreated) EventType() string { return TypeAPIKeyCreated }
func (APIKeyRevoked) EventType() string { return TypeAPIKeyRevoked }
func (APIKeyRotated) EventType() string { return TypeAPIKeyRotated }
func (APIKeyUsed) EventType() string    { return TypeAPIKeyUsed }

// Staff is for whom it acts.
func (e APIKeyCreated) Staff() uuid.UUID { return e.StaffID }

// Staff is for whom it acted.
func (e APIKeyRevoked) Staff() uuid.UUID { return e.StaffID }

// Staff is for whom it acts.
func (e APIKeyRotated) Staff() uuid.UUID { return e.StaffID }

// Staff is for whom it acts.
func (e APIKeyUsed) Staff() uuid.UUID { return e.StaffID }

func (APIKeyCreated) apiKeyEvent() {}
func (APIKeyRevoked) apiKeyEvent() {}
func (APIKeyRotated) apiKeyEvent() {}
func (APIKeyUsed) apiKeyEvent()    {}
