package projections

import (
	"github.com/stewardhq/steward/events"
)

func describeMail(e events.MailEvent) Description {
	d := Description{Category: CategoryMail}
	switch e := e.(type) {
	case events.MailCreated:
		d.Event = "Mail to be sent"
		d.Changes = changed(
			Change{Field: "template", After: word(e.Template)}, personal("to", events.Personal{}, e.To), personal("to", events.Personal{}, e.StaffTo),
			personal("subject", events.Personal{}, e.Subject),
		)
	case events.MailSent:
		d.Event = "Mail sent"
	case events.MailFailed:
		d.Event = "Mail given up"
		d.Changes = changed(Change{Field: "reason", After: word(e.Reason)})
	case events.MailResendRequested:
		d.Event = "Mail asked for again"
		d.Changes = changed(Change{Field: "template", After: word(e.Template)})
	}
	d.Changes = append(d.Changes, whose(e.Staff())...)
	return d
}
