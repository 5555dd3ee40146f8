package projections

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// LogFilter says which rows of the event log to list. Every field but the store
// narrows the list; zero values do not.
type LogFilter struct {
	StoreID uuid.UUID
	// CustomerID shows what is about the customer: the account, domains in the
	// periods in which they were the customer's, and pushes from both sides.
	CustomerID uuid.UUID
	DomainID   uuid.UUID
	ActorKind  events.ActorKind
	StaffID    uuid.UUID // who acted, also as a customer
	// ImpersonationID shows what was done in one, and the events about it that the
	// team caused in it.
	ImpersonationID uuid.UUID
	Type            string // stored name of an event
	Category        Category
	Setting         string
	// Public leaves out what the team keeps to itself.
	Public bool
	// From and Until bound when it happened: From is included, Until is not.
	From, Until time.Time
	// Before is the position of the last row of the page before; zero begins with
	// the newest.
	Before events.Position
	Limit  int
}

const logColumns = `position, prepare, event_id, store_id, type, category, stream, revision, customer_id, other_customer_id,
	domain_id, actor_kind, actor_id, staff_id, impersonation_id, session_id, api_key_id, setting, source, occurred_at,
	recorded_at, request_id, command_id, data, metadata`

// The values of all log queries: $1 store, $2 and $3 the position to begin
// before, $4 the limit, $5 to $13 the filter, $14 and $15 the customer and the domain.
const (
	logSource = `
		SELECT ` + logColumns + `
		FROM read_core.event_log_own`
	logWhere = `
		WHERE store_id = $1 AND (position, prepare) < ($2::bigint, $3::bigint)
			AND ($5::text = '' OR actor_kind = $5)
			AND ($6::uuid IS NULL OR staff_id = $6)
			AND ($7::text = '' OR type = $7)
			AND ($8::text = '' OR category = $8)
			AND ($9::text = '' OR setting = $9)
			AND ($10::timestamptz IS NULL OR occurred_at >= $10)
			AND ($11::timestamptz IS NULL OR occurred_at < $11)
			AND ($13::uuid IS NULL OR impersonation_id = $13)
			AND (NOT $12::boolean OR type NOT IN ('customer.note_added', 'customer.tags_changed'))`
	logOrder = `
		ORDER BY position DESC, prepare DESC
		LIMIT $4`

	selectStoreLog  = logSource + logWhere + logOrder
	selectDomainLog = logSource + logWhere + ` AND domain_id = $14` + logOrder
	// selectCustomerLog merges the two ends of a push: both parts come sorted.
	selectCustomerLog = `
		(` + logSource + logWhere + ` AND customer_id = $14` + logOrder + `)
		UNION ALL
		(` + logSource + logWhere + ` AND other_customer_id = $14 AND customer_id <> $14` + logOrder + `)` + logOrder
	selectCustomerDomainLog = logSource + logWhere + `
		AND domain_id = $14 AND (customer_id = $15 OR other_customer_id = $15)` + logOrder
)

// Log returns a page of the event log, newest first, and the position that the
// next page begins before: zero after the last.
func (q Queries) Log(ctx context.Context, f LogFilter) ([]LogRow, events.Position, error) {
	limit := limited(f.Limit)
	args := append([]any{f.StoreID}, f.values(limit+1)...)
	sql := selectStoreLog
	switch none := uuid.Nil; {
	case f.CustomerID != none && f.DomainID != none:
		sql, args = selectCustomerDomainLog, append(args, f.DomainID, f.CustomerID)
	case f.CustomerID != none:
		sql, args = selectCustomerLog, append(args, f.CustomerID)
	case f.DomainID != none:
		sql, args = selectDomainLog, append(args, f.DomainID)
	}
	rows, err := collect[LogRow](ctx, q.db, "event log", sql, args...)
	rows, more, err := firstOf(rows, limit, err)
	if err != nil || !more {
		return rows, events.Position{}, err
	}
	last := rows[len(rows)-1]
	return rows, events.Position{Commit: last.Position, Prepare: last.Prepare}, nil
}

// values returns $2 to $13.
func (f LogFilter) values(limit int) []any {
	before := newest(f.Before)
	return []any{
		before.Commit, before.Prepare, limit, string(f.ActorKind), optional(f.StaffID), f.Type, string(f.Category), f.Setting,
		optionalTime(f.From), optionalTime(f.Until), f.Public, optional(f.ImpersonationID),
	}
}

// newest is the position that a page begins before: after everything if there is
// none.
func newest(before events.Position) events.Position {
	if before == (events.Position{}) {
		return events.Position{Commit: math.MaxInt64, Prepare: math.MaxInt64}
	}
	return before
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const selectLogForward = logSource + `
	WHERE store_id = $1 AND (position, prepare) > ($2::bigint, $3::bigint)
		AND (cardinality($5::text[]) = 0 OR type = ANY($5))
	ORDER BY position, prepare
	LIMIT $4`

// LogAfter returns the events of a store after a position, oldest first: all, or
// those of the given types. The zero position is before the first.
func (q Queries) LogAfter(ctx context.Context, store uuid.UUID, after events.Position, types []string, limit int) ([]LogRow, error) {
	if types == nil {
		types = []string{}
	}
	return collect[LogRow](ctx, q.db, "events", selectLogForward, store, after.Commit, after.Prepare, limited(limit), types)
}

// Record returns the event as it is stored in the log.
func (r LogRow) Record() events.Record {
	return events.Record{
		ID: r.EventID, Stream: r.Stream, Revision: r.Revision, Position: events.Position{Commit: r.Position, Prepare: r.Prepare},
		Type: r.Type, RecordedAt: r.RecordedAt, Data: r.Data, Metadata: r.Metadata,
	}
}

// LogEntry is a row of the log made readable.
type LogEntry struct {
	LogRow
	Description
	// Envelope is the event with its personal values opened or erased.
	Envelope events.Envelope
	// Net is where the request came from; nil for the system, and once erased.
	Net *events.Net
	// Reason is the free text given with the command: "" if none, ErasedText if it
	// was erased.
	Reason string
	// StaffName is the name of the staff member who acted, or the email address of
	// one without a name; "" for others and for erased ones. Customers see "Reseller"
	// in its place.
	StaffName string
}

// ReadLog is [Queries.Log] with its rows decoded, opened and described. It also
// fails as the opener does.
func (q Queries) ReadLog(ctx context.Context, opener Opener, f LogFilter) ([]LogEntry, events.Position, error) {
	rows, next, err := q.Log(ctx, f)
	if err != nil {
		return nil, next, err
	}
	entries, err := q.OpenLog(ctx, opener, f.StoreID, rows)
	return entries, next, err
}

// OpenLog decodes, opens and describes rows of a store's log, with one look-up of
// keys and one of staff names for all of them.
func (q Queries) OpenLog(ctx context.Context, opener Opener, store uuid.UUID, rows []LogRow) ([]LogEntry, error) {
	envelopes := make([]events.Envelope, len(rows))
	for i, r := range rows {
		env, err := events.Decode(r.Record())
		if err != nil {
			return nil, fmt.Errorf("read the event log: %w", err)
		}
		envelopes[i] = env
	}
	opened, err := opener.Open(ctx, envelopes)
	if err != nil {
		return nil, fmt.Errorf("read the event log: %w", err)
	}
	names, err := q.staffNames(ctx, store, rows)
	if err != nil {
		return nil, err
	}
	entries := make([]LogEntry, len(rows))
	for i, env := range opened {
		e := LogEntry{LogRow: rows[i], Description: Describe(env.Event), Envelope: env}
		if net, ok := events.ParseNet(env.Metadata.Net); ok {
			e.Net = &net
		}
		if text, ok := readable(env.Metadata.Reason).(string); ok {
			e.Reason = text
		}
		if e.StaffID != nil {
			e.StaffName = names[*e.StaffID]
		}
		entries[i] = e
	}
	return entries, nil
}

// staffNames looks up who the rows name.
func (q Queries) staffNames(ctx context.Context, store uuid.UUID, rows []LogRow) (map[uuid.UUID]string, error) {
	wanted := make(map[uuid.UUID]bool)
	var ids []uuid.UUID
	for _, r := range rows {
		if r.StaffID != nil && !wanted[*r.StaffID] {
			wanted[*r.StaffID] = true
			ids = append(ids, *r.StaffID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	staff, err := q.StaffByID(ctx, store, ids)
	if err != nil {
		return nil, err
	}
	names := make(map[uuid.UUID]string, len(staff))
	for _, s := range staff {
		if names[s.StaffID] = deref(s.Name); strings.TrimSpace(names[s.StaffID]) == "" {
			names[s.StaffID] = deref(s.Email)
		}
	}
	return names, nil
}

const selectCreation = `
	SELECT metadata->>'fp'
	FROM read_core.event_log
	WHERE store_id = $1 AND command_id = $2 AND type IN ('domain.registered', 'domain.imported')
	LIMIT 1`

// CreationFingerprint returns the fingerprint of the request by which a command
// brought a domain in, and false when it brought none in.
func (q Queries) CreationFingerprint(ctx context.Context, store, command uuid.UUID) (fingerprint string, found bool, err error) {
	return oneBy(ctx, q.db, "the fingerprint of a command", pgx.RowTo[string], selectCreation, store, command)
}
