package customer

import (
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
)

// RequestMail sends the customer a mail that somebody of the team wrote.
type RequestMail struct {
	Subject string
	Body    string
}

func (RequestMail) customerCommand() {}

const (
	maxSubject = 200
	maxBody    = 10_000
)

func requestMail(s State, c RequestMail) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	refused := ErrInvalid
	subject, err := identity.Line(c.Subject, maxSubject)
	refused = refuse(refused, "subject", err)
	body, err := identity.Text(c.Body, maxBody)
	refused = refuse(refused, "body", err)
	if err == nil && body == "" {
		refused = refused.On("body", "is empty")
	}
	if subject == "" && len(refused.Fields) == 0 {
		refused = refused.On("subject", "is empty")
	}
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	return []events.CustomerEvent{events.CustomerMailRequested{
		CustomerID: s.ID, Subject: events.Clear(subject), Body: events.Clear(body),
	}}, nil
}
