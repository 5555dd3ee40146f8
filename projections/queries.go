package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/internal/postgres"
)

// Querier runs queries: a pool, a connection or a transaction.
type Querier interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Queries reads the read models of core. Its methods fail with what the database
// failed with, see postgres.Unavailable. In the roles that answer requests the
// database shows them the rows of the store that they ask about, whatever their
// SQL says.
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

// scope is what the database is told before a query, for the query alone: both go
// in one message, and so in one transaction.
type scope struct {
	setting, value string
	plans          string
}

// How a query is planned.
const (
	// planAuto settles for a plan for any values when that is not dearer.
	planAuto = "auto"
	// planCustom plans for the values: a store with ten customers and one with a
	// million need other plans.
	planCustom = "force_custom_plan"
)

const setScope = `SELECT set_config($1, $2, true), set_config('plan_cache_mode', $3, true)`

// collect returns the rows of a query, planned for its values. The first of args,
// $1, is the store, and no row of another one is seen.
func collect[R any](ctx context.Context, db Querier, what, sql string, args ...any) ([]R, error) {
	return collectBy[R](ctx, db, planCustom, what, sql, args...)
}

// collectBy is [collect] with a say in how the query is planned.
func collectBy[R any](ctx context.Context, db Querier, plans, what, sql string, args ...any) ([]R, error) {
	in, err := ofStore(what, args)
	if err != nil {
		return nil, err
	}
	in.plans = plans
	return query(ctx, db, in, what, pgx.RowToStructByName[R], sql, args...)
}

// one returns the only row of a query, and false when there is none. The first of
// args, $1, is the store, and no row of another one is seen.
func one[R any](ctx context.Context, db Querier, what, sql string, args ...any) (R, bool, error) {
	return oneBy(ctx, db, what, pgx.RowToStructByName[R], sql, args...)
}

// oneBy is [one] with a row function.
func oneBy[R any](ctx context.Context, db Querier, what string, row pgx.RowToFunc[R], sql string, args ...any) (R, bool, error) {
	var none R
	in, err := ofStore(what, args)
	if err != nil {
		return none, false, err
	}
	found, err := query(ctx, db, in, what, row, sql, args...)
	if err != nil || len(found) == 0 {
		return none, false, err
	}
	return found[0], true, nil
}

// ofStore is the scope of a query about one store.
func ofStore(what string, args []any) (scope, error) {
	if len(args) > 0 {
		if store, ok := args[0].(uuid.UUID); ok {
			return scope{postgres.StoreSetting, store.String(), planAuto}, nil
		}
	}
	return scope{}, fmt.Errorf("query %s: $1 is not the store", what)
}

// ofNone is the scope of a query that no store bounds: only the owner of the
// tables sees rows.
var ofNone = scope{postgres.StoreSetting, "", planAuto}

func query[R any](ctx context.Context, db Querier, in scope, what string, row pgx.RowToFunc[R], sql string, args ...any) ([]R, error) {
	b := &pgx.Batch{}
	b.Queue(setScope, in.setting, in.value, in.plans)
	b.Queue(sql, args...)
	results := db.SendBatch(ctx, b)
	defer results.Close() // its error is that of a query
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	found, err := pgx.CollectRows(rows, row)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	if err := results.Close(); err != nil {
		return nil, fmt.Errorf("query %s: %w", what, err)
	}
	return found, nil
}
