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
