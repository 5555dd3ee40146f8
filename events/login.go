package events

import "github.com/google/uuid"

// Stored names of a login. Append only: never edit or reuse a value.
const (
	TypeLoginPasswordSet   = "login.password_set"
	TypeLoginSessionsEnded = "login.sessions_ended"
)

// PasswordCause says how a login came by a password.
type PasswordCause string

// The causes.
const (
	PasswordRegistered PasswordCause = "registered" // chosen when registering
	PasswordChanged    PasswordCause = "changed"    // by the customer, who knew the one before
	PasswordRehashed   PasswordCause = "rehashed"   // the same password, hashed as is the custom now
)

// LoginPasswordSet gives a login a password in the place of the one before, whose
// key is destroyed: no old hash can be read again.
type LoginPasswordSet struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	// CredentialID is what the hash is sealed under: a key for this password alone.
	CredentialID uuid.UUID `json:"credential_id"`
	// ReplacedID is the credential that ends with it.
	ReplacedID uuid.UUID     `json:"replaced_id,omitzero"`
	Hash       Personal      `json:"hash" subject:"credential"` // in the form of the PHC string format
	Scheme     string        `json:"scheme"`                    // how it was hashed: argon2id, argon2i, bcrypt
	Cause      PasswordCause `json:"cause"`
}

// LoginSessionsEnded ends every session of a login that began before it.
type LoginSessionsEnded struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id"`
}

func (LoginPasswordSet) EventType() string   { return TypeLoginPasswordSet }
func (LoginSessionsEnded) EventType() string { return TypeLoginSessionsEnded }

// Customer is whose login it is.
func (e LoginPasswordSet) Customer() uuid.UUID { return e.CustomerID }

// Customer is whose login it is.
func (e LoginSessionsEnded) Customer() uuid.UUID { return e.CustomerID }

func (LoginPasswordSet) loginEvent()   {}
func (LoginSessionsEnded) loginEvent() {}

// Creates returns the credential: its key seals this one hash.
func (e LoginPasswordSet) Creates() []Subject {
	return []Subject{{Kind: SubjectCredential, ID: e.CredentialID}}
}
