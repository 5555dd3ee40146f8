package mail_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/mail"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.MailEvent
	tcase   = decidertest.Case[mail.Command, events.MailEvent]
)

func TestMail(t *testing.T) {
	t.Parallel()
	id, customer, login, cause := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	stream := "login-" + login.String()
	created := events.MailCreated{
		MailID: id, CustomerID: customer, LoginID: login, Template: "message", CauseID: cause, CauseStream: stream, CauseRevision: 3,
		To: events.Clear("ada@example.com"), Subject: events.Clear("Hello"),
	}
	create := mail.Create{
		MailID: id, CustomerID: customer, LoginID: login, Template: "message", Cause: mail.Cause{ID: cause, Stream: stream, Revision: 3},
		To: "ada@example.com", Subject: "Hello",
	}
	sent := events.MailSent{MailID: id, CustomerID: customer, Attempt: 2}
	failed := events.MailFailed{MailID: id, CustomerID: customer, Attempt: 3, Reason: events.MailRejected}
	decidertest.Run(t, mail.Decider, []tcase{
		{Name: "is created", When: create, Then: history{created}},
		{Name: "is created once for one event", Given: history{created, sent}, When: create},
		{Name: "is sent", Given: history{created}, When: mail.Sent{Attempt: 2}, Then: history{sent}},
		{Name: "is sent once", Given: history{created, sent}, When: mail.Sent{Attempt: 3}},
		{Name: "is given up", Given: history{created}, When: mail.Fail{Attempt: 3, Reason: events.MailRejected}, Then: history{failed}},
		{Name: "is not given up after it was sent", Given: history{created, sent}, When: mail.Fail{Attempt: 3, Reason: events.MailRejected}},
		{
			Name: "is asked for again", Given: history{created, failed}, When: mail.Resend{}, Anew: true,
			Then: history{events.MailResendRequested{MailID: id, CustomerID: customer, Template: "message", CauseID: cause, CauseStream: stream, CauseRevision: 3}},
		},
		{Name: "is not there to be sent", When: mail.Sent{}, Err: mail.ErrNotFound},
		{Name: "is not there to be asked for again", When: mail.Resend{}, Err: mail.ErrNotFound},
	})
}

// A mail to a member of the team says so in every event.
func TestStaffMail(t *testing.T) {
	t.Parallel()
	id, member, login, cause := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	created := events.MailCreated{
		MailID: id, StaffID: member, LoginID: login, Template: "staff_invitation", CauseID: cause, CauseStream: "login-" + login.String(),
		StaffTo: events.Clear("grace@team.example"),
	}
	create := mail.Create{
		MailID: id, StaffID: member, LoginID: login, Template: "staff_invitation", Cause: mail.Cause{ID: cause, Stream: created.CauseStream}, To: "grace@team.example",
	}
	decidertest.Run(t, mail.Decider, []tcase{
		{Name: "is created", When: create, Then: history{created}},
		{Name: "is sent", Given: history{created}, When: mail.Sent{Attempt: 1}, Then: history{events.MailSent{MailID: id, StaffID: member, Attempt: 1}}},
		{
			Name: "is given up", Given: history{created}, When: mail.Fail{Attempt: 1, Reason: events.MailLinkOver},
			Then: history{events.MailFailed{MailID: id, StaffID: member, Attempt: 1, Reason: events.MailLinkOver}},
		},
	})
	if to, _ := mail.Decider.Fold(history{created}).To.Reveal(); to != "grace@team.example" {
		t.Errorf("it goes to %q", to)
	}
}
