package projector

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stewardhq/steward/events"
)

// What makes a batch start over instead of failing.
var (
	// errMoved says that the tables or the checkpoint are not those that the batch
	// was read for: they were replaced, restored or taken over.
	errMoved = errors.New("the read models were replaced meanwhile")
	// errVersion says that the tables have another version than the group.
	errVersion = errors.New("the read models are of another version")
	// errGap says that a stream goes on with a revision that does not follow.
	errGap = errors.New("revisions are missing before it")
	// errPanic says that a read model panicked.
	errPanic = errors.New("the read model panicked")
)

// eventError is an event that cannot be applied.
type eventError struct {
	record events.Record
	err    error
}

func (e *eventError) Error() string {
	return fmt.Sprintf("apply %s %s@%d: %v", e.record.Type, e.record.Stream, e.record.Revision, e.err)
}

func (e *eventError) Unwrap() error { return e.err }

const (
	selectHeads = `SELECT stream, revision FROM stream_head WHERE stream = ANY($1)`
	saveHeads   = `
		INSERT INTO stream_head (stream, revision)
		SELECT stream, revision FROM unnest($1::text[], $2::bigint[]) AS moved (stream, revision)
		ON CONFLICT (stream) DO UPDATE SET revision = EXCLUDED.revision`
)

// apply writes what a batch means and moves the checkpoint, all in tx, whose
// search path is the schema of the tables and which the caller commits. gen is
// the generation of the tables that the caller means. Events in pass are passed
// over: only the head of their stream moves.
//
// It fails with errMoved, errVersion, an *eventError, or what SQL failed with.
func (g Group) apply(ctx context.Context, tx pgx.Tx, gen uuid.UUID, b batch, parked *parked) (checkpoint, error) {
	heads := make(map[string]uint64)
	folds := make([]fold, len(g.Models))
	from, err := g.load(ctx, tx, b, folds, heads)
	switch {
	case err != nil:
		return checkpoint{}, err
	case from.Gen != gen:
		return checkpoint{}, errMoved
	case from.Version != g.Version:
		return checkpoint{}, errVersion
	}
	b, ok := b.from(from.Position)
	if !ok {
		return checkpoint{}, errMoved
	}
	if len(b.items) == 0 {
		return from, nil
	}
	to := from
	to.Position = b.end()
	to.Events += uint64(len(b.items))
	moved := make(map[string]uint64)
	var order []string
	for i := range b.items {
		it := &b.items[i]
		if it.system {
			continue
		}
		head, known := heads[it.record.Stream]
		next := head + 1
		if !known {
			next = 0
		}
		switch r := it.record; {
		case r.Revision < next:
			continue // came before
		case r.Revision > next && !parked.has(r.ID):
			return checkpoint{}, &eventError{r, fmt.Errorf("%w: expected revision %d", errGap, next)}
		}
		if !parked.has(it.record.ID) {
			if err := it.fold(folds); err != nil {
				return checkpoint{}, err
			}
		}
		heads[it.record.Stream] = it.record.Revision
		if _, ok := moved[it.record.Stream]; !ok {
			order = append(order, it.record.Stream)
		}
		moved[it.record.Stream] = it.record.Revision
		to.LastEventID, to.LastStream, to.LastRevision = it.record.ID, it.record.Stream, it.record.Revision
	}
	return to, g.save(ctx, tx, b, folds, order, moved, from, to)
}

// load locks the checkpoint and then reads the stream heads and the rows that
// the batch touches, in one message.
func (g Group) load(ctx context.Context, tx pgx.Tx, b batch, folds []fold, heads map[string]uint64) (from checkpoint, err error) {
	var touched []Event
	var streams []string
	seen := make(map[string]bool)
	for i := range b.items {
		it := &b.items[i]
		if it.system {
			continue
		}
		if it.err == nil {
			touched = append(touched, it.event)
		}
		if !seen[it.record.Stream] {
			seen[it.record.Stream] = true
			streams = append(streams, it.record.Stream)
		}
	}
	asked := &pgx.Batch{}
	asked.Queue(lockCheckpoint, g.Name).QueryRow(func(row pgx.Row) error {
		from, err = scanCheckpoint(row)
		return err
	})
	if len(streams) > 0 {
		asked.Queue(selectHeads, streams).Query(func(rows pgx.Rows) error {
			var stream string
			var revision uint64
			_, err := pgx.ForEachRow(rows, []any{&stream, &revision}, func() error {
				heads[stream] = revision
				return nil
			})
			return err
		})
	}
	for i, m := range g.Models {
		folds[i] = m.begin()
		folds[i].load(asked, touched)
	}
	if err := tx.SendBatch(ctx, asked).Close(); err != nil {
		return checkpoint{}, fmt.Errorf("load the rows of a batch: %w", err)
	}
	return from, nil
}

// fold applies the item to every model. A panic is an event that cannot be
// applied, like any other.
func (it *item) fold(folds []fold) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &eventError{it.record, errPanic}
			if cause, ok := r.(runtime.Error); ok {
				err = &eventError{it.record, fmt.Errorf("%w: %w", errPanic, cause)}
			}
		}
	}()
	if it.err != nil {
		return &eventError{it.record, it.err}
	}
	for _, f := range folds {
		if err := f.apply(it.event); err != nil {
			return &eventError{it.record, err}
		}
	}
	return nil
}

// save writes rows, heads and checkpoint.
func (g Group) save(ctx context.Context, tx pgx.Tx, b batch, folds []fold, order []string, moved map[string]uint64, from, to checkpoint) error {
	asked := &pgx.Batch{}
	for _, f := range folds {
		if err := f.save(ctx, tx, asked); err != nil {
			return err
		}
	}
	if len(order) > 0 {
		revisions := make([]uint64, len(order))
		for i, stream := range order {
			revisions[i] = moved[stream]
		}
		asked.Queue(saveHeads, order, revisions)
	}
	for _, it := range b.items {
		switch {
		case it.trim != "":
			asked.Queue(raiseTrimAlarm, trimmedStream(it.record), it.trim, it.record.Position.Commit)
		case it.system && it.record.Type == typeMetadata:
			asked.Queue(clearTrimAlarm, trimmedStream(it.record))
		}
	}
	queueMove(asked, g.Name, from, to)
	if err := tx.SendBatch(ctx, asked).Close(); err != nil {
		return fmt.Errorf("write the rows of a batch: %w", err)
	}
	return nil
}

// affectsOne makes a statement fail with errMoved unless it changed one row.
func affectsOne(tag pgconn.CommandTag) error {
	if tag.RowsAffected() != 1 {
		return errMoved
	}
	return nil
}
