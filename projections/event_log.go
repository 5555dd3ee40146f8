package projections

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// LogRow is a row of event_log: one per event of the business, which is all but
// those of reservations and of the platform. Personal values stay sealed in it.
type LogRow struct {
	Position uint64    `db:"position"` // commit position
	Prepare  uint64    `db:"prepare"`  // prepare position
	EventID  uuid.UUID `db:"event_id"`
	StoreID  uuid.UUID `db:"store_id"`
	Type     string    `db:"type"`
	Category Category  `db:"category"`
	Stream   string    `db:"stream"`
	Revision uint64    `db:"revision"`
	// CustomerID is the customer whom the event was about, or who held the domain
	// then; nil for stores and staff.
	CustomerID *uuid.UUID `db:"customer_id"`
	// OtherCustomerID is the receiver of a push.
	OtherCustomerID *uuid.UUID       `db:"other_customer_id"`
	DomainID        *uuid.UUID       `db:"domain_id"`
	ActorKind       events.ActorKind `db:"actor_kind"`
	ActorID         string           `db:"actor_id"`
	StaffID         *uuid.UUID       `db:"staff_id"`
	ImpersonationID *uuid.UUID       `db:"impersonation_id"`
	SessionID       *uuid.UUID       `db:"session_id"`
	APIKeyID        *uuid.UUID       `db:"api_key_id"`
	Setting         string           `db:"setting"` // what was changed, see Description; "" if no setting
	Source          events.Source    `db:"source"`
	OccurredAt      time.Time        `db:"occurred_at"`
	RecordedAt      time.Time        `db:"recorded_at"`
	RequestID       string           `db:"request_id"`
	CommandID       uuid.UUID        `db:"command_id"`
	Data            []byte           `db:"data"`     // JSON exactly as stored
	Metadata        []byte           `db:"metadata"` // JSON exactly as stored
}

const createEventLog = `
	CREATE TABLE event_log (
		position          bigint NOT NULL,
		prepare           bigint NOT NULL,
		event_id          uuid NOT NULL,
		store_id          uuid NOT NULL,
		type              text COLLATE "C" NOT NULL,
		category          text COLLATE "C" NOT NULL,
		stream            text COLLATE "C" NOT NULL,
		revision          bigint NOT NULL,
		customer_id       uuid,
		other_customer_id uuid,
		domain_id         uuid,
		actor_kind        text COLLATE "C" NOT NULL,
		actor_id          text COLLATE "C" NOT NULL,
		staff_id          uuid,
		impersonation_id  uuid,
		session_id        uuid,
		api_key_id        uuid,
		setting           text COLLATE "C" NOT NULL,
		source            text COLLATE "C" NOT NULL,
		occurred_at       timestamptz NOT NULL,
		recorded_at       timestamptz NOT NULL,
		request_id        text COLLATE "C" NOT NULL,
		command_id        uuid NOT NULL,
		data              json NOT NULL,
		metadata          json NOT NULL,
		PRIMARY KEY (position, prepare)
	)`

// All filters but store, customer and domain filter along one of the first
// three. The last one holds pushes only.
var indexEventLog = []string{
	`CREATE INDEX event_log_store ON event_log (store_id, position, prepare)`,
	`CREATE INDEX event_log_customer ON event_log (customer_id, position, prepare) WHERE customer_id IS NOT NULL`,
	`CREATE INDEX event_log_domain ON event_log (domain_id, position, prepare) WHERE domain_id IS NOT NULL`,
	`CREATE INDEX event_log_receiver ON event_log (other_customer_id, position, prepare) WHERE other_customer_id IS NOT NULL`,
	`CREATE INDEX event_log_sign_ins ON event_log (store_id, position, prepare) WHERE type IN ` + signInTypes,
	`CREATE INDEX event_log_customer_sign_ins ON event_log (customer_id, position, prepare) WHERE type IN ` + signInTypes,
	`CREATE INDEX event_log_refusals ON event_log (store_id, (data->>'reason'), position, prepare) WHERE type IN ` + refusalTypes,
	`CREATE INDEX event_log_impersonation ON event_log (impersonation_id, position, prepare) WHERE impersonation_id IS NOT NULL`,
	`CREATE INDEX event_log_grants ON event_log (store_id, position, prepare) WHERE type = 'impersonation.issued'`,
	`CREATE INDEX event_log_creation ON event_log (command_id) WHERE type IN ('domain.registered', 'domain.imported')`,
}

var eventLogColumns = []string{
	"position", "prepare", "event_id", "store_id", "type", "category", "stream", "revision",
	"customer_id", "other_customer_id", "domain_id", "actor_kind", "actor_id", "staff_id", "impersonation_id", "session_id",
	"api_key_id", "setting", "source", "occurred_at", "recorded_at", "request_id", "command_id", "data", "metadata",
}

var eventLogModel = projector.Journal{
	Name:    "event_log",
	Create:  createEventLog,
	Indexes: indexEventLog,
	Columns: eventLogColumns,
	Row:     eventLogRow,
}

// eventLogRow makes the row of an event.
func eventLogRow(e projector.Event) ([]any, bool) {
	switch e.Event.(type) {
	case events.PlatformEvent, events.ReservationEvent, events.UniqClaimAborted:
		return nil, false
	}
	d := Describe(e.Event)
	md := e.Metadata
	customer, other, domain := about(e)
	impersonation := md.Actor.ImpersonationID
	if _, ok := e.Event.(events.ImpersonationEvent); ok {
		impersonation, _ = events.StreamID(e.Stream) // also where it was not in it that something was done
	}
	return []any{
		int64(e.Position.Commit), int64(e.Position.Prepare), copied(e.ID), copied(md.StoreID), e.Stored.Type, string(d.Category),
		e.Stream, int64(e.Revision), copied(customer), copied(other), copied(domain), string(md.Actor.Kind), md.Actor.ID,
		copied(md.Actor.StaffID), copied(impersonation), copied(md.Actor.SessionID), copied(md.Actor.APIKeyID), d.Setting,
		string(md.Source), stored(md.OccurredAt), recorded(e), md.RequestID, copied(md.CommandID), e.Stored.Data, e.Stored.Metadata,
	}, true
}

// copied is an id in the form that costs COPY least; the nil id is NULL.
func copied(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

// about returns whose logs an event belongs to: a customer, a second one, a
// domain; the nil id is nobody.
func about(e projector.Event) (customer, other, domain uuid.UUID) {
	switch ev := e.Event.(type) {
	case events.DomainPushed:
		return ev.FromCustomerID, ev.ToCustomerID, ev.DomainID
	case events.DomainEvent:
		domain, _ = events.StreamID(e.Stream)
		return ev.Owner(), uuid.Nil, domain
	case events.CustomerEvent:
		customer, _ = events.StreamID(e.Stream)
	case events.LoginEvent:
		customer = ev.Customer()
	case events.SessionEvent:
		customer = ev.Customer()
	case events.MailEvent:
		customer = ev.Customer()
	case events.ImpersonationEvent:
		customer = ev.Customer()
	}
	return customer, uuid.Nil, uuid.Nil
}
