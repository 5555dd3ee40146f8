package events

import (
	"strconv"

	"github.com/google/uuid"
)

// Event is one fact, in the past tense. Events are plain struct values.
type Event interface {
	// EventType is the stored name: <category>.<past_tense_snake>.
	EventType() string
}

// Creator is an event that brings persons or tenants into being. Only such an
// event may provision the keys that seal their personal values.
type Creator interface {
	Event
	// Creates lists the subjects whose first key belongs to this event.
	Creates() []Subject
}

// Ender is an event with which secrets end. Nobody needs them any more, and their
// keys are destroyed.
type Ender interface {
	Event
	// Ends lists the subjects that nothing is sealed under from now on.
	Ends() []Subject
}

// PlatformEvent belongs to the platform stream.
type PlatformEvent interface {
	Event
	platformEvent()
}

// StoreEvent belongs to a store stream.
type StoreEvent interface {
	Event
	storeEvent()
}

// StaffEvent belongs to a staff stream.
type StaffEvent interface {
	Event
	staffEvent()
}

// APIKeyEvent belongs to an api_key stream.
type APIKeyEvent interface {
	Event
	// Staff is for whom the key acts.
	Staff() uuid.UUID
	apiKeyEvent()
}

// CustomerEvent belongs to a customer stream.
type CustomerEvent interface {
	Event
	customerEvent()
}

// LoginEvent belongs to a login stream.
type LoginEvent interface {
	Event
	// Customer and Staff are whose login it is: one of the two is zero.
	Customer() uuid.UUID
	Staff() uuid.UUID
	loginEvent()
}

// SessionEvent belongs to a session stream.
type SessionEvent interface {
	Event
	// Customer and Staff are whose session it is: one of the two is zero, or both
	// when the name given was nobody's.
	Customer() uuid.UUID
	Staff() uuid.UUID
	sessionEvent()
}

// MailEvent belongs to a mail stream.
type MailEvent interface {
	Event
	// Customer and Staff are whom the mail is for: one of the two is zero.
	Customer() uuid.UUID
	Staff() uuid.UUID
	mailEvent()
}

// ImpersonationEvent belongs to an impersonation stream.
type ImpersonationEvent interface {
	Event
	// Customer is whose session it is.
	Customer() uuid.UUID
	impersonationEvent()
}

// DomainEvent belongs to a domain stream.
type DomainEvent interface {
	Event
	// Owner is the customer whose log the event belongs to: the one who held
	// the domain when it happened.
	Owner() uuid.UUID
}

// ReservationEvent belongs to a reservation stream, uniq_<kind>-<hash>.
type ReservationEvent interface {
	Event
	reservationEvent()
}

// Namespace is the root of every name-based UUID (RFC 9562, version 5) that
// Steward derives.
var Namespace = uuid.MustParse("6f1a2f0e-6f4b-5a55-9d0e-2b9c1f7a4e10")

// NewID derives the id of the index-th event that a command writes to a stream.
// The fingerprint is part of it, so that two requests with one idempotency key
// and different bodies collide on the revision instead of both succeeding.
func NewID(command uuid.UUID, fingerprint, stream string, index int) uuid.UUID {
	return uuid.NewSHA1(command, []byte(fingerprint+"\x00"+stream+"\x00"+strconv.Itoa(index)))
}
