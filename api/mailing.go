package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	mails "github.com/stewardhq/steward/commands/mail"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/reactions"
)

// MailQueue writes down that a mail is to be sent; [jobs.Queue] is one.
type MailQueue interface {
	AddMail(ctx context.Context, tx pgx.Tx, m jobs.Mail) error
	AddImpersonation(ctx context.Context, tx pgx.Tx, i jobs.Impersonation, at time.Time) error
}

// Mails is the reaction that creates the mails which follow from events. An event
// that comes again finds its mails created.
func Mails(e *decider.Engine, queue MailQueue, now func() time.Time) reactions.Reaction {
	return reactions.Reaction{
		Name:  "mails",
		Wants: mayLeadToMail,
		Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
			return followingMails{e, queue, now}.handle(decider.Arrive(ctx), tx, env)
		},
	}
}

// mayLeadToMail reports whether some event of this type leads to a mail.
func mayLeadToMail(e events.Event) bool {
	switch e.(type) {
	case events.LoginLinkIssued, events.LoginPasswordSet, events.LoginTwoFactorDisabled, events.LoginRecoveryCodeUsed, events.LoginDeviceAdded,
		events.CustomerActivated, events.CustomerSuspended, events.CustomerReactivated, events.CustomerMailRequested,
		events.MailResendRequested, events.ImpersonationRedeemed, events.ImpersonationEnded:
		return true
	}
	return false
}

// templateFor is the mail that an event leads to, and false when it leads to none.
func templateFor(e events.Event, policies policy.Set) (mail.Template, bool) {
	switch e := e.(type) {
	case events.LoginLinkIssued:
		return templateOfLink(e.Purpose, policies)
	case events.LoginPasswordSet:
		switch e.Cause {
		case events.PasswordReset:
			return mail.PasswordResetSuccessful, true
		case events.PasswordChanged, events.PasswordStaff, events.PasswordTemporary:
			return mail.PasswordChanged, true
		}
	case events.LoginTwoFactorDisabled:
		return mail.TwoFactorDisabled, true
	case events.LoginDeviceAdded:
		return mail.NewDevice, !e.First
	case events.LoginRecoveryCodeUsed:
		return mail.RecoveryCodeUsed, true
	case events.CustomerActivated:
		return mail.ActivationSuccessful, e.Method != events.ActivatedAutomatically
	case events.CustomerSuspended:
		return mail.AccountSuspended, true
	case events.CustomerReactivated:
		return mail.AccountReactivated, true
	case events.CustomerMailRequested:
		return mail.Message, true
	case events.ImpersonationEnded:
		return mail.SessionReceipt, policies.On(policy.ImpersonationReceipt)
	case events.MailResendRequested:
		return mail.Template(e.Template), true
	}
	return "", false
}

func templateOfLink(purpose events.LinkPurpose, policies policy.Set) (mail.Template, bool) {
	switch purpose {
	case events.LinkWelcome:
		if policies.Get(policy.WelcomeTemplate) == policy.ActivationMail {
			return mail.AccountActivation, true
		}
		return mail.Welcome, true
	case events.LinkActivate:
		return mail.AccountActivation, true
	case events.LinkSetPassword:
		return mail.SetPassword, true
	case events.LinkReset:
		return mail.PasswordReset, true
	case events.LinkEmailChange:
		return mail.EmailChange, true
	case events.LinkEmailUndo:
		return mail.EmailChanged, true
	case events.LinkInvitation:
		return mail.StaffInvitation, true
	}
	return "", false
}

type followingMails struct {
	engine *decider.Engine
	queue  MailQueue
	now    func() time.Time
}

func (f followingMails) handle(ctx context.Context, tx pgx.Tx, env events.Envelope) error {
	cause := mails.Cause{ID: env.ID, Stream: env.Stream, Revision: env.Revision}
	if again, ok := env.Event.(events.MailResendRequested); ok {
		cause = mails.Cause{ID: again.CauseID, Stream: again.CauseStream, Revision: again.CauseRevision}
	}
	if isSilenced(env) {
		return nil
	}
	r := consequence(env, "mails", "create", f.now())
	shop, err := store.Decider.Load(ctx, f.engine, r.StoreID, events.StoreStream(r.StoreID))
	if err != nil {
		return err
	}
	policies := shop.State.Policies.At(env.Metadata.OccurredAt)
	if begun, ok := env.Event.(events.ImpersonationRedeemed); ok && policies.On(policy.ImpersonationReceipt) {
		// Nobody else notes the end of a session whose time is over.
		return f.queue.AddImpersonation(ctx, tx, jobs.Impersonation{StoreID: r.StoreID, ImpersonationID: begun.ImpersonationID}, begun.ExpiresAt)
	}
	template, ok := templateFor(env.Event, policies)
	if !ok {
		return nil
	}
	if template == mail.SessionReceipt {
		if entered, err := wasEntered(ctx, f.engine, r.StoreID, env.Stream); err != nil || !entered {
			return err
		}
	}
	customerID, staffID := receiverOf(env)
	who, err := loadPerson(ctx, f.engine, r.StoreID, customerID, staffID)
	if err != nil {
		return err
	}
	opened, err := f.engine.Sealer.Open(ctx, []events.Envelope{env})
	if err != nil {
		return err
	}
	to, subject := who.address(), events.Personal{}
	switch e := opened[0].Event.(type) {
	case events.LoginLinkIssued:
		if !e.Email.IsZero() {
			to = e.Email
		}
	case events.CustomerMailRequested:
		subject = e.Subject
	}
	address, readable := to.Reveal()
	if !readable {
		return nil // the person was erased
	}
	create := mails.Create{
		MailID: events.MailID(env.ID, string(template), who.id()), CustomerID: customerID, StaffID: staffID, LoginID: who.loginID(),
		Template: string(template), Cause: cause, To: address, Subject: text(shown(subject)),
	}
	if _, err := mails.Decider.Handle(ctx, f.engine, events.MailStream(create.MailID), create, r); err != nil {
		return err
	}
	return f.queue.AddMail(ctx, tx, jobs.Mail{StoreID: r.StoreID, MailID: create.MailID})
}

// isSilenced reports whether the team did something without a notice. It cannot keep
// from a customer what becomes of their secrets, and nobody else can silence anything:
// who has taken an account over least of all.
func isSilenced(env events.Envelope) bool {
	notify := env.Metadata.Notify
	_, ofAccount := env.Event.(events.CustomerEvent)
	return notify != nil && !*notify && ofAccount && env.Metadata.Actor.Kind == events.ActorReseller
}

// receiverOf is whom an event that leads to a mail is about.
func receiverOf(env events.Envelope) (customerID, staffID uuid.UUID) {
	switch e := env.Event.(type) {
	case events.LoginEvent:
		return e.Customer(), e.Staff()
	case events.MailEvent:
		return e.Customer(), e.Staff()
	case events.ImpersonationEvent:
		return e.Customer(), uuid.Nil
	}
	customerID, err := events.StreamID(env.Stream)
	if err != nil {
		return uuid.Nil, uuid.Nil
	}
	return customerID, uuid.Nil
}

// MailSender hands a mail to the next server; [mail.Sender] is one.
type MailSender interface {
	Send(ctx context.Context, l mail.Letter) error
}

// Mailer writes and sends mails that were created.
type Mailer struct {
	Engine *decider.Engine
	Links  *onetime.Deriver
	Sender MailSender
	// LinkURL is the page that links lead to, in place of one under the store's own
	// host; empty where stores have their own.
	LinkURL func(store uuid.UUID) string
	// Done lists what was done in a session as a customer that ended at a position.
	Done   func(ctx context.Context, store, impersonation uuid.UUID, ended events.Position) ([]string, error)
	Now    func() time.Time
	Logger *slog.Logger
}

// mailTime is how long after its event a mail is still worth sending. It also keeps a
// database that was restored from sending everything again.
const mailTime = 24 * time.Hour

// Send does the job to send a mail. What it answers says nothing about a person.
func (m *Mailer) Send(ctx context.Context, job jobs.Mail, attempt int) error {
	ctx = decider.Arrive(ctx)
	stream := events.MailStream(job.MailID)
	loaded, err := mails.Decider.LoadHistory(ctx, m.Engine, job.StoreID, stream)
	if err != nil || loaded.State.Over || !loaded.Exists() {
		return err
	}
	now := m.Now()
	r := consequence(loaded.Events[0], "mailer", "", now)
	note := func(name string, c mails.Command) error {
		_, err := mails.Decider.Handle(ctx, m.Engine, stream, c, r.Step(name))
		return err
	}
	if now.Sub(loaded.Events[0].Metadata.OccurredAt) > mailTime {
		return note("failed", mails.Fail{Attempt: attempt, Reason: events.MailTooOld})
	}
	letter, failure, err := m.write(ctx, job, loaded.State)
	if err != nil {
		return err
	}
	if failure != "" {
		return note("failed", mails.Fail{Attempt: attempt, Reason: failure})
	}
	switch err := m.Sender.Send(ctx, letter); {
	case errors.Is(err, mail.ErrRejected):
		m.Logger.WarnContext(ctx, "a mail was rejected", "mail_id", job.MailID, "err", err)
		return note("failed", mails.Fail{Attempt: attempt, Reason: events.MailRejected})
	case err != nil:
		return fmt.Errorf("send mail %s: %w", job.MailID, err)
	}
	return note("sent", mails.Sent{Attempt: attempt})
}
