package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of reservations. Append only: never edit or reuse a value.
const (
	TypeUniqReserved     = "uniq.reserved"
	TypeUniqConfirmed    = "uniq.confirmed"
	TypeUniqReleased     = "uniq.released"
	TypeUniqClaimAborted = "uniq.claim_aborted"
)

// NameKind is a kind of name that only one holder may have at a time.
type NameKind string

// The kinds of unique name.
const (
	NameEmail      NameKind = "email"
	NameUsername   NameKind = "username"
	NameExternalID NameKind = "external_id"
	NameHost       NameKind = "host"
	NameStaffEmail NameKind = "staff_email"
)

// Claim names the exact append that will use a reserved name.
type Claim struct {
	Stream string `json:"stream"`
	// ExpectedRevision is the revision that the append insists on; -1 means
	// that the stream must not exist yet.
	ExpectedRevision int64 `json:"expected_revision"`
}

// UniqReserved sets a name aside for one claim. Whoever takes the reservation
// over must first move the claimant's stream past the claimed revision.
type UniqReserved struct {
	Kind      NameKind  `json:"kind"`
	Claim     Claim     `json:"claim"`
	CommandID uuid.UUID `json:"command_id"`
	Deadline  time.Time `json:"deadline"`
}

// UniqConfirmed records that the claiming stream uses the name.
type UniqConfirmed struct {
	Kind   NameKind `json:"kind"`
	Stream string   `json:"stream"`
}

// UniqReleased frees the name.
type UniqReleased struct {
	Kind   NameKind `json:"kind"`
	Stream string   `json:"stream"` // who had it
}

// UniqClaimAborted seals a claimant's stream against a claim that somebody else
// takes over. It changes nothing else about the stream that it is written to.
type UniqClaimAborted struct {
	Claim Claim `json:"claim"`
}

func (UniqReserved) EventType() string     { return TypeUniqReserved }
func (UniqConfirmed) EventType() string    { return TypeUniqConfirmed }
func (UniqReleased) EventType() string     { return TypeUniqReleased }
func (UniqClaimAborted) EventType() string { return TypeUniqClaimAborted }

func (UniqReserved) reservationEvent()  {}
func (UniqConfirmed) reservationEvent() {}
func (UniqReleased) reservationEvent()  {}

func (UniqClaimAborted) storeEvent()    {}
func (UniqClaimAborted) staffEvent()    {}
func (UniqClaimAborted) customerEvent() {}
