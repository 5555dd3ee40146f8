package projections

import (
	"context"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// ImpersonationFilter says which sessions of the team as customers to list. Every
// field but the store narrows the list; zero values do not.
type ImpersonationFilter struct {
	StoreID    uuid.UUID
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	// Before is the position of the last one of the page before; zero begins with the
	// newest.
	Before events.Position
	Limit  int
}

const selectImpersonations = logSource + `
	WHERE store_id = $1 AND (position, prepare) < ($2::bigint, $3::bigint) AND type = 'impersonation.issued'
		AND ($5::uuid IS NULL OR customer_id = $5)
		AND ($6::uuid IS NULL OR staff_id = $6)` + logOrder

// Impersonations returns the ids of a page of the team's sessions as customers, the
// latest first, and the position that the next page begins before: zero after the
// last. What came of each its stream tells.
func (q Queries) Impersonations(ctx context.Context, f ImpersonationFilter) ([]uuid.UUID, events.Position, error) {
	limit, before := limited(f.Limit), newest(f.Before)
	rows, err := collect[LogRow](ctx, q.db, "impersonations", selectImpersonations,
		f.StoreID, before.Commit, before.Prepare, limit+1, optional(f.CustomerID), optional(f.StaffID))
	rows, more, err := firstOf(rows, limit, err)
	if err != nil {
		return nil, events.Position{}, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		if ids[i], err = events.StreamID(r.Stream); err != nil {
			return nil, events.Position{}, err
		}
	}
	if !more {
		return ids, events.Position{}, nil
	}
	last := rows[len(rows)-1]
	return ids, events.Position{Commit: last.Position, Prepare: last.Prepare}, nil
}
