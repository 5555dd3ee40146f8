package api_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/mail/mailbox"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/vault"
)

// dying is a sender whose process ends when a mail was handed over.
type dying struct {
	*mail.Sender
	die context.CancelFunc
}

func (d dying) Send(ctx context.Context, l mail.Letter) error {
	err := d.Sender.Send(ctx, l)
	d.die()
	return err
}

// postponed is a stack whose mails are created but wait until the test sends them.
type postponed struct {
	*harness
	box    *mailbox.Mailbox
	mailer *api.Mailer
}

func newPostponed(t *testing.T) *postponed {
	t.Helper()
	s := startStack(t)
	ctx, stop := context.WithCancel(context.Background())
	box := must(mailbox.Listen(ctx, "127.0.0.1:0"))
	links := must(onetime.New(must(s.vault.SecretVersions(vault.SecretToken))))
	if err := jobs.Migrate(ctx, s.direct); err != nil {
		t.Fatal(err)
	}
	queue := must(jobs.New(jobs.Config{Pool: s.direct}))
	router := must(reactions.NewRouter(reactions.Config{
		Log: s.engine.Log, Checkpoints: reactions.NewCheckpoints(s.direct, s.vault.LogID()), Logger: s.logger(),
		Reactions: []reactions.Reaction{api.Logins(s.engine, links, s.now.now), api.Mails(s.engine, queue, s.now.now)},
	}))
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = box.Close()
	})
	return &postponed{
		harness: s.newStore(t), box: box,
		mailer: &api.Mailer{Done: s.receipts().Done, Engine: s.engine, Links: links, Sender: must(mail.NewSender(box.URL())), Now: s.now.now, Logger: s.logger()},
	}
}

// created waits for a mail by this template and returns the job to send it.
func (p *postponed) created(template string) jobs.Mail {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var found jobs.Mail
	err := p.engine.Log.SubscribeBatches(ctx, events.Position{}, 100, func(_ context.Context, batch []events.Record, _ bool) error {
		for _, r := range batch {
			if r.Type == events.TypeMailCreated && strings.Contains(string(r.Data), `"`+template+`"`) {
				found = jobs.Mail{StoreID: p.store, MailID: must(events.StreamID(r.Stream))}
				return errFound
			}
		}
		return nil
	})
	if !errors.Is(err, errFound) {
		p.t.Fatalf("no mail %s was created: %v", template, err)
	}
	return found
}

var errFound = errors.New("found")

func (p *postponed) outcomes(job jobs.Mail) (types []string) {
	p.t.Helper()
	for _, r := range must(p.engine.Log.ReadStream(p.t.Context(), events.MailStream(job.MailID), 0)) {
		types = append(types, r.Type)
	}
	return types
}

// A process that ends between handing a mail over and writing that down leads to one
// more copy, with the same link, and to no third one.
func TestMailer_OneMoreCopyPerCrash(t *testing.T) {
	t.Parallel()
	p := newPostponed(t)
	p.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "ada", "send": "welcome"}).want(201)
	job := p.created("welcome")
	ctx, die := context.WithCancel(t.Context())
	mortal := *p.mailer
	mortal.Sender = dying{mortal.Sender.(*mail.Sender), die}
	if err := mortal.Send(ctx, job, 1); err == nil {
		t.Error("the process that died had written down that the mail was sent")
	}
	for attempt := 2; attempt < 5; attempt++ {
		if err := p.mailer.Send(t.Context(), job, attempt); err != nil {
			t.Fatal(err)
		}
	}
	copies := p.box.Messages("ada@example.com")
	if len(copies) != 2 || copies[0].Links[0] != copies[1].Links[0] {
		t.Errorf("%d copies: %v", len(copies), copies)
	}
	if got := p.outcomes(job); !slices.Equal(got, []string{"mail.created", "mail.sent"}) {
		t.Errorf("the log says %v", got)
	}
}

// What cannot be sent, or makes no sense any more, is given up, and says why.
func TestMailer_GivesUp(t *testing.T) {
	t.Parallel()
	p := newPostponed(t)
	id := p.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "ada", "send": "welcome"}).want(201).str("id")
	dead := p.created("welcome")
	p.owner("POST", "/v1/customers/"+id+"/send-link", map[string]any{"purpose": "reset"}).want(200)
	p.created("password_reset")
	if err := p.mailer.Send(t.Context(), dead, 1); err != nil {
		t.Fatal(err)
	}
	p.owner("POST", "/v1/customers/"+id+"/mails", map[string]any{"subject": "a", "body": "b"}).want(200)
	late := p.created("message")
	away := *p.mailer
	away.Sender = must(mail.NewSender("smtp://127.0.0.1:1?tls=none")) // nobody listens there
	if err := away.Send(t.Context(), late, 1); err == nil || strings.Contains(err.Error(), "ada@") {
		t.Errorf("with the server away: %v", err)
	}
	p.now.advance(25 * time.Hour)
	if err := p.mailer.Send(t.Context(), late, 2); err != nil {
		t.Fatal(err)
	}
	for job, want := range map[jobs.Mail]events.MailFailure{dead: events.MailLinkOver, late: events.MailTooOld} {
		records := must(p.engine.Log.ReadStream(t.Context(), events.MailStream(job.MailID), 0))
		env := must(events.Decode(records[len(records)-1]))
		if failed, ok := env.Event.(events.MailFailed); !ok || failed.Reason != want {
			t.Errorf("it ended with %+v, not with %s", env.Event, want)
		}
	}
	if all := p.box.Messages(""); len(all) != 0 {
		t.Errorf("%d mails were sent", len(all))
	}
	// A job for a mail that there is not does nothing.
	if err := p.mailer.Send(t.Context(), jobs.Mail{StoreID: p.store, MailID: uuid.New()}, 1); err != nil {
		t.Error(err)
	}
}

// An event that comes again leads to no second mail.
func TestMails_ARepeatedEventCreatesNothing(t *testing.T) {
	t.Parallel()
	p := newPostponed(t)
	id := p.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "ada", "send": "welcome"}).want(201).str("id")
	p.created("welcome")
	p.owner("POST", "/v1/customers/"+id+"/change-email", map[string]any{"email": "new@example.com"}).want(200)
	p.created("email_changed")
	before := len(p.facts())
	resetter := reactions.Resetter{Log: p.engine.Log, Sealer: p.engine.Sealer, Checkpoints: reactions.NewCheckpoints(p.direct, p.vault.LogID())}
	command := uuid.New()
	for _, name := range []string{"logins", "mails"} {
		err := resetter.Reset(t.Context(), name, events.Position{}, events.Metadata{
			Schema: events.MetadataSchema, Actor: events.System("operator"), Source: events.SourceCLI, CommandID: command, CorrelationID: command,
			CausationID: command, OccurredAt: time.Now().UTC(), Reason: events.Clear("a test"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// What is asked for now is handled after all that is repeated.
	p.owner("POST", "/v1/customers/"+id+"/mails", map[string]any{"subject": "a", "body": "b"}).want(200)
	p.created("message")
	if after := len(p.facts()); after != before+2 {
		t.Errorf("%d events were written, not the message's two", after-before)
	}
}
