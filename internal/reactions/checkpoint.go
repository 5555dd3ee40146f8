package reactions

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
)

// Checkpoint remembers how far a subscription is.
type Checkpoint interface {
	// Load returns the position to go on after, the zero one for the start. It
	// fails with [ErrNoCheckpoint] if there is none.
	Load(ctx context.Context) (events.Position, error)
	// Save notes that all events up to a position are done. It never moves
	// back. It fails with [ErrCheckpointReset] if somebody has put the
	// checkpoint elsewhere since it was loaded.
	Save(ctx context.Context, done events.Position) error
}

// What a checkpoint may fail with.
var (
	ErrNoCheckpoint    = errors.New("there is no checkpoint")
	ErrCheckpointReset = errors.New("the checkpoint was reset")
	// errDone says that another instance has handled the event.
	errDone = errors.New("the event is behind the checkpoint")
)

// Checkpoints keeps the checkpoints of the reactions to one log in Postgres.
type Checkpoints struct {
	pool *pgxpool.Pool
	log  uuid.UUID
}

// NewCheckpoints makes the checkpoints of the log with an id.
func NewCheckpoints(pool *pgxpool.Pool, logID uuid.UUID) *Checkpoints {
	return &Checkpoints{pool: pool, log: logID}
}

// Begin puts the checkpoints of reactions at the start of the log, where they
// have none. It is for whoever writes the first event of a log; later, a
// reaction without a checkpoint needs an operator's decision, see [Reset].
func (c *Checkpoints) Begin(ctx context.Context, reactions ...string) error {
	_, err := c.pool.Exec(ctx, `
		INSERT INTO ops.reaction_checkpoints AS old (reaction, log_id, commit, prepare)
		SELECT unnest($2::text[]), $1, 0, 0
		ON CONFLICT (reaction) DO UPDATE
		SET log_id = $1, generation = old.generation + 1, commit = 0, prepare = 0, updated_at = now()
		WHERE old.log_id <> $1`, c.log, reactions)
	if err != nil {
		return fmt.Errorf("begin the checkpoints of reactions: %w", err)
	}
	return nil
}

// any reports whether some reaction has a checkpoint: then the database was not lost.
func (c *Checkpoints) any(ctx context.Context) (found bool, err error) {
	err = c.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ops.reaction_checkpoints WHERE log_id = $1)`, c.log).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look for checkpoints of reactions: %w", err)
	}
	return found, nil
}

// beginAt puts the checkpoint of a reaction that has none at a position.
func (c *Checkpoints) beginAt(ctx context.Context, reaction string, at events.Position) error {
	_, err := c.pool.Exec(ctx, `
		INSERT INTO ops.reaction_checkpoints (reaction, log_id, commit, prepare)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (reaction) DO NOTHING`, reaction, c.log, int64(at.Commit), int64(at.Prepare))
	if err != nil {
		return fmt.Errorf("begin the checkpoint of reaction %s: %w", reaction, err)
	}
	return nil
}

// row is the checkpoint of one reaction, as this process knows it. It is not
// safe for concurrent use.
type row struct {
	*Checkpoints
	reaction   string
	generation int64
	at         events.Position
}

// Of returns the checkpoint of a reaction. It must not be used concurrently.
func (c *Checkpoints) Of(reaction string) Checkpoint { return c.row(reaction) }

func (c *Checkpoints) row(reaction string) *row { return &row{Checkpoints: c, reaction: reaction} }

func (r *row) Load(ctx context.Context) (events.Position, error) {
	if err := r.reload(ctx, r.pool); err != nil {
		return events.Position{}, err
	}
	return r.at, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (r *row) reload(ctx context.Context, q querier) error {
	err := q.QueryRow(ctx, `
		SELECT generation, commit, prepare
		FROM ops.reaction_checkpoints
		WHERE reaction = $1 AND log_id = $2`, r.reaction, r.log).Scan(&r.generation, &r.at.Commit, &r.at.Prepare)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("reaction %s: %w", r.reaction, ErrNoCheckpoint)
	case err != nil:
		return fmt.Errorf("read the checkpoint of reaction %s: %w", r.reaction, err)
	}
	return nil
}

func (r *row) Save(ctx context.Context, done events.Position) error {
	if !r.at.Before(done) {
		return nil
	}
	err := r.move(ctx, r.pool, done)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// move puts the checkpoint at done if it is before. It fails with errDone if it
// is not, and with [ErrCheckpointReset].
func (r *row) move(ctx context.Context, q querier, done events.Position) error {
	known := r.generation
	var moved bool
	err := q.QueryRow(ctx, `
		WITH moved AS (
			UPDATE ops.reaction_checkpoints
			SET commit = $4, prepare = $5, updated_at = now()
			WHERE reaction = $1 AND log_id = $2 AND generation = $3 AND (commit, prepare) < ($4::bigint, $5::bigint)
			RETURNING 1
		)
		SELECT EXISTS (SELECT FROM moved)`, r.reaction, r.log, known, done.Commit, done.Prepare).Scan(&moved)
	switch {
	case err != nil:
		return fmt.Errorf("move the checkpoint of reaction %s: %w", r.reaction, err)
	case moved:
		r.at = done
		return nil
	}
	if err := r.reload(ctx, q); err != nil {
		return err
	}
	if r.generation != known {
		return fmt.Errorf("reaction %s: %w", r.reaction, ErrCheckpointReset)
	}
	return errDone
}

// Within runs fn in a transaction that also puts the checkpoint at done. It
// does neither and returns nil if another instance has been there before. The
// row is locked first, so two instances never handle one event at a time.
func (r *row) Within(ctx context.Context, done events.Position, fn func(pgx.Tx) error) error {
	before := *r
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if err := r.move(ctx, tx, done); err != nil {
			return err
		}
		return fn(tx)
	})
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil {
		*r = before // it was rolled back, or its outcome is not known
	}
	return err
}
