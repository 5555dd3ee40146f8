package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// MailState is how far a mail is.
type MailState string

// The states.
const (
	MailQueued MailState = "queued"
	MailSent   MailState = "sent"
	MailFailed MailState = "failed"
)

// Mail is a row of mails: one per mail. To whom it goes stays sealed in the log.
type Mail struct {
	MailID     uuid.UUID          `json:"mail_id" db:"mail_id"`
	StoreID    uuid.UUID          `json:"store_id" db:"store_id"`
	CustomerID uuid.UUID          `json:"customer_id" db:"customer_id"`
	Template   string             `json:"template" db:"template"`
	State      MailState          `json:"state" db:"state"`
	Failure    events.MailFailure `json:"failure" db:"failure"` // why it failed, "" otherwise
	CreatedAt  time.Time          `json:"created_at" db:"created_at"`
	UpdatedAt  time.Time          `json:"updated_at" db:"updated_at"`
	Revision   uint64             `json:"revision" db:"revision"`
	Position   uint64             `json:"position" db:"position"`
	// Created and CreatedPrepare are where event_log has its beginning.
	Created        uint64 `json:"created" db:"created"`
	CreatedPrepare uint64 `json:"created_prepare" db:"created_prepare"`
}

const createMails = `
	CREATE TABLE mails (
		mail_id         uuid PRIMARY KEY,
		store_id        uuid NOT NULL,
		customer_id     uuid NOT NULL,
		template        text COLLATE "C" NOT NULL,
		state           text COLLATE "C" NOT NULL,
		failure         text COLLATE "C" NOT NULL,
		created_at      timestamptz NOT NULL,
		updated_at      timestamptz NOT NULL,
		revision        bigint NOT NULL,
		position        bigint NOT NULL,
		created         bigint NOT NULL,
		created_prepare bigint NOT NULL
	)`

var indexMails = []string{
	`CREATE INDEX mails_customer ON mails (customer_id, created DESC, mail_id DESC)`,
}

const mailColumns = `mail_id, store_id, customer_id, template, state, failure, created_at, updated_at, revision, position,
	created, created_prepare`

const loadMails = `
	SELECT ` + mailColumns + `
	FROM mails
	WHERE mail_id = ANY($1)`

const saveMails = `
	INSERT INTO mails
	SELECT * FROM json_populate_recordset(NULL::mails, $1)
	ON CONFLICT (mail_id) DO UPDATE SET
		state = EXCLUDED.state, failure = EXCLUDED.failure, updated_at = EXCLUDED.updated_at,
		revision = EXCLUDED.revision, position = EXCLUDED.position`

var mailsModel = projector.State[uuid.UUID, Mail]{
	Name:    "mails",
	Create:  createMails,
	Indexes: indexMails,
	Key:     inCategory(events.CategoryMail),
	Evolve:  evolveMail,
	ID:      func(r Mail) uuid.UUID { return r.MailID },
	Load:    loadMails,
	Save:    saveMails,
}

// evolveMail folds an event of a mail's stream into the mail's row.
func evolveMail(row Mail, env projector.Event) (Mail, bool) {
	if e, ok := env.Event.(events.MailCreated); ok && e.CustomerID != uuid.Nil { // the team's are in the event log only
		row = Mail{
			MailID: e.MailID, StoreID: env.Metadata.StoreID, CustomerID: e.CustomerID, Template: e.Template, State: MailQueued,
			CreatedAt: recorded(env), Created: env.Position.Commit, CreatedPrepare: env.Position.Prepare,
		}
	} else if row.MailID == uuid.Nil {
		return row, false
	}
	switch e := env.Event.(type) {
	case events.MailSent:
		row.State = MailSent
	case events.MailFailed:
		row.State, row.Failure = MailFailed, e.Reason
	}
	row.UpdatedAt, row.Revision, row.Position = recorded(env), env.Revision, env.Position.Commit
	return row, true
}

const (
	selectMails = `
		SELECT ` + mailColumns + `
		FROM read_core.mails
		WHERE store_id = $1 AND customer_id = $2 AND (created, mail_id) < ($3::bigint, $4::uuid)
		ORDER BY created DESC, mail_id DESC
		LIMIT $5`
	selectMailBeginnings = `
		SELECT ` + logColumns + `
		FROM read_core.event_log
		WHERE store_id = $1 AND (position, prepare) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))`
)

// MailEntry is a mail with whom it went to.
type MailEntry struct {
	Mail
	To      string // ErasedText once the person was erased
	Subject string // of a mail that somebody wrote
}

// Mails returns the mails to a customer, the newest first, and where the next page
// begins: nil at the end. It also fails as the opener does.
func (q Queries) Mails(ctx context.Context, opener Opener, store, customer uuid.UUID, after *Cursor, limit int) ([]MailEntry, *Cursor, error) {
	limit = limited(limit)
	before, beforeID := int64(1<<63-1), uuid.Max
	if after != nil {
		before, beforeID = after.Number, after.ID
	}
	rows, err := collect[Mail](ctx, q.db, "mails", selectMails, store, customer, before, beforeID, limit+1)
	if err != nil {
		return nil, nil, err
	}
	var next *Cursor
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = &Cursor{Order: "mails", Number: int64(last.Created), ID: last.MailID}
	}
	commits, prepares := make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		commits[i], prepares[i] = int64(r.Created), int64(r.CreatedPrepare)
	}
	beginnings, err := collect[LogRow](ctx, q.db, "mails", selectMailBeginnings, store, commits, prepares)
	if err != nil {
		return nil, nil, err
	}
	opened, err := q.OpenLog(ctx, opener, store, beginnings)
	if err != nil {
		return nil, nil, err
	}
	created := make(map[uuid.UUID]events.MailCreated, len(opened))
	for _, entry := range opened {
		if e, ok := entry.Envelope.Event.(events.MailCreated); ok {
			created[e.MailID] = e
		}
	}
	entries := make([]MailEntry, len(rows))
	for i, r := range rows {
		entries[i].Mail = r
		if text, ok := readable(created[r.MailID].To).(string); ok {
			entries[i].To = text
		}
		if text, ok := readable(created[r.MailID].Subject).(string); ok {
			entries[i].Subject = text
		}
	}
	return entries, next, nil
}
