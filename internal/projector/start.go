package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/postgres"
)

// refusal is a reason not to touch the tables, which only an operator can remove.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// misfit refuses tables of another version.
func (g Group) misfit() error {
	return &refusal{fmt.Sprintf("the read models of group %s are of another version than this program (%d); run: steward rebuild", g.Name, g.Version)}
}

// fits refuses tables of another version.
func (g Group) fits(at checkpoint) error {
	if at.Version != g.Version {
		return g.misfit()
	}
	return nil
}

// anchored refuses a log that does not hold the event that the checkpoint stands
// at: it was replaced, or restored from an older backup. It also refuses a copy
// of the log in another event store, which holds the event somewhere else: the
// checkpoint lies between its anchor and the end of the log.
func anchored(ctx context.Context, log Log, at checkpoint) error {
	if at.LastEventID == uuid.Nil {
		return nil
	}
	records, err := log.ReadStream(ctx, at.LastStream, at.LastRevision)
	if err != nil && !errors.Is(err, eventstore.ErrStreamDeleted) {
		return fmt.Errorf("look for the event at the checkpoint: %w", err)
	}
	if len(records) == 0 || records[0].ID != at.LastEventID || records[0].Revision != at.LastRevision {
		return errUnanchored
	}
	head, err := log.Head(ctx)
	if err != nil {
		return fmt.Errorf("look for the end of the log: %w", err)
	}
	if at.Position.Before(records[0].Position) || head.Before(at.Position) {
		return errUnanchored
	}
	return nil
}

var errUnanchored = &refusal{"the log does not hold the event at the checkpoint: it was replaced, copied to another event store, or restored from an older backup; run: steward rebuild"}

// waitingReason says what is away.
func waitingReason(err error) string {
	switch {
	case errors.Is(err, eventstore.ErrUnavailable):
		return "the event store is away"
	case sqlState(err) != "":
		return harmless(err)
	case postgres.Unavailable(err):
		return "PostgreSQL is away"
	default:
		return harmless(err)
	}
}

// loadAlarms reads which of our streams are being trimmed.
func (p *Projector) loadAlarms(ctx context.Context) error {
	var alarms []TrimAlarm
	err := pgx.BeginTxFunc(ctx, p.pool, in(p.group.Schema()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT stream, setting FROM trim_alarm ORDER BY stream LIMIT 100`)
		if err != nil {
			return err
		}
		alarms, err = pgx.CollectRows(rows, pgx.RowToStructByName[TrimAlarm])
		return err
	})
	if err != nil {
		return fmt.Errorf("read the alarms: %w", err)
	}
	for _, a := range alarms {
		p.logger.ErrorContext(ctx, "events of a stream are being removed", "stream", a.Stream, "setting", a.Setting)
	}
	p.condition.setTrimmed(alarms)
	return nil
}

// touchesTrimming reports whether a batch may have changed the alarms.
func (b batch) touchesTrimming() bool {
	for i := range b.items {
		it := &b.items[i]
		if it.system && !events.IsSystem(trimmedStream(it.record)) {
			return true
		}
	}
	return false
}
