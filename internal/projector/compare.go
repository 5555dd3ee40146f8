package projector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// Report is the comparison of rebuilt tables with the live ones, both at one
// position.
type Report struct {
	// Position is the one that both were compared at.
	Position events.Position
	// LiveVersion and NextVersion are those of the live and of the rebuilt tables.
	// If they are the same all rows are compared; if not, the number of rows and of
	// the values in columns that both have.
	LiveVersion, NextVersion int
	// None says why there was nothing to compare with; "" if there was.
	None   string
	Tables []TableReport
}

// TableReport compares one table.
type TableReport struct {
	Table              string
	LiveRows, NextRows int64
	Same               bool
	// Keys are the primary keys of the first rows that differ, or the columns that
	// do if the versions differ.
	Keys []string
}

// Same reports whether nothing differs.
func (r Report) Same() bool {
	return !slices.ContainsFunc(r.Tables, func(t TableReport) bool { return !t.Same })
}

// differingKeys is how many keys of a table are listed.
const differingKeys = 5

// unhurried lets a statement and a pause in a transaction take as long as they
// need.
const unhurried = "; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

// compare brings the new tables to exactly the position of the live ones and
// compares both. It looks at the live ones in a snapshot, so that their projector
// goes on meanwhile; nobody else writes the new ones.
func (r *rebuild) compare(ctx context.Context) (Report, error) {
	report := Report{NextVersion: r.group.Version, None: r.none, Position: r.at.Position}
	if r.none != "" {
		return report, nil
	}
	snapshot := pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + unhurried}
	err := pgx.BeginTxFunc(ctx, r.pool, snapshot, func(live pgx.Tx) error {
		at, err := readCheckpoint(ctx, live, r.group.Name, r.group.Schema())
		if err != nil {
			return err
		}
		report.LiveVersion, report.Position = at.Version, at.Position
		if at.Position.Before(r.at.Position) {
			return errMoved // it went back: restored, or taken over by another rebuild
		}
		if err := r.applyUpTo(ctx, at.Position); err != nil {
			return err
		}
		fresh := pgx.TxOptions{BeginQuery: "BEGIN READ ONLY" + unhurried}
		return pgx.BeginTxFunc(ctx, r.pool, fresh, func(next pgx.Tx) error {
			return r.compareTables(ctx, live, next, &report, everything)
		})
	})
	return report, err
}

// scope is which rows of a table are compared: a condition on the row r.
type scope func(columns []string) (condition string, ok bool)

func everything([]string) (string, bool) { return "true", true }

// since returns the scope of rows written after a position, of tables whose rows
// say when they were.
func since(position events.Position) scope {
	return func(columns []string) (string, bool) {
		return fmt.Sprintf("position > %d", position.Commit), slices.Contains(columns, "position")
	}
}

// compareTables compares the tables that both schemas have. The checkpoint is not
// among them: it says when, not what.
func (r *rebuild) compareTables(ctx context.Context, live, next pgx.Tx, report *Report, within scope) error {
	const sql = `
		SELECT l.table_name::text, array_agg(l.column_name::text ORDER BY n.ordinal_position)
		FROM information_schema.columns AS l
		JOIN information_schema.columns AS n USING (table_name, column_name)
		JOIN information_schema.tables AS t ON (t.table_schema, t.table_name, t.table_type) = (n.table_schema, n.table_name, 'BASE TABLE')
		WHERE l.table_schema = $1 AND n.table_schema = $2 AND l.table_name <> 'checkpoint'
		GROUP BY 1
		ORDER BY 1`
	rows, err := next.Query(ctx, sql, r.group.Schema(), r.group.next())
	if err != nil {
		return fmt.Errorf("list the tables to compare: %w", err)
	}
	type shared struct {
		Table   string
		Columns []string
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[shared])
	if err != nil {
		return fmt.Errorf("list the tables to compare: %w", err)
	}
	for _, s := range tables {
		condition, ok := within(s.Columns)
		if !ok {
			continue
		}
		c := comparison{r: r, live: live, next: next, table: s.Table, columns: s.Columns, condition: condition}
		t, err := c.run(ctx, report.LiveVersion == report.NextVersion)
		if err != nil {
			return fmt.Errorf("compare %s: %w", s.Table, err)
		}
		report.add(t)
	}
	return nil
}

// add takes in the comparison of a table, perhaps of further rows of it.
func (r *Report) add(t TableReport) {
	i := slices.IndexFunc(r.Tables, func(known TableReport) bool { return known.Table == t.Table })
	if i < 0 {
		r.Tables = append(r.Tables, t)
		return
	}
	if !t.Same {
		r.Tables[i].Same = false
		r.Tables[i].Keys = append(r.Tables[i].Keys, t.Keys...)
	}
}

// comparison compares the rows of one table that meet a condition.
type comparison struct {
	r          *rebuild
	live, next pgx.Tx
	table      string
	columns    []string // that both have
	condition  string
}

func (c comparison) run(ctx context.Context, whole bool) (TableReport, error) {
	measure := c.counts
	if whole {
		measure = c.digest
	}
	t := TableReport{Table: c.table}
	next, err := measure(ctx, c.next, c.r.group.next())
	if err != nil {
		return t, err
	}
	live, err := measure(ctx, c.live, c.r.group.Schema())
	if err != nil {
		return t, err
	}
	t.LiveRows, t.NextRows, t.Same = live.rows, next.rows, slices.Equal(live.values, next.values) && live.rows == next.rows
	switch {
	case t.Same:
	case whole:
		t.Keys, err = c.differing(ctx)
	default:
		for i, column := range c.columns {
			if live.values[i] != next.values[i] {
				t.Keys = append(t.Keys, column)
			}
		}
	}
	return t, err
}

// measured is what must be equal: the number of rows, and values over them.
type measured struct {
	rows   int64
	values []string
}

// digest sums up the hashes of all rows, in whatever order they come.
func (c comparison) digest(ctx context.Context, tx pgx.Tx, schema string) (measured, error) {
	return c.measure(ctx, tx, schema, `COALESCE(sum(hashtextextended(r::text, 0)::numeric), 0)::text`)
}

// counts counts the values in every shared column.
func (c comparison) counts(ctx context.Context, tx pgx.Tx, schema string) (measured, error) {
	counts := make([]string, len(c.columns))
	for i, column := range c.columns {
		counts[i] = `count(` + pgx.Identifier{column}.Sanitize() + `)::text`
	}
	return c.measure(ctx, tx, schema, strings.Join(counts, ", "))
}

func (c comparison) measure(ctx context.Context, tx pgx.Tx, schema, values string) (m measured, err error) {
	sql := `SELECT count(*), ARRAY[` + values + `] FROM ` + pgx.Identifier{schema, c.table}.Sanitize() + ` AS r WHERE ` + c.condition
	err = tx.QueryRow(ctx, sql).Scan(&m.rows, &m.values)
	return m, err
}

// differing lists the first keys whose rows differ. The hashes of the live rows
// come from the snapshot, so the two sides are read apart and merged.
func (c comparison) differing(ctx context.Context) ([]string, error) {
	key, err := c.primaryKey(ctx)
	if err != nil {
		return nil, err
	}
	live, err := c.hashes(ctx, c.live, c.r.group.Schema(), key)
	if err != nil {
		return nil, err
	}
	next, err := c.hashes(ctx, c.next, c.r.group.next(), key)
	if err != nil {
		return nil, err
	}
	return firstDifferences(live, next), nil
}

func (c comparison) primaryKey(ctx context.Context) (string, error) {
	const sql = `
		SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(i.indkey::int2[], a.attnum))
		FROM pg_index AS i
		JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
		WHERE i.indrelid = $1::regclass AND i.indisprimary`
	var key string
	err := c.next.QueryRow(ctx, sql, pgx.Identifier{c.r.group.next(), c.table}.Sanitize()).Scan(&key)
	return key, err
}

// hashed is a row by its key.
type hashed struct {
	Key  string
	Hash int64
}

// hashes reads the hash of every row by its key. It is asked for only after the
// digests differed.
func (c comparison) hashes(ctx context.Context, tx pgx.Tx, schema, key string) (map[string]int64, error) {
	sql := `
		SELECT concat_ws('/', ` + key + `), hashtextextended(r::text, 0)
		FROM ` + pgx.Identifier{schema, c.table}.Sanitize() + ` AS r
		WHERE ` + c.condition
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64)
	var h hashed
	_, err = pgx.ForEachRow(rows, []any{&h.Key, &h.Hash}, func() error {
		all[h.Key] = h.Hash
		return nil
	})
	return all, err
}

// firstDifferences lists the first keys that one side lacks or has another row
// for.
func firstDifferences(live, next map[string]int64) []string {
	var keys []string
	for key, hash := range live {
		if other, ok := next[key]; !ok || other != hash {
			keys = append(keys, key)
		}
	}
	for key := range next {
		if _, ok := live[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(len(keys), differingKeys)]
}
