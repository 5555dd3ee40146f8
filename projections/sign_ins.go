package projections

import (
	"context"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Sign-ins are lines of the event log, where they are found by indexes of their
// own: whether each attempt succeeded and from where it came is written down once.
const (
	signInTypes  = `('session.started', 'session.refused', 'session.factor_refused')`
	refusalTypes = `('session.refused', 'session.factor_refused')`
)

// SignInOutcome is what came of an attempt to sign in.
type SignInOutcome string

// The outcomes.
const (
	SignInSucceeded SignInOutcome = "succeeded"
	SignInFailed    SignInOutcome = "failed"
)

// SignInFilter says which attempts to sign in to list. Every field but the store
// narrows the list; zero values do not.
type SignInFilter struct {
	StoreID    uuid.UUID
	CustomerID uuid.UUID
	Outcome    SignInOutcome
	Reason     events.RefusalReason
	// Before is the position of the last one of the page before; zero begins with the
	// newest.
	Before events.Position
	Limit  int
}

// The values are $1 the store, $2 and $3 the position to begin before, $4 the
// limit, $5 the outcome, $6 the reason, $7 the customer.
const (
	signInWhere = `
		WHERE store_id = $1 AND (position, prepare) < ($2::bigint, $3::bigint) AND type IN ` + signInTypes + `
			AND actor_kind = 'customer' AND data->>'scope' IS NULL
			AND ($5::text = '' OR (type = 'session.started') = ($5 = 'succeeded'))
			AND ($6::text = '' OR type IN ` + refusalTypes + ` AND data->>'reason' = $6)`

	selectSignIns         = logSource + signInWhere + logOrder
	selectCustomerSignIns = logSource + signInWhere + ` AND customer_id = $7` + logOrder
)

// SignIns returns a page of the customers' attempts to sign in, newest first, and
// the position that the next page begins before: zero after the last. Those with a
// name that is nobody's are among them. It also fails as the opener does.
func (q Queries) SignIns(ctx context.Context, opener Opener, f SignInFilter) ([]LogEntry, events.Position, error) {
	limit, before := limited(f.Limit), newest(f.Before)
	args := []any{f.StoreID, before.Commit, before.Prepare, limit + 1, string(f.Outcome), string(f.Reason)}
	sql, plans := selectSignIns, planCustom
	if f.CustomerID != uuid.Nil { // whose lines are few in every store
		sql, plans, args = selectCustomerSignIns, planAuto, append(args, f.CustomerID)
	}
	rows, err := collectBy[LogRow](ctx, q.db, plans, "sign-ins", sql, args...)
	rows, more, err := firstOf(rows, limit, err)
	if err != nil {
		return nil, events.Position{}, err
	}
	entries, err := q.OpenLog(ctx, opener, f.StoreID, rows)
	if err != nil || !more {
		return entries, events.Position{}, err
	}
	last := rows[len(rows)-1]
	return entries, events.Position{Commit: last.Position, Prepare: last.Prepare}, nil
}

const selectLastSignIns = logSource + `
	JOIN unnest($2::bigint[], $3::bigint[]) AS at (position, prepare) USING (position, prepare)
	WHERE store_id = $1`

// LastSignIns returns where each of the customers last signed in from, as far as
// that is known still. It also fails as the opener does.
func (q Queries) LastSignIns(ctx context.Context, opener Opener, store uuid.UUID, customers ...Customer) (map[uuid.UUID]events.Net, error) {
	var commits, prepares []uint64
	for _, c := range customers {
		if c.LastSignInCommit != nil {
			commits, prepares = append(commits, *c.LastSignInCommit), append(prepares, *c.LastSignInPrepare)
		}
	}
	if len(commits) == 0 {
		return nil, nil
	}
	rows, err := collectBy[LogRow](ctx, q.db, planAuto, "last sign-ins", selectLastSignIns, store, commits, prepares)
	if err != nil {
		return nil, err
	}
	entries, err := q.OpenLog(ctx, opener, store, rows)
	if err != nil {
		return nil, err
	}
	from := make(map[uuid.UUID]events.Net, len(entries))
	for _, e := range entries {
		if e.Net != nil && e.CustomerID != nil {
			from[*e.CustomerID] = *e.Net
		}
	}
	return from, nil
}
