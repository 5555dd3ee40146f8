package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// inNext starts a transaction in the new tables that does not wait for the disk:
// the swap does, and what is lost before it is begun anew anyway.
func (r *rebuild) inNext() pgx.TxOptions {
	options := in(r.group.next())
	options.BeginQuery += "; SET LOCAL synchronous_commit = off"
	return options
}

// apply applies a batch to the new tables. Events that cannot be applied must be
// parked.
func (r *rebuild) apply(ctx context.Context, tx pgx.Tx, b batch) error {
	for len(b.items) > 0 {
		part, rest := b.split(max(1, len(b.clean().items)))
		to, err := r.attempt(ctx, tx, part)
		if err != nil {
			if to, err = r.search(ctx, tx, part, err); err != nil {
				return err
			}
		}
		r.at, b = to, rest
	}
	return nil
}

// attempt applies a batch as a part of tx that can fail alone.
func (r *rebuild) attempt(ctx context.Context, tx pgx.Tx, b batch) (to checkpoint, err error) {
	err = pgx.BeginFunc(ctx, tx, func(part pgx.Tx) (err error) {
		to, err = r.group.apply(ctx, part, r.gen, b, &r.parked)
		return err
	})
	return to, err
}

// search applies a batch that failed as a whole, event by event in the end.
func (r *rebuild) search(ctx context.Context, tx pgx.Tx, b batch, failure error) (to checkpoint, err error) {
	if ctx.Err() != nil || errors.Is(failure, errMoved) || gone(failure) || transient(failure) {
		return checkpoint{}, failure
	}
	if len(b.items) > 1 {
		half, rest := b.split(len(b.items) / 2)
		for _, part := range []batch{half, rest} {
			if to, err = r.attempt(ctx, tx, part); err != nil {
				if to, err = r.search(ctx, tx, part, err); err != nil {
					return checkpoint{}, err
				}
			}
		}
		return to, nil
	}
	e := b.items[0].record
	if err := r.parked.read(ctx, r.log); err != nil {
		return checkpoint{}, err
	}
	if r.parked.has(e.ID) {
		return r.attempt(ctx, tx, b)
	}
	return checkpoint{}, fmt.Errorf("%w (event %s, %s %s@%d: %s)", ErrEventNotApplicable, e.ID, e.Type, e.Stream, e.Revision, cause(failure))
}
