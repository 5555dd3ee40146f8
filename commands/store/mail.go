package store

import (
	"net/url"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// ChangeMail changes whom the store's mails come from and where their links lead.
type ChangeMail struct{ Mail events.MailSettings }

func (ChangeMail) storeCommand() {}

func changeMail(s State, c ChangeMail) ([]events.StoreEvent, error) {
	mail, refused := checkMail(c.Mail, ErrInvalid)
	switch {
	case len(refused.Fields) > 0:
		return nil, refused
	case mail == s.Mail:
		return nil, nil
	}
	return []events.StoreEvent{events.StoreMailChanged{StoreID: s.ID, Before: s.Mail, After: mail}}, nil
}

func checkMail(m events.MailSettings, refused *fault.Error) (events.MailSettings, *fault.Error) {
	name, err := identity.Line(m.SenderName, 100)
	if err != nil {
		refused = refused.On("mail.sender_name", err.Error())
	}
	m.SenderName = name
	for field, address := range map[string]*string{"mail.sender_address": &m.SenderAddress, "mail.reply_to": &m.ReplyTo} {
		if *address == "" {
			continue
		}
		if *address, err = identity.Email(*address); err != nil {
			refused = refused.On(field, err.Error())
		}
	}
	link, err := url.Parse(m.LinkURL)
	if m.LinkURL != "" && (err != nil || len(m.LinkURL) > 500 || link.Scheme != "https" || link.Host == "" || link.User != nil || link.Fragment != "") {
		refused = refused.On("mail.link_url", "is not an https address without a fragment")
	}
	return m, refused
}
