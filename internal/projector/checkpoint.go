package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// checkpoint is how far a group is.
type checkpoint struct {
	Version      int
	Gen          uuid.UUID
	Position     events.Position
	Events       uint64
	LastEventID  uuid.UUID // of the anchor; nil before the first event of ours
	LastStream   string
	LastRevision uint64
}

// retired reports whether the tables of this checkpoint were replaced.
func (c checkpoint) retired() bool { return c.Gen == uuid.Nil }

const (
	// lockCheckpoint is the fence: whoever holds the row is alone with the tables.
	lockCheckpoint = `
		SELECT version, gen, commit, prepare, events,
			COALESCE(last_event_id, '00000000-0000-0000-0000-000000000000'), COALESCE(last_stream, ''), COALESCE(last_revision, 0)
		FROM checkpoint
		WHERE group_name = $1
		FOR UPDATE`
	// moveCheckpoint moves from exactly the state that was locked.
	moveCheckpoint = `
		UPDATE checkpoint
		SET commit = $5, prepare = $6, events = $7, last_event_id = NULLIF($8, '00000000-0000-0000-0000-000000000000'::uuid),
			last_stream = NULLIF($9, ''), last_revision = $10, updated_at = clock_timestamp()
		WHERE group_name = $1 AND gen = $2 AND commit = $3 AND prepare = $4`
)

// selectCheckpoint reads the checkpoint in a schema without locking it.
func selectCheckpoint(schema string) string {
	return `
		SELECT version, gen, commit, prepare, events,
			COALESCE(last_event_id, '00000000-0000-0000-0000-000000000000'), COALESCE(last_stream, ''), COALESCE(last_revision, 0)
		FROM ` + pgx.Identifier{schema}.Sanitize() + `.checkpoint
		WHERE group_name = $1`
}

// errNoCheckpoint says that a schema has no row for its group.
var errNoCheckpoint = errors.New("the checkpoint is missing")

func scanCheckpoint(row pgx.Row) (c checkpoint, err error) {
	err = row.Scan(&c.Version, &c.Gen, &c.Position.Commit, &c.Position.Prepare, &c.Events,
		&c.LastEventID, &c.LastStream, &c.LastRevision)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoCheckpoint
	}
	return c, err
}

// readCheckpoint reads the checkpoint in a schema, without locking it.
func readCheckpoint(ctx context.Context, db querier, group, schema string) (checkpoint, error) {
	c, err := scanCheckpoint(db.QueryRow(ctx, selectCheckpoint(schema), group))
	if err != nil {
		return checkpoint{}, fmt.Errorf("read the checkpoint of %s: %w", schema, err)
	}
	return c, nil
}

// queueMove asks for the checkpoint to go from one state to the next.
func queueMove(b *pgx.Batch, group string, from, to checkpoint) {
	b.Queue(moveCheckpoint, group, from.Gen, from.Position.Commit, from.Position.Prepare,
		to.Position.Commit, to.Position.Prepare, to.Events, to.LastEventID, to.LastStream, to.LastRevision).
		Exec(affectsOne)
}
