package projections

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// listSQL is the SQL of a list in one order. A term that matches many rows is
// found fastest by walking the order and stopping at a full page, one that
// matches few by the trigram index and sorting; neither does for both. So a
// search first walks a small sample of the order, and what that finds decides.
//
// It reads the view that shows the rows of the store: the policy of a table keeps
// indexes from being used for patterns.
//
// The values are $1 the store, $2 and $3 the cursor, $4 the limit, then those of
// the filter, then the pattern and how many rows to walk.
type listSQL struct {
	page string // without a term
	walk string // those that match among the first rows of the order
	hits string // all rows that match, sorted
}

const (
	// sampleRows is how many rows the first walk looks at.
	sampleRows = 2000
	// frequentHits is how many of them must match for walking on. A page is then
	// expected within 20,000 rows of an index, which takes about as long as fetching
	// and sorting the 2,500 hits that a term of this frequency has in a million rows.
	frequentHits = 5
	// walkRows bounds the second walk, in case the sample misled.
	walkRows = 40000
)

const pageTemplate = `
	SELECT {columns}
	FROM read_core.{table}_own
	WHERE store_id = $1 AND ({sort}, {id}) {beyond} ($2::{type}, $3::uuid) AND {filter}
	ORDER BY {sort}{direction}, {id}{direction}
	LIMIT $4`

const walkTemplate = `
	SELECT {columns}
	FROM read_core.{table}_own
	JOIN (
		SELECT {id} FROM (
			SELECT {id}, {sort}, {walked}
			FROM read_core.{table}_own
			WHERE store_id = $1 AND ({sort}, {id}) {beyond} ($2::{type}, $3::uuid)
			ORDER BY {sort}{direction}, {id}{direction}
			LIMIT {walk}
		) AS walked
		WHERE search LIKE {pattern} AND {filter}
		ORDER BY {sort}{direction}, {id}{direction}
		LIMIT $4
	) AS found USING ({id})
	ORDER BY {sort}{direction}, {id}{direction}`

const hitsTemplate = `
	WITH hits AS MATERIALIZED (
		SELECT {id}, {sort}
		FROM read_core.{table}_own
		WHERE store_id = $1 AND search LIKE {pattern} AND ({sort}, {id}) {beyond} ($2::{type}, $3::uuid) AND {filter}
	)
	SELECT {columns}
	FROM read_core.{table}_own
	JOIN (
		SELECT {id} FROM hits
		ORDER BY {sort}{direction}, {id}{direction}
		LIMIT $4
	) AS found USING ({id})
	ORDER BY {sort}{direction}, {id}{direction}`

// listShape is what the SQL of a list is written out from.
type listShape struct {
	table, columns, id string
	sort, sortType     string
	descending         bool
	filter             string // its values begin at $5
	filterValues       int
	walked             string // the columns that a walk looks at: search and those of the filter
}

func (s listShape) sql() listSQL {
	direction, beyond := "", ">"
	if s.descending {
		direction, beyond = " DESC", "<"
	}
	pattern, walk := "$"+strconv.Itoa(5+s.filterValues), "$"+strconv.Itoa(6+s.filterValues)
	write := strings.NewReplacer("{table}", s.table, "{columns}", s.columns, "{id}", s.id, "{sort}", s.sort,
		"{type}", s.sortType, "{filter}", s.filter, "{walked}", s.walked, "{direction}", direction, "{beyond}", beyond,
		"{pattern}", pattern, "{walk}", walk).Replace
	return listSQL{page: write(pageTemplate), walk: write(walkTemplate), hits: write(hitsTemplate)}
}

// listArgs are the values of a list.
type listArgs struct {
	store  uuid.UUID
	after  [2]any
	limit  int
	filter []any
	term   string
}

// list returns a page and whether there is more. It asks in the way that suits
// the term, each time for one row more than the page holds.
func list[R any](ctx context.Context, db Querier, sql listSQL, a listArgs) (page []R, more bool, err error) {
	limit := limited(a.limit)
	args := append([]any{a.store, a.after[0], a.after[1], limit + 1}, a.filter...)
	pattern := searchPattern(a.term)
	if pattern == "" {
		page, err = collect[R](ctx, db, "page", sql.page, args...)
		return firstOf(page, limit, err)
	}
	args = append(args, pattern)
	bounds := []int{sampleRows, walkRows}
	for i, bound := range bounds {
		page, err = collect[R](ctx, db, "walk", sql.walk, append(args[:len(args):len(args)], bound)...)
		if err != nil || len(page) > limit {
			return firstOf(page, limit, err)
		}
		if i == 0 && len(page) < frequentHits {
			break
		}
	}
	page, err = collect[R](ctx, db, "hits", sql.hits, args...)
	return firstOf(page, limit, err)
}

// firstOf takes the extra row off.
func firstOf[R any](rows []R, limit int, err error) ([]R, bool, error) {
	if err != nil {
		return nil, false, err
	}
	if len(rows) > limit {
		return rows[:limit], true, nil
	}
	return rows, false, nil
}
