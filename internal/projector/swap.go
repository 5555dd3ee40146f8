package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// dropPatience is how long a rebuild waits for readers of the old tables. What is
// left then is dropped by the next rebuild.
const dropPatience = time.Minute

// swap puts the new tables in the place of the live ones, in one transaction. It
// holds the live checkpoint meanwhile, which stops whoever projects; brings the
// new tables to the same position; and compares what was written since the whole
// was compared.
func (r *rebuild) swap(ctx context.Context, report *Report) error {
	if r.none != "" {
		return r.swapUncompared(ctx)
	}
	return retry(ctx, func() error {
		before := r.at
		err := pgx.BeginTxFunc(ctx, r.pool, in(r.group.next()), func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
				return err
			}
			live, err := scanCheckpoint(tx.QueryRow(ctx, selectCheckpoint(r.group.Schema())+` FOR UPDATE`, r.group.Name))
			if err != nil {
				return fmt.Errorf("hold the live tables: %w", err)
			}
			if live.retired() || live.Position.Before(r.at.Position) {
				return errMoved
			}
			if err := r.applyTail(ctx, tx, live.Position); err != nil {
				return err
			}
			if err := r.compareTables(ctx, tx, tx, report, since(report.Position)); err != nil {
				return err
			}
			if !report.Same() && !r.options.Force {
				return ErrDifferent
			}
			return r.rename(ctx, tx, true)
		})
		if err != nil {
			r.at = before
		}
		return err
	})
}

// swapUncompared replaces tables that are missing or of another log.
func (r *rebuild) swapUncompared(ctx context.Context) error {
	return pgx.BeginTxFunc(ctx, r.pool, in(r.group.next()), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey("", "schema")); err != nil {
			return err
		}
		exists, err := schemaExists(ctx, r.pool, r.group.Schema())
		if err != nil {
			return err
		}
		return r.rename(ctx, tx, exists)
	})
}

// applyTail applies what lies between the new tables and a position, in the
// transaction that puts them in place.
func (r *rebuild) applyTail(ctx context.Context, tx pgx.Tx, target events.Position) error {
	for r.at.Position.Before(target) {
		records, err := r.log.ReadAll(ctx, r.at.Position, maxBatch)
		if err != nil {
			return err
		}
		b, err := r.group.prepare(ctx, r.at.Position, records)
		if err != nil {
			return err
		}
		due := b.upTo(target)
		if len(due.items) == 0 {
			return errMoved // the log ends before
		}
		if err := r.apply(ctx, tx, due); err != nil {
			return err
		}
	}
	return nil
}

// rename gives the new tables the name of the live ones. Queries that run go on
// with the tables that they began with; later ones find the new.
func (r *rebuild) rename(ctx context.Context, tx pgx.Tx, live bool) error {
	name := func(schema string) string { return pgx.Identifier{schema}.Sanitize() }
	if live {
		// Whoever waits for the old checkpoint finds out that it is no longer his.
		retire := `UPDATE ` + name(r.group.Schema()) + `.checkpoint SET gen = '00000000-0000-0000-0000-000000000000' WHERE group_name = $1`
		if _, err := tx.Exec(ctx, retire, r.group.Name); err != nil {
			return fmt.Errorf("retire the old tables: %w", err)
		}
		if _, err := tx.Exec(ctx, `ALTER SCHEMA `+name(r.group.Schema())+` RENAME TO `+name(r.group.old())); err != nil {
			return fmt.Errorf("move the old tables away: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, `ALTER SCHEMA `+name(r.group.next())+` RENAME TO `+name(r.group.Schema())); err != nil {
		return fmt.Errorf("put the new tables in place: %w", err)
	}
	return nil
}

// dropOld drops the old tables once nobody reads them.
func (r *rebuild) dropOld(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, dropPatience)
	defer cancel()
	_ = retry(ctx, func() error { return dropSchema(ctx, r.pool, r.group.old()) }) // the next rebuild does it otherwise
}
