package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of an API key. Append only: never edit or reuse a value.
const (
	TypeAPIKeyCreated = "api_key.created"
	TypeAPIKeyRevoked = "api_key.revoked"
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
}

// APIKeyRevoked ends a credential for good.
type APIKeyRevoked struct {
	APIKeyID uuid.UUID `json:"api_key_id"`
	StaffID  uuid.UUID `json:"staff_id"`
}

func (APIKeyCreated) EventType() string { return TypeAPIKeyCreated }
func (APIKeyRevoked) EventType() string { return TypeAPIKeyRevoked }

func (APIKeyCreated) apiKeyEvent() {}
func (APIKeyRevoked) apiKeyEvent() {}
