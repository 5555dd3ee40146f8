package api

import (
	"context"
	"fmt"

	mails "github.com/stewardhq/steward/commands/mail"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/onetime"
)

// write writes a mail as it is to be sent, anew for every attempt: its link is the
// same each time. A failure says why there is nothing to send any more.
func (m *Mailer) write(ctx context.Context, job jobs.Mail, state mails.State) (mail.Letter, events.MailFailure, error) {
	to, readable := state.To.Reveal()
	if !readable {
		return mail.Letter{}, events.MailNobody, nil
	}
	shop, err := store.Decider.Load(ctx, m.Engine, job.StoreID, events.StoreStream(job.StoreID))
	if err != nil {
		return mail.Letter{}, "", err
	}
	who, err := loadPerson(ctx, m.Engine, job.StoreID, state.CustomerID, state.StaffID)
	if err != nil {
		return mail.Letter{}, "", err
	}
	cause, err := m.cause(ctx, state.Cause)
	if err != nil {
		return mail.Letter{}, "", err
	}
	data := mailData(shop.State, who, cause)
	if issued, ok := cause.Event.(events.LoginLinkIssued); ok {
		link, known := who.credentials.State.Link(issued.LinkID)
		if !known || !link.Good(who.standing(), m.Now()) {
			return mail.Letter{}, events.MailLinkOver, nil
		}
		token, err := m.Links.Token(tokenOf(job.StoreID, issued.LoginID, link))
		if err != nil {
			return mail.Letter{}, "", err
		}
		data.Link, data.Until = m.linkURL(shop.State, token), link.ExpiresAt
	}
	if ended, ok := cause.Event.(events.ImpersonationEnded); ok {
		if data.Lines, err = m.Done(ctx, job.StoreID, ended.ImpersonationID, cause.Position); err != nil {
			return mail.Letter{}, "", err
		}
	}
	rendered, err := mail.Render(mail.Template(state.Template), data)
	if err != nil {
		return mail.Letter{}, "", fmt.Errorf("write mail %s: %w", job.MailID, err)
	}
	return mail.Letter{
		MessageID: job.MailID.String() + "@" + data.Store.Host, Rendered: rendered, At: m.Now(),
		From: senderOf(shop.State), ReplyTo: mail.Address{Address: shop.State.Mail.ReplyTo}, To: mail.Address{Name: data.Name, Address: to},
	}, "", nil
}

// cause reads the event that a mail is about, its personal values open.
func (m *Mailer) cause(ctx context.Context, c mails.Cause) (events.Envelope, error) {
	records, err := m.Engine.Log.ReadStream(ctx, c.Stream, c.Revision)
	if err != nil {
		return events.Envelope{}, err
	}
	if len(records) == 0 || records[0].ID != c.ID {
		return events.Envelope{}, fmt.Errorf("%s@%d is not what the mail is about", c.Stream, c.Revision)
	}
	env, err := events.Decode(records[0])
	if err != nil {
		return events.Envelope{}, err
	}
	opened, err := m.Engine.Sealer.Open(ctx, []events.Envelope{env})
	if err != nil {
		return events.Envelope{}, err
	}
	return opened[0], nil
}

// mailData is what a mail about an event says.
func mailData(shop store.State, who identified, cause events.Envelope) mail.Data {
	account := who.account.State
	data := mail.Data{
		Store: mailStore(shop), Username: text(shown(account.Username)), At: cause.Metadata.OccurredAt,
		Name: customerName(
			account.Status, text(shown(account.Profile.FirstName)), text(shown(account.Profile.LastName)), text(shown(account.Profile.Company)), text(shown(account.Username)), ""),
	}
	if who.audience() == forTeam {
		data.Name, data.Username = text(shown(who.member.State.Name)), who.name()
	}
	if net, ok := events.ParseNet(cause.Metadata.Net); ok && isBy(cause.Metadata.Actor, who) {
		data.IP, data.Device = net.IP, net.UserAgent
	}
	switch e := cause.Event.(type) {
	case events.CustomerMailRequested:
		data.Subject, data.Body = text(shown(e.Subject)), text(shown(e.Body))
	case events.LoginRecoveryCodeUsed:
		data.Remaining = e.Remaining
	}
	return data
}

// isBy reports whether it was the person themself who acted.
func isBy(actor events.Actor, who identified) bool {
	if who.audience() == forTeam {
		return actor.Kind == events.ActorReseller && actor.StaffID == who.id()
	}
	return actor.Kind == events.ActorCustomer
}

func mailStore(shop store.State) mail.Store {
	s := mail.Store{Name: shop.Name, LogoURL: shop.Branding.LogoURL, Color: shop.Branding.Color}
	if len(shop.Hosts) > 0 {
		s.Host = shop.Hosts[0]
	}
	return s
}

// senderOf is whom a store's mails come from.
func senderOf(shop store.State) mail.Address {
	from := mail.Address{Name: shop.Mail.SenderName, Address: shop.Mail.SenderAddress}
	if from.Name == "" {
		from.Name = shop.Name
	}
	if from.Address == "" {
		from.Address = "no-reply@" + mailStore(shop).Host
	}
	return from
}

// linkURL is where a link leads: the page that the store has for it, with the token
// where no server and no other page sees it. It never comes from a request.
func (m *Mailer) linkURL(shop store.State, token onetime.Token) string {
	page := shop.Mail.LinkURL
	if page == "" && m.LinkURL != nil {
		page = m.LinkURL(shop.ID)
	}
	if page == "" {
		page = "https://" + mailStore(shop).Host + "/links"
	}
	return page + "#" + token.Reveal()
}
