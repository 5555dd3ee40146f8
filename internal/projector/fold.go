package projector

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

type stateFold[K comparable, R any] struct {
	model State[K, R]
	rows  map[K]R
	dirty map[K]bool
	order []K // of first change, so that rows are written in the order of the log
}

func (f *stateFold[K, R]) load(b *pgx.Batch, batch []Event) {
	f.rows = make(map[K]R)
	f.dirty = make(map[K]bool)
	wanted := make(map[K]bool)
	var keys []K
	for _, e := range batch {
		if key, ok := f.model.Key(e); ok && !wanted[key] {
			wanted[key] = true
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	b.Queue(f.model.Load, keys).Query(func(rows pgx.Rows) error {
		loaded, err := pgx.CollectRows(rows, pgx.RowToStructByName[R])
		if err != nil {
			return fmt.Errorf("load %s: %w", f.model.Name, err)
		}
		for _, row := range loaded {
			f.rows[f.model.ID(row)] = row
		}
		return nil
	})
}

func (f *stateFold[K, R]) apply(e Event) error {
	key, ok := f.model.Key(e)
	if !ok {
		return nil
	}
	row, changed := f.model.Evolve(f.rows[key], e)
	if !changed {
		return nil
	}
	f.rows[key] = row
	if !f.dirty[key] {
		f.dirty[key] = true
		f.order = append(f.order, key)
	}
	return nil
}

func (f *stateFold[K, R]) save(_ context.Context, _ pgx.Tx, b *pgx.Batch) error {
	if len(f.order) == 0 {
		return nil
	}
	changed := make([]R, len(f.order))
	for i, key := range f.order {
		changed[i] = f.rows[key]
	}
	text, err := json.Marshal(changed)
	if err != nil {
		return fmt.Errorf("save %s: %w", f.model.Name, err)
	}
	b.Queue(f.model.Save, text)
	return nil
}

type journalFold struct {
	model Journal
	rows  [][]any
}

func (f *journalFold) load(*pgx.Batch, []Event) {}

func (f *journalFold) apply(e Event) error {
	if row, ok := f.model.Row(e); ok {
		f.rows = append(f.rows, row)
	}
	return nil
}

func (f *journalFold) save(ctx context.Context, tx pgx.Tx, _ *pgx.Batch) error {
	if len(f.rows) == 0 {
		return nil
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{f.model.Name}, f.model.Columns, pgx.CopyFromRows(f.rows)); err != nil {
		return fmt.Errorf("copy into %s: %w", f.model.Name, err)
	}
	return nil
}
