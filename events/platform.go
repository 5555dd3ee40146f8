package events

import "github.com/google/uuid"

// Stored names of the platform. Append only: never edit or reuse a value.
const (
	TypePlatformInitialized   = "platform.initialized"
	TypePlatformEventParked   = "platform.event_parked"
	TypePlatformReactionReset = "platform.reaction_reset"
)

// IdentityScope says within which bounds an email or a username is unique.
type IdentityScope string

// The scopes.
const (
	ScopeStore    IdentityScope = "store"
	ScopePlatform IdentityScope = "platform"
)

// PlatformInitialized is the first event of a log. Every start compares it with
// the configuration and the vault.
type PlatformInitialized struct {
	LogID         uuid.UUID     `json:"log_id"`
	Format        int           `json:"format"`
	IdentityScope IdentityScope `json:"identity_scope"`
	// KeyChecks holds a check value in hexadecimal per key that must never be
	// swapped for another, by the name of the key.
	KeyChecks map[string]string `json:"key_checks"`
}

// PlatformEventParked tells a group of projections to pass over an event that
// it cannot apply.
type PlatformEventParked struct {
	EventID uuid.UUID `json:"event_id"`
	Group   string    `json:"group"`
}

// PlatformReactionReset records that a reaction was told to go on from another
// position than the one it had reached.
type PlatformReactionReset struct {
	Reaction string   `json:"reaction"`
	To       Position `json:"to"`
}

func (PlatformInitialized) EventType() string   { return TypePlatformInitialized }
func (PlatformEventParked) EventType() string   { return TypePlatformEventParked }
func (PlatformReactionReset) EventType() string { return TypePlatformReactionReset }

func (PlatformInitialized) platformEvent()   {}
func (PlatformEventParked) platformEvent()   {}
func (PlatformReactionReset) platformEvent() {}

// Creates returns the platform, whose key seals the reasons of operators.
func (PlatformInitialized) Creates() []Subject { return []Subject{PlatformSubject} }

// PlatformSubject is the subject of personal text in the platform stream.
var PlatformSubject = Subject{Kind: SubjectPlatform, ID: uuid.NewSHA1(Namespace, []byte("platform"))}
