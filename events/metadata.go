package events

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// MetadataSchema is the version of [Metadata] that is written.
const MetadataSchema = 1

// ActorKind says in which capacity somebody acted.
type ActorKind string

// The four actors. Staff see the person behind a reseller, customers the word.
const (
	ActorCustomer   ActorKind = "customer"
	ActorReseller   ActorKind = "reseller"
	ActorAsCustomer ActorKind = "as_customer"
	ActorSystem     ActorKind = "system"
)

// Actor is who caused an event. It comes from the credential of the request;
// no field that a client sends can reach it.
type Actor struct {
	Kind ActorKind `json:"kind"`
	// ID is the customer, the staff member, the customer acted for, or the
	// name of the component. It is empty, null when stored, for a visitor who
	// gave an unknown name.
	ID              string    `json:"id"`
	StaffID         uuid.UUID `json:"staff_id,omitzero"`
	ImpersonationID uuid.UUID `json:"impersonation_id,omitzero"`
	SessionID       uuid.UUID `json:"session_id,omitzero"`
	APIKeyID        uuid.UUID `json:"api_key_id,omitzero"`
}

// MarshalJSON writes an empty id as null.
func (a Actor) MarshalJSON() ([]byte, error) {
	stored := struct {
		Kind            ActorKind `json:"kind"`
		ID              *string   `json:"id"`
		StaffID         uuid.UUID `json:"staff_id,omitzero"`
		ImpersonationID uuid.UUID `json:"impersonation_id,omitzero"`
		SessionID       uuid.UUID `json:"session_id,omitzero"`
		APIKeyID        uuid.UUID `json:"api_key_id,omitzero"`
	}{a.Kind, nil, a.StaffID, a.ImpersonationID, a.SessionID, a.APIKeyID}
	if a.ID != "" {
		stored.ID = &a.ID
	}
	return json.Marshal(stored)
}

// System is the actor of a component of Steward itself.
func System(component string) Actor { return Actor{Kind: ActorSystem, ID: component} }

// Reseller is a staff member acting through an API key.
func Reseller(staff, apiKey uuid.UUID) Actor {
	return Actor{Kind: ActorReseller, ID: staff.String(), StaffID: staff, APIKeyID: apiKey}
}

// Staff is a staff member in a session of their own; before there is one the session
// is zero.
func Staff(id, session uuid.UUID) Actor {
	return Actor{Kind: ActorReseller, ID: id.String(), StaffID: id, SessionID: session}
}

// Customer is a customer in a session of their own; before there is one the session
// is zero, and before anybody knows who they are the id is too.
func Customer(id, session uuid.UUID) Actor {
	a := Actor{Kind: ActorCustomer, SessionID: session}
	if id != uuid.Nil {
		a.ID = id.String()
	}
	return a
}

// AsCustomer is a staff member acting in a session of a customer.
func AsCustomer(customer, staff, impersonation uuid.UUID) Actor {
	return Actor{Kind: ActorAsCustomer, ID: customer.String(), StaffID: staff, ImpersonationID: impersonation}
}

// Source is the way by which a command came in.
type Source string

// The sources.
const (
	SourceAPI      Source = "api"
	SourceCLI      Source = "cli"
	SourceImport   Source = "import"
	SourceReaction Source = "reaction"
)

// Metadata is stored beside every event and says who caused it, by which
// request, when and from where.
type Metadata struct {
	Schema  int       `json:"schema"`
	StoreID uuid.UUID `json:"store_id,omitzero"` // absent on platform events only
	Actor   Actor     `json:"actor"`
	Source  Source    `json:"source"`

	CommandID     uuid.UUID `json:"command_id"`
	Fingerprint   string    `json:"fp"` // keyed hash of the request, in hexadecimal
	CorrelationID uuid.UUID `json:"$correlationId"`
	CausationID   uuid.UUID `json:"$causationId"`
	OccurredAt    time.Time `json:"occurred_at"`
	RequestID     string    `json:"request_id,omitempty"`

	// Reason is free text given with the command, about the stream's subject.
	Reason Personal `json:"reason,omitzero"`
	// Ticket is a reference into the reseller's help desk.
	Ticket string `json:"ticket,omitempty"`
	// Notify is the caller's override of whether the customer gets a mail.
	Notify *bool `json:"notify,omitempty"`

	// Keys lists the data keys that this event is the first to be sealed under.
	Keys []KeyCommitment `json:"keys,omitempty"`
	// Net is the [Net] of the request, sealed under the actor's person.
	Net Personal `json:"net,omitzero"`
}

// KeyCommitment binds a data key to the log, so that no other key can later be
// presented in its place.
type KeyCommitment struct {
	ID         uuid.UUID `json:"id"`
	Subject    Subject   `json:"subject"`
	Commitment string    `json:"commitment"` // 32 bytes in hexadecimal
}

// Net is where a request came from.
type Net struct {
	IP        string `json:"ip"`
	UserAgent string `json:"ua,omitempty"`
}

// Personal packs n into one value to be sealed. The zero Net is absent.
func (n Net) Personal() (Personal, error) {
	if n == (Net{}) {
		return Personal{}, nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return Personal{}, err
	}
	return Clear(string(text)), nil
}

// ParseNet unpacks an opened [Metadata.Net]. It returns false when the value is
// absent, sealed or erased.
func ParseNet(p Personal) (Net, bool) {
	text, ok := p.Reveal()
	if !ok {
		return Net{}, false
	}
	var n Net
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return Net{}, false
	}
	return n, true
}
