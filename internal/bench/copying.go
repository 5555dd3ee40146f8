package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	// copiedAtOnce is how many rows each COPY, and so each commit, has.
	copiedAtOnce = 1000
	// readAhead is how many rows are read before they are copied, so that reading
	// is no part of what is measured.
	readAhead = 20 * copiedAtOnce
)

// copyLog copies the rows of the event log into an empty table of the same shape,
// with its indexes, in the same database, and returns how many there were and how
// many a second. Only COPY and its commits count.
func (l *large) copyLog(ctx context.Context) (rows, perSecond float64, err error) {
	from, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return 0, 0, fmt.Errorf("copy the event log: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close(context.WithoutCancel(ctx))) }()
	to, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return 0, 0, fmt.Errorf("copy the event log: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range []string{
		`CREATE SCHEMA bench`,
		`CREATE TABLE bench.event_log (LIKE read_core.event_log INCLUDING ALL)`,
		`CHECKPOINT`,
	} {
		if _, err := to.Exec(ctx, sql); err != nil {
			return 0, 0, fmt.Errorf("make a table to copy into: %w", err)
		}
	}
	c := &copying{to: to, count: l.bench.progress.count("copying rows of the event log", l.bench.sizes.events)}
	if err := c.run(ctx, from); err != nil {
		return 0, 0, fmt.Errorf("copy the event log: %w", err)
	}
	l.bench.progress.say("copied %s rows in %.1f s without the time to read them, %s/s",
		grouped(float64(c.rows)), c.took.Seconds(), grouped(float64(c.rows)/c.took.Seconds()))
	if _, err := to.Exec(ctx, `DROP SCHEMA bench CASCADE`); err != nil {
		return 0, 0, fmt.Errorf("drop the copy: %w", err)
	}
	return float64(c.rows), float64(c.rows) / c.took.Seconds(), nil
}

// copying is a copy under way.
type copying struct {
	to      *pgx.Conn
	count   *counter
	columns []string
	rows    int
	took    time.Duration
}

func (c *copying) run(ctx context.Context, from *pgx.Conn) error {
	rows, err := from.Query(ctx, `SELECT * FROM read_core.event_log ORDER BY position, prepare`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for _, field := range rows.FieldDescriptions() {
		c.columns = append(c.columns, field.Name)
	}
	ahead := make([][]any, 0, readAhead)
	for rows.Next() {
		values, err := wholeRow(rows)
		if err != nil {
			return err
		}
		if ahead = append(ahead, values); len(ahead) == readAhead {
			if err := c.copy(ctx, ahead); err != nil {
				return err
			}
			ahead = ahead[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return c.copy(ctx, ahead)
}

// wholeRow is a row as the projector hands it over: JSON as bytes.
func wholeRow(rows pgx.Rows) ([]any, error) {
	values, err := rows.Values()
	if err != nil {
		return nil, err
	}
	for i, field := range rows.FieldDescriptions() {
		if field.DataTypeOID == pgtype.JSONOID {
			values[i] = append([]byte(nil), rows.RawValues()[i]...)
		}
	}
	return values, nil
}

// copy copies rows, each thousand in a transaction of its own.
func (c *copying) copy(ctx context.Context, rows [][]any) error {
	began := time.Now()
	for part := rows; len(part) > 0; {
		n := min(copiedAtOnce, len(part))
		if _, err := c.to.CopyFrom(ctx, pgx.Identifier{"bench", "event_log"}, c.columns, pgx.CopyFromRows(part[:n])); err != nil {
			return err
		}
		part = part[n:]
	}
	c.took += time.Since(began)
	c.rows += len(rows)
	c.count.add(len(rows))
	return nil
}
