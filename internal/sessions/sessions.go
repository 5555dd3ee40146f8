// Package sessions keeps when each session was last used, for the limits on its life
// and for lists. What a session is, the hash of its token included, and that it was
// ended is in the event log; here is no secret. A session that has no row is over.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/postgres"
)

// The limits on the sessions of customers (NIST SP 800-63B-4, section 2.2.3 asks for
// at most an hour and a day).
const (
	CustomerIdle       = 30 * time.Minute // how long one lasts unused
	CustomerAbsolute   = 12 * time.Hour   // how long one lasts in any case
	CustomerConcurrent = 10               // how many a customer may have; the oldest ends
)

// The limits on the sessions of the team as a customer.
const (
	ImpersonationIdle     = 10 * time.Minute
	ImpersonationAbsolute = time.Hour
)

// The limits on the sessions of members of the team. They may have as many.
const (
	StaffIdle     = 15 * time.Minute
	StaffAbsolute = 8 * time.Hour
)

// Grain is how exactly it is known when a session was last used. Uses that follow one
// sooner are not noted, so a session can end that much before it was idle long
// enough, and never after.
const Grain = time.Minute

// ErrUnknown means that a session is over, or never was.
var ErrUnknown = errors.New("the session is unknown or over")

// Sessions is the sessions in a database. It is safe for concurrent use.
type Sessions struct{ pool *pgxpool.Pool }

// New makes the sessions in the database of pool.
func New(pool *pgxpool.Pool) *Sessions { return &Sessions{pool} }

// Session is one that begins.
type Session struct {
	ID, StoreID uuid.UUID
	CustomerID  uuid.UUID // or that of the team member
	At          time.Time
	Idle        time.Duration // how long it lasts unused, more than [Grain]
	ExpiresAt   time.Time     // when it is over in any case
}

// Row is a session as it is kept.
type Row struct {
	ID         uuid.UUID
	StartedAt  time.Time
	LastUsedAt time.Time // see [Grain]
	OverAt     time.Time // when it is over unless it is used
}

// Begin notes that a session began. Doing so again changes nothing, unless it was
// over in between: then it begins anew, so whoever asks looks into the log as well.
// It fails with [postgres.ErrUnavailable].
func (s *Sessions) Begin(ctx context.Context, n Session) error {
	switch {
	case n.ID == uuid.Nil || n.StoreID == uuid.Nil || n.CustomerID == uuid.Nil:
		return errors.New("begin a session: its id, store or customer is missing")
	case n.Idle <= Grain || !n.ExpiresAt.After(n.At):
		return fmt.Errorf("begin a session: it would be over at once: give it an idle time of more than %s and an end", Grain)
	}
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO ops.sessions AS old (session_id, store_id, customer_id, started_at, last_used_at, idle, expires_at)
		VALUES ($1, $2, $3, $4, $4, $5, $6)
		ON CONFLICT (session_id) DO UPDATE SET session_id = old.session_id
		WHERE (old.store_id, old.customer_id, old.started_at) = ($2, $3, $4)`,
		n.ID, n.StoreID, n.CustomerID, n.At, n.Idle, n.ExpiresAt)
	switch {
	case err != nil:
		return postgres.Failed("begin a session", err)
	case tag.RowsAffected() == 0:
		return errors.New("begin a session: another one has its id")
	}
	return nil
}

// Touch returns when a session was last used before now, and notes that it is used
// now. It fails with [ErrUnknown] if the session is over, and removes it then, so that
// a clock that is set back does not bring it to life. It fails with
// [postgres.ErrUnavailable] too.
func (s *Sessions) Touch(ctx context.Context, id uuid.UUID, now time.Time) (time.Time, error) {
	var last time.Time
	var due, over bool
	// Mostly there is nothing to write, and a statement that might write costs more.
	err := s.pool.QueryRow(ctx, `
		SELECT last_used_at, least(last_used_at + idle, expires_at, last_used_at + $3::interval) <= $2
		FROM ops.sessions
		WHERE session_id = $1`, id, now, Grain).Scan(&last, &due)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return time.Time{}, ErrUnknown
	case err != nil:
		return time.Time{}, postgres.Failed("note the use of a session", err)
	case !due:
		return last, nil
	}
	// One statement, which sees the row as it was before; it writes only if due still.
	err = s.pool.QueryRow(ctx, `
		WITH removed AS (
			DELETE FROM ops.sessions
			WHERE session_id = $1 AND least(last_used_at + idle, expires_at) <= $2
		), noted AS (
			UPDATE ops.sessions SET last_used_at = $2
			WHERE session_id = $1 AND least(last_used_at + idle, expires_at) > $2 AND last_used_at + $3::interval <= $2
		)
		SELECT last_used_at, least(last_used_at + idle, expires_at) <= $2
		FROM ops.sessions
		WHERE session_id = $1`, id, now, Grain).Scan(&last, &over)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && over:
		return time.Time{}, ErrUnknown
	case err != nil:
		return time.Time{}, postgres.Failed("note the use of a session", err)
	}
	return last, nil
}

// Ended removes sessions that are over. It fails with [postgres.ErrUnavailable].
func (s *Sessions) Ended(ctx context.Context, ids ...uuid.UUID) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM ops.sessions WHERE session_id = ANY ($1)`, ids); err != nil {
		return postgres.Failed("remove sessions", err)
	}
	return nil
}

// Of returns the sessions of a customer or team member, the one that began last first. Some may be over
// already, see [Row]. It fails with [postgres.ErrUnavailable].
func (s *Sessions) Of(ctx context.Context, storeID, customerID uuid.UUID) ([]Row, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT session_id, started_at, last_used_at, least(last_used_at + idle, expires_at)
		FROM ops.sessions
		WHERE store_id = $1 AND customer_id = $2
		ORDER BY started_at DESC, session_id DESC`, storeID, customerID)
	if err != nil {
		return nil, postgres.Failed("list sessions", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Row])
	if err != nil {
		return nil, postgres.Failed("list sessions", err)
	}
	return found, nil
}

// Oldest returns which of a customer's sessions have to end so that keep remain, the
// oldest first. Those that are over already do not count. However many begin at once,
// the last one to ask sees all of them. It fails with [postgres.ErrUnavailable].
func (s *Sessions) Oldest(ctx context.Context, now time.Time, storeID, customerID uuid.UUID, keep int) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT session_id
		FROM (
			SELECT session_id, started_at
			FROM ops.sessions
			WHERE store_id = $1 AND customer_id = $2 AND least(last_used_at + idle, expires_at) > $3
			ORDER BY started_at DESC, session_id DESC
			OFFSET $4
		) AS beyond
		ORDER BY started_at, session_id`, storeID, customerID, now, keep)
	if err != nil {
		return nil, postgres.Failed("find the oldest sessions", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, postgres.Failed("find the oldest sessions", err)
	}
	return ids, nil
}

// Sweep removes the sessions that are over and returns how many they were. It fails
// with [postgres.ErrUnavailable].
func (s *Sessions) Sweep(ctx context.Context, now time.Time) (int64, error) {
	tag, err := s.pool.Exec(ctx, `DELETE FROM ops.sessions WHERE least(last_used_at + idle, expires_at) <= $1`, now)
	if err != nil {
		return 0, postgres.Failed("sweep sessions", err)
	}
	return tag.RowsAffected(), nil
}

// Forget removes all sessions of a customer. It fails with [postgres.ErrUnavailable].
func (s *Sessions) Forget(ctx context.Context, storeID, customerID uuid.UUID) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM ops.sessions WHERE store_id = $1 AND customer_id = $2`, storeID, customerID); err != nil {
		return postgres.Failed("remove sessions", err)
	}
	return nil
}
