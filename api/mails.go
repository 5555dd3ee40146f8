package api

import (
	"context"
	"slices"
	"time"

	"github.com/stewardhq/steward/commands/customer"
	mails "github.com/stewardhq/steward/commands/mail"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// MailRow is a mail in a list.
type MailRow struct {
	ID        string                `json:"id" example:"mai_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Template  string                `json:"template" example:"password_reset"`
	To        string                `json:"to" doc:"The address that it goes to; [erased] when the person was erased."`
	Subject   string                `json:"subject,omitempty" doc:"Of a mail that somebody wrote."`
	State     projections.MailState `json:"state" enum:"queued,sent,failed"`
	Failure   events.MailFailure    `json:"failure,omitempty" enum:"rejected,too_old,link_over,erased" doc:"Why it was given up: the receiver's server rejects it, it could not be sent for a day, its link was over before that, the person was erased."`
	CreatedAt time.Time             `json:"created_at"`
	UpdatedAt time.Time             `json:"updated_at"`
}

// ListMailsInput is a page of the mails to a customer.
type ListMailsInput struct {
	PageInput
	ID string `path:"id"`
}

// listMails handles GET /v1/customers/{id}/mails.
func (s *Server) listMails(ctx context.Context, in *ListMailsInput) (*PageOutput[MailRow], error) {
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	l := list{"mails", id}
	var after *projections.Cursor
	var resumed projections.Cursor
	if ok, err := s.resume(ctx, l, in.Cursor, &resumed); err != nil {
		return nil, err
	} else if ok {
		after = &resumed
	}
	found, next, err := s.queries.Mails(ctx, s.engine.Sealer, callerOf(ctx).storeID, id, after, in.Limit)
	if err != nil {
		return nil, err
	}
	rows := make([]MailRow, len(found))
	for i, m := range found {
		rows[i] = MailRow{
			ID: wireid.Format(wireid.Mail, m.MailID), Template: m.Template, To: m.To, Subject: m.Subject,
			State: m.State, Failure: m.Failure, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
		}
	}
	if next == nil {
		return page(ctx, s, l, rows, nil)
	}
	return page(ctx, s, l, rows, next)
}

// WriteMailInput writes a customer a mail.
type WriteMailInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Subject string `json:"subject" maxLength:"1000"`
		Body    string `json:"body" maxLength:"40000" doc:"Plain text. It is sent in the store's frame and kept, encrypted."`
	}
}

// writeMail handles POST /v1/customers/{id}/mails.
func (s *Server) writeMail(ctx context.Context, in *WriteMailInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.RequestMail{Subject: in.Body.Subject, Body: in.Body.Body})
}

var errResendLink = fault.New(fault.Conflict, "send_link_instead", "the link of this mail may be over: send a new one with send-link")

// resendMail handles POST /v1/mails/{id}/resend.
func (s *Server) resendMail(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	id, err := pathID(wireid.Mail, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	out, err := mails.Decider.HandleFrom(ctx, s.engine, events.MailStream(id), func(_ context.Context, state mails.State) (mails.Command, error) {
		of := func(d mail.Description) bool { return string(d.Template) == state.Template && d.HasLink }
		if slices.ContainsFunc(mail.Templates(), of) {
			return nil, errResendLink
		}
		return mails.Resend{}, nil
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

// MailTemplateRow is a kind of mail.
type MailTemplateRow struct {
	Template mail.Template `json:"template" example:"password_reset"`
	Name     string        `json:"name" example:"Storefront user password reset"`
	About    string        `json:"about"`
	HasLink  bool          `json:"has_link"`
	Preview  string        `json:"preview" doc:"Where to see one."`
}

// listMailTemplates handles GET /v1/mail-templates.
func (s *Server) listMailTemplates(ctx context.Context, _ *struct{ PageInput }) (*PageOutput[MailTemplateRow], error) {
	rows := []MailTemplateRow{}
	for _, d := range mail.Templates() {
		rows = append(rows, MailTemplateRow{d.Template, d.Name, d.About, d.HasLink, "/v1/mail-templates/" + string(d.Template) + "/preview"})
	}
	return page(ctx, s, list{name: "mail-templates"}, rows, nil)
}

// PreviewMailInput names a template.
type PreviewMailInput struct {
	Template string `path:"name" doc:"See /v1/mail-templates." example:"welcome"`
}

// PreviewMailOutput is a mail as it would be sent.
type PreviewMailOutput struct {
	Body struct {
		From    string `json:"from"`
		Subject string `json:"subject"`
		Text    string `json:"text"`
		HTML    string `json:"html"`
	}
}

var errNoTemplate = fault.New(fault.NotFound, "mail_template_not_found", "there is no such mail: see /v1/mail-templates")

// previewMail handles GET /v1/mail-templates/{name}/preview: the mail as this store would
// send it, to a customer who does not exist.
func (s *Server) previewMail(ctx context.Context, in *PreviewMailInput) (*PreviewMailOutput, error) {
	template := mail.Template(in.Template)
	if !slices.ContainsFunc(mail.Templates(), func(d mail.Description) bool { return d.Template == template }) {
		return nil, errNoTemplate
	}
	id := callerOf(ctx).storeID
	shop, err := store.Decider.Load(ctx, s.engine, id, events.StoreStream(id))
	if err != nil {
		return nil, err
	}
	data := mail.Sample(template)
	data.Store = mailStore(shop.State)
	rendered, err := mail.Render(template, data)
	if err != nil {
		return nil, err
	}
	from := senderOf(shop.State)
	out := &PreviewMailOutput{}
	out.Body.From, out.Body.Subject, out.Body.Text, out.Body.HTML = from.Name+" <"+from.Address+">", rendered.Subject, rendered.Text, rendered.HTML
	return out, nil
}

// ChangeMailInput changes the mail settings of a store.
type ChangeMailInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Mail events.MailSettings `json:"mail" doc:"What is left out follows from the store's name and its first host."`
	}
}

// changeStoreMail handles POST /v1/stores/{id}/change-mail.
func (s *Server) changeStoreMail(ctx context.Context, in *ChangeMailInput) (*CommandOutput, error) {
	return s.onStore(ctx, in.ID, store.ChangeMail{Mail: in.Body.Mail})
}
