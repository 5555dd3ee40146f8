package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Querier runs queries: a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Queries reads the read models of core. Its methods fail with what the database
// failed with, see postgres.Unavailable.
type Queries struct{ db Querier }

// NewQueries returns the queries on db.
func NewQueries(db Querier) Queries { return Queries{db: db} }

// Cursor is the place in a list after which the next page begins. It fits the
// order of the list that it came from, and no other.
type Cursor struct {
	Order  string    `json:"o"`
	Text   string    `json:"t,omitempty"`
	Number int64     `json:"n,omitempty"`
	ID     uuid.UUID `json:"i,omitzero"`
}

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// limited returns a page size within the limits.
func limited(limit int) int {
	if limit < 1 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// collect returns the rows of a query, which is planned for its values, not for
// any: a store with ten customers and one with a million need other plans.
func collect[R any](ctx context.Context, db Querier, what, sql string, args ...any) ([]R, error) {
	return query[R](ctx, db, what, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}

// one returns the only row of a query, and false when there is none.
func one[R any](ctx context.Context, db Querier, what, sql string, args ...any) (R, bool, error) {
	found, err := query[R](ctx, db, what, sql, args...)
	if err != nil || len(found) == 0 {
		var none R
		return none, false, err
	}
	return found[0], true, nil
}

func query[R any](ctx context.Context, db Querier, what, sql string, args ...any) ([]R, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[R])
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	return found, nil
}
