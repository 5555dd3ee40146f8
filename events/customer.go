package events

import "github.com/google/uuid"

// Stored names of a customer. Append only: never edit or reuse a value.
const (
	TypeCustomerCreated           = "customer.created"
	TypeCustomerProfileEdited     = "customer.profile_edited"
	TypeCustomerEmailChanged      = "customer.email_changed"
	TypeCustomerUsernameChanged   = "customer.username_changed"
	TypeCustomerExternalIDChanged = "customer.external_id_changed"
	TypeCustomerSuspended         = "customer.suspended"
	TypeCustomerReactivated       = "customer.reactivated"
	TypeCustomerBanned            = "customer.banned"
	TypeCustomerDeleted           = "customer.deleted"
	TypeCustomerRestored          = "customer.restored"
	TypeCustomerActivated         = "customer.activated"
	TypeCustomerMailRequested     = "customer.mail_requested"
	TypeCustomerDetailsReviewed   = "customer.details_reviewed"

	TypeCustomerEmailProvisionalSet = "customer.email_provisional_set"
	TypeCustomerNoteAdded           = "customer.note_added"
	TypeCustomerTagsChanged         = "customer.tags_changed"
)

// CustomerStatus is where a customer stands in the life cycle.
type CustomerStatus string

// The life cycle. Pending and erased are reached by the login's own commands.
const (
	StatusPending   CustomerStatus = "pending"
	StatusActive    CustomerStatus = "active"
	StatusSuspended CustomerStatus = "suspended"
	StatusBanned    CustomerStatus = "banned"
	StatusDeleted   CustomerStatus = "deleted"
	StatusErased    CustomerStatus = "erased"
)

// Origin says how a customer came to be.
type Origin string

// The origins.
const (
	OriginStaff    Origin = "staff"
	OriginSelf     Origin = "self"
	OriginCheckout Origin = "checkout"
	OriginImport   Origin = "import"
)

// ReasonCode classifies why somebody was suspended or banned.
type ReasonCode string

// The reason codes.
const (
	ReasonFraud           ReasonCode = "fraud"
	ReasonCustomerRequest ReasonCode = "customer_request"
	ReasonTerms           ReasonCode = "terms_violation"
	ReasonNonPayment      ReasonCode = "non_payment"
	ReasonOther           ReasonCode = "other"
)

// Profile is what a customer is called and where they can be reached. In an
// edit only the changed fields are present.
type Profile struct {
	FirstName  Personal `json:"first_name,omitzero" subject:"customer"`
	LastName   Personal `json:"last_name,omitzero" subject:"customer"`
	Company    Personal `json:"company,omitzero" subject:"customer"`
	Phone      Personal `json:"phone,omitzero" subject:"customer"`
	Street     Personal `json:"street,omitzero" subject:"customer"`
	PostalCode Personal `json:"postal_code,omitzero" subject:"customer"`
	City       Personal `json:"city,omitzero" subject:"customer"`
	Region     Personal `json:"region,omitzero" subject:"customer"`
	Country    Personal `json:"country,omitzero" subject:"customer"` // ISO 3166-1 alpha-2
}

// CustomerCreated opens a customer account.
type CustomerCreated struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	LoginID    uuid.UUID      `json:"login_id"`
	Origin     Origin         `json:"origin"`
	Status     CustomerStatus `json:"status"`
	Email      Personal       `json:"email" subject:"login"`
	Username   Personal       `json:"username,omitzero" subject:"login"`
	ExternalID Personal       `json:"external_id,omitzero" subject:"customer"`
	Profile    Profile        `json:"profile,omitzero"`
	// Send is the link to send at once, if any.
	Send LinkPurpose `json:"send,omitempty"`
}

// CustomerProfileEdited changes names, phone or address.
type CustomerProfileEdited struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Before     Profile   `json:"before"`
	After      Profile   `json:"after"`
}

// CustomerEmailChanged changes the address that the account is reached and
// found by.
type CustomerEmailChanged struct {
	CustomerID uuid.UUID `json:"customer_id"`
	LoginID    uuid.UUID `json:"login_id"`
	Before     Personal  `json:"before" subject:"login"`
	After      Personal  `json:"after" subject:"login"`
	// Undone says that it went back to an earlier address by the link sent there.
	Undone bool `json:"undone,omitempty"`
}

// CustomerUsernameChanged changes the name that the customer signs in with.
type CustomerUsernameChanged struct {
	CustomerID uuid.UUID `json:"customer_id"`
	LoginID    uuid.UUID `json:"login_id"`
	Before     Personal  `json:"before,omitzero" subject:"login"`
	After      Personal  `json:"after" subject:"login"`
}

// CustomerExternalIDChanged changes the customer's id in the reseller's own
// systems. An absent value means that there was, or is, none.
type CustomerExternalIDChanged struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Before     Personal  `json:"before,omitzero" subject:"customer"`
	After      Personal  `json:"after,omitzero" subject:"customer"`
}

// ActivationMethod says how an account became usable.
type ActivationMethod string

// The methods.
const (
	ActivatedAutomatically ActivationMethod = "auto"   // the store wants nothing more
	ActivatedByStaff       ActivationMethod = "manual" // a member of the team confirmed it
	ActivatedByLink        ActivationMethod = "link"   // the customer followed a link that was sent to their address
)

// CustomerActivated makes a pending account usable.
type CustomerActivated struct {
	CustomerID uuid.UUID        `json:"customer_id"`
	Before     CustomerStatus   `json:"before"`
	After      CustomerStatus   `json:"after"`
	Method     ActivationMethod `json:"method"`
}

// CustomerDetailsReviewed ends the welcome of a customer whose account somebody else
// opened: they looked at what it says of them.
type CustomerDetailsReviewed struct {
	CustomerID uuid.UUID `json:"customer_id"`
}

// CustomerMailRequested sends the customer a mail that somebody of the team wrote.
type CustomerMailRequested struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Subject    Personal  `json:"subject" subject:"customer"`
	Body       Personal  `json:"body" subject:"customer"`
}

// CustomerSuspended shuts the customer out until reactivated.
type CustomerSuspended struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
	ReasonCode ReasonCode     `json:"reason_code,omitempty"`
	Reason     Personal       `json:"reason,omitzero" subject:"customer"`
	// HoldServices says whether the customer's domains are on hold from now on.
	// It is a flag of the customer: the domains' decisions read it, their streams
	// do not change.
	HoldServices bool `json:"hold_services"`
}

// CustomerReactivated lets the customer back in after a suspension or a ban.
type CustomerReactivated struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
	// ReleaseServices lifts the hold that the suspension put on the domains.
	ReleaseServices bool `json:"release_services"`
}

// CustomerBanned shuts the customer out for good, as far as they can tell.
type CustomerBanned struct {
	CustomerID   uuid.UUID      `json:"customer_id"`
	Before       CustomerStatus `json:"before"`
	After        CustomerStatus `json:"after"`
	ReasonCode   ReasonCode     `json:"reason_code,omitempty"`
	Reason       Personal       `json:"reason,omitzero" subject:"customer"`
	HoldServices bool           `json:"hold_services"`
}

// CustomerDeleted hides the customer. Nothing is lost and the names stay taken.
type CustomerDeleted struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
}

// CustomerRestored undoes a deletion; After is the status from before it.
type CustomerRestored struct {
	CustomerID uuid.UUID      `json:"customer_id"`
	Before     CustomerStatus `json:"before"`
	After      CustomerStatus `json:"after"`
}

// CustomerEmailProvisionalSet says whether the address is a stand-in until the
// customer's own is known.
type CustomerEmailProvisionalSet struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Before     bool      `json:"before"`
	After      bool      `json:"after"`
}

// CustomerNoteAdded is a note of the team about the customer, who never sees it.
// Notes are not changed and not removed.
type CustomerNoteAdded struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Text       Personal  `json:"text" subject:"customer"`
}

// CustomerTagsChanged sorts the customer under other tags, which are the team's.
type CustomerTagsChanged struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Before     []string  `json:"before"`
	After      []string  `json:"after"`
}

func (CustomerCreated) EventType() string           { return TypeCustomerCreated }
func (CustomerProfileEdited) EventType() string     { return TypeCustomerProfileEdited }
func (CustomerEmailChanged) EventType() string      { return TypeCustomerEmailChanged }
func (CustomerUsernameChanged) EventType() string   { return TypeCustomerUsernameChanged }
func (CustomerExternalIDChanged) EventType() string { return TypeCustomerExternalIDChanged }
func (CustomerSuspended) EventType() string         { return TypeCustomerSuspended }
func (CustomerReactivated) EventType() string       { return TypeCustomerReactivated }
func (CustomerBanned) EventType() string            { return TypeCustomerBanned }
func (CustomerDeleted) EventType() string           { return TypeCustomerDeleted }
func (CustomerActivated) EventType() string         { return TypeCustomerActivated }
func (CustomerMailRequested) EventType() string     { return TypeCustomerMailRequested }
func (CustomerDetailsReviewed) EventType() string   { return TypeCustomerDetailsReviewed }
func (CustomerRestored) EventType() string          { return TypeCustomerRestored }

func (CustomerEmailProvisionalSet) EventType() string { return TypeCustomerEmailProvisionalSet }
func (CustomerNoteAdded) EventType() string           { return TypeCustomerNoteAdded }
func (CustomerTagsChanged) EventType() string         { return TypeCustomerTagsChanged }

func (CustomerCreated) customerEvent()           {}
func (CustomerProfileEdited) customerEvent()     {}
func (CustomerEmailChanged) customerEvent()      {}
func (CustomerUsernameChanged) customerEvent()   {}
func (CustomerExternalIDChanged) customerEvent() {}
func (CustomerSuspended) customerEvent()         {}
func (CustomerReactivated) customerEvent()       {}
func (CustomerBanned) customerEvent()            {}
func (CustomerDeleted) customerEvent()           {}
func (CustomerActivated) customerEvent()         {}
func (CustomerMailRequested) customerEvent()     {}
func (CustomerDetailsReviewed) customerEvent()   {}
func (CustomerRestored) customerEvent()          {}

func (CustomerEmailProvisionalSet) customerEvent() {}
func (CustomerNoteAdded) customerEvent()           {}
func (CustomerTagsChanged) customerEvent()         {}

// Creates returns the customer and the login that signs in for them.
func (e CustomerCreated) Creates() []Subject {
	return []Subject{
		{Kind: SubjectCustomer, ID: e.CustomerID},
		{Kind: SubjectLogin, ID: e.LoginID},
	}
}
