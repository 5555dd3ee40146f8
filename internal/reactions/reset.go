package reactions

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/seal"
)

// Resetter is what moving a checkpoint takes. The log is an [eventstore.Store],
// the sealer a [seal.Sealer].
type Resetter struct {
	Log interface {
		Append(ctx context.Context, stream string, expected eventstore.Revision, batch []events.Proposed) (eventstore.Appended, error)
		ReadStreamBackwards(ctx context.Context, stream string, limit int) ([]events.Record, error)
		Head(ctx context.Context) (events.Position, error)
	}
	Sealer interface {
		Seal(ctx context.Context, stream string, store uuid.UUID, batch []seal.Draft) ([]events.Proposed, error)
	}
	Checkpoints *Checkpoints
}

// ErrBeyondHead says that a position is not in the log yet.
var ErrBeyondHead = errors.New("the position is beyond the head of the log")

// Now returns the head of the log: the position for a reaction that is not to
// react to anything that has happened.
func (r Resetter) Now(ctx context.Context) (events.Position, error) { return r.Log.Head(ctx) }

// Reset has a reaction go on after a position, the zero one being the start of
// the log, and records that as an event of the platform with the metadata of
// the operator's command. A reaction that is running goes on from there within
// seconds. It fails with [ErrBeyondHead] and the errors of log, keys and
// Postgres; then the reaction stays where it is, though the event may have been
// written. It may be repeated.
func (r Resetter) Reset(ctx context.Context, reaction string, to events.Position, md events.Metadata) error {
	head, err := r.Log.Head(ctx)
	if err != nil {
		return err
	}
	if head.Before(to) {
		return fmt.Errorf("%w: %d/%d is after %d/%d", ErrBeyondHead, to.Commit, to.Prepare, head.Commit, head.Prepare)
	}
	// The row stays locked until the event is written: a running reaction that
	// would move it waits, and then learns of the new generation.
	err = pgx.BeginFunc(ctx, r.Checkpoints.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO ops.reaction_checkpoints AS old (reaction, log_id, commit, prepare)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (reaction) DO UPDATE
			SET log_id = $2, generation = old.generation + 1, commit = $3, prepare = $4, updated_at = now()`,
			reaction, r.Checkpoints.log, to.Commit, to.Prepare)
		if err != nil {
			return err
		}
		return r.record(ctx, events.PlatformReactionReset{Reaction: reaction, To: to}, md)
	})
	if err != nil {
		return fmt.Errorf("reset reaction %s: %w", reaction, err)
	}
	return nil
}

// resetAttempts bounds how often the event is tried again because somebody else
// wrote to the platform's stream.
const resetAttempts = 8

func (r Resetter) record(ctx context.Context, e events.PlatformReactionReset, md events.Metadata) error {
	batch, err := r.Sealer.Seal(ctx, events.PlatformStream, uuid.Nil, []seal.Draft{
		{ID: events.NewID(md.CommandID, md.Fingerprint, events.PlatformStream, 0), Event: e, Metadata: md},
	})
	if err != nil {
		return err
	}
	for range resetAttempts {
		tail := eventstore.NoStream
		last, readErr := r.Log.ReadStreamBackwards(ctx, events.PlatformStream, 1)
		if readErr != nil {
			return readErr
		}
		if len(last) > 0 {
			tail = eventstore.Revision(last[0].Revision)
		}
		if _, err = r.Log.Append(ctx, events.PlatformStream, tail, batch); !errors.Is(err, eventstore.ErrWrongRevision) {
			return err
		}
	}
	return err
}
