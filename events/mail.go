package events

import "github.com/google/uuid"

// Stored names of a mail. Append only: never edit or reuse a value.
const (
	TypeMailCreated         = "mail.created"
	TypeMailSent            = "mail.sent"
	TypeMailFailed          = "mail.failed"
	TypeMailResendRequested = "mail.resend_requested"
)

// MailFailure says why a mail was given up.
type MailFailure string

// The reasons.
const (
	MailRejected MailFailure = "rejected"  // the receiver's server does not accept it, or its address
	MailTooOld   MailFailure = "too_old"   // it could not be sent for a day
	MailLinkOver MailFailure = "link_over" // its link was used, replaced or over before it was sent
	MailNobody   MailFailure = "erased"    // whom it was for was erased
)

// MailCreated is a mail that is to be sent because of another event. It comes before
// the sending, so that the same event never leads to the same mail twice.
type MailCreated struct {
	MailID     uuid.UUID `json:"mail_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	LoginID    uuid.UUID `json:"login_id"`
	Template   string    `json:"template"`
	// CauseID is the event that it is about, and where that is.
	CauseID       uuid.UUID `json:"cause_id"`
	CauseStream   string    `json:"cause_stream"`
	CauseRevision uint64    `json:"cause_revision"`
	// To is a customer's address, StaffTo a team member's.
	To      Personal `json:"to,omitzero" subject:"login"`
	StaffTo Personal `json:"staff_to,omitzero" subject:"staff"`
	// Subject is that of a mail which somebody wrote by hand.
	Subject Personal `json:"subject,omitzero" subject:"customer"`
}

// MailSent is a mail that the next server has accepted.
type MailSent struct {
	MailID     uuid.UUID `json:"mail_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	Attempt    int       `json:"attempt"`
}

// MailFailed is a mail that was given up.
type MailFailed struct {
	MailID     uuid.UUID   `json:"mail_id"`
	CustomerID uuid.UUID   `json:"customer_id,omitzero"`
	StaffID    uuid.UUID   `json:"staff_id,omitzero"`
	Attempt    int         `json:"attempt"`
	Reason     MailFailure `json:"reason"`
}

// MailResendRequested asks for another mail about the same event, to the address that
// the customer has by then.
type MailResendRequested struct {
	MailID        uuid.UUID `json:"mail_id"`
	CustomerID    uuid.UUID `json:"customer_id,omitzero"`
	StaffID       uuid.UUID `json:"staff_id,omitzero"`
	Template      string    `json:"template"`
	CauseID       uuid.UUID `json:"cause_id"`
	CauseStream   string    `json:"cause_stream"`
	CauseRevision uint64    `json:"cause_revision"`
}

func (MailCreated) EventType() string         { return TypeMailCreated }
func (MailSent) EventType() string            { return TypeMailSent }
func (MailFailed) EventType() string          { return TypeMailFailed }
func (MailResendRequested) EventType() string { return TypeMailResendRequested }

// Customer is whom it is for.
func (e MailCreated) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is for one.
func (e MailCreated) Staff() uuid.UUID { return e.StaffID }

// Customer is whom it was for.
func (e MailSent) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is for one.
func (e MailSent) Staff() uuid.UUID { return e.StaffID }

// Customer is whom it was for.
func (e MailFailed) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is for one.
func (e MailFailed) Staff() uuid.UUID { return e.StaffID }

// Customer is whom it is for.
func (e MailResendRequested) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is for one.
func (e MailResendRequested) Staff() uuid.UUID { return e.StaffID }

func (MailCreated) mailEvent()         {}
func (MailSent) mailEvent()            {}
func (MailFailed) mailEvent()          {}
func (MailResendRequested) mailEvent() {}

// MailID is the id of the mail that an event leads to: one for each template and
// receiver.
func MailID(event uuid.UUID, template string, receiver uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(event, []byte("mail\x00"+template+"\x00"+receiver.String()))
}
