// Package mail decides what becomes of one mail: it is created because of an event,
// sent or given up, and may be asked for again.
package mail

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the mail.
var Decider = decider.Decider[State, Command, events.MailEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one mail.
type Command interface{ mailCommand() }

// State is what deciding, and sending, needs to know of a mail.
type State struct {
	ID         uuid.UUID // zero when there is no such mail
	CustomerID uuid.UUID // for whom it is, or else StaffID
	StaffID    uuid.UUID
	LoginID    uuid.UUID
	Template   string
	Cause      Cause
	To         events.Personal
	// Over says that it was sent or given up.
	Over bool
}

// Cause is the event that a mail is about.
type Cause struct {
	ID       uuid.UUID
	Stream   string
	Revision uint64
}

// ErrNotFound is returned when there is no such mail.
var ErrNotFound = fault.New(fault.NotFound, "mail_not_found", "no such mail")

// Create makes a mail that is to be sent. A mail that was made already stays.
type Create struct {
	MailID     uuid.UUID
	CustomerID uuid.UUID // for whom it is, or else StaffID
	StaffID    uuid.UUID
	LoginID    uuid.UUID
	Template   string
	Cause      Cause
	To         string
	Subject    string // of a mail that somebody wrote
}

// Sent notes that the next server has accepted the mail.
type Sent struct{ Attempt int }

// Fail gives the mail up.
type Fail struct {
	Attempt int
	Reason  events.MailFailure
}

// Resend asks for another mail about the same event.
type Resend struct{}

func (Create) mailCommand() {}
func (Sent) mailCommand()   {}
func (Fail) mailCommand()   {}
func (Resend) mailCommand() {}

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.MailEvent, error) {
	if c, ok := c.(Create); ok {
		return create(s, c), nil
	}
	if s.ID == uuid.Nil {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Sent:
		if s.Over {
			return nil, nil
		}
		return []events.MailEvent{events.MailSent{MailID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Attempt: c.Attempt}}, nil
	case Fail:
		if s.Over {
			return nil, nil
		}
		return []events.MailEvent{events.MailFailed{MailID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Attempt: c.Attempt, Reason: c.Reason}}, nil
	case Resend:
		return []events.MailEvent{events.MailResendRequested{
			MailID: s.ID, CustomerID: s.CustomerID, StaffID: s.StaffID, Template: s.Template,
			CauseID: s.Cause.ID, CauseStream: s.Cause.Stream, CauseRevision: s.Cause.Revision,
		}}, nil
	}
	return nil, fmt.Errorf("mail: no decision for %T", c)
}

func create(s State, c Create) []events.MailEvent {
	if s.ID != uuid.Nil {
		return nil
	}
	created := events.MailCreated{
		MailID: c.MailID, CustomerID: c.CustomerID, StaffID: c.StaffID, LoginID: c.LoginID, Template: c.Template,
		CauseID: c.Cause.ID, CauseStream: c.Cause.Stream, CauseRevision: c.Cause.Revision,
	}
	if c.StaffID != uuid.Nil {
		created.StaffTo = events.Clear(c.To)
	} else {
		created.To = events.Clear(c.To)
	}
	if c.Subject != "" {
		created.Subject = events.Clear(c.Subject)
	}
	return []events.MailEvent{created}
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.MailEvent) State {
	switch e := e.(type) {
	case events.MailCreated:
		to := e.To
		if e.StaffID != uuid.Nil {
			to = e.StaffTo
		}
		return State{
			ID: e.MailID, CustomerID: e.CustomerID, StaffID: e.StaffID, LoginID: e.LoginID, Template: e.Template,
			Cause: Cause{ID: e.CauseID, Stream: e.CauseStream, Revision: e.CauseRevision}, To: to,
		}
	case events.MailSent, events.MailFailed:
		s.Over = true
	}
	return s
}
