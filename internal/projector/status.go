package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Status is how a group is, as steward projections and /readyz show it.
type Status struct {
	Group string
	// Version is that of the tables, CodeVersion that of this program. If they
	// differ, steward rebuild is due.
	Version     int
	CodeVersion int
	Position    events.Position
	Head        events.Position // of the log
	// LagEvents is how many records of the log have not been applied yet:
	// counted up to a hundred, estimated beyond.
	LagEvents uint64
	// Lag is the age of the oldest of them.
	Lag       time.Duration
	UpdatedAt time.Time // when the checkpoint last moved; zero if it never did
	// Health is that of the projector in this process. Without one it is filled
	// in from the tables as far as they tell.
	Health Health
	// PerSecond is how many events this process applied per second lately.
	PerSecond float64
}

// lagCount is how many records of lag are counted.
const lagCount = 100

// Status returns how the group of the projector is.
func (p *Projector) Status(ctx context.Context) (Status, error) {
	s, err := ReadStatus(ctx, p.pool, p.log, p.group)
	s.Health, s.PerSecond = p.Health(), p.rate.perSecond()
	return s, err
}

// ReadStatus returns how a group is, whoever projects it. It fails when
// PostgreSQL or the event store is away, with what it has learned so far.
func ReadStatus(ctx context.Context, db DB, log Log, g Group) (Status, error) {
	s := Status{Group: g.Name, CodeVersion: g.Version, Health: Health{Group: g.Name, Condition: Starting}}
	exists, err := schemaExists(ctx, db, g.Schema())
	if err != nil {
		return s, err
	}
	var at checkpoint
	if exists {
		if at, err = readCheckpoint(ctx, db, g.Name, g.Schema()); err != nil {
			return s, err
		}
		sql := `SELECT updated_at FROM ` + g.Schema() + `.checkpoint WHERE group_name = $1`
		if err := db.QueryRow(ctx, sql, g.Name).Scan(&s.UpdatedAt); err != nil {
			return s, fmt.Errorf("read the checkpoint of %s: %w", g.Schema(), err)
		}
		s.Version, s.Position = at.Version, at.Position
		if refused := g.fits(at); refused != nil {
			s.Health.Condition, s.Health.Reason = Refused, refused.Error()
		}
	}
	if s.Head, err = log.Head(ctx); err != nil {
		return s, err
	}
	return s, s.measureLag(ctx, log, at)
}

// measureLag reads on from the checkpoint, a little.
func (s *Status) measureLag(ctx context.Context, log Log, at checkpoint) error {
	if !at.Position.Before(s.Head) {
		return nil
	}
	ahead, err := log.ReadAll(ctx, at.Position, lagCount)
	if err != nil || len(ahead) == 0 {
		return err
	}
	s.Lag = max(0, time.Since(ahead[0].RecordedAt))
	s.LagEvents = uint64(len(ahead))
	if len(ahead) == lagCount {
		s.LagEvents += estimate(ahead[len(ahead)-1].Position, s.Head, at)
	}
	return nil
}

// assumedSize is about what an event takes in the log, for a group that has not
// applied any.
const assumedSize = 900

// estimate guesses how many records lie between two positions, from how many
// there were up to the checkpoint.
func estimate(from, to events.Position, at checkpoint) uint64 {
	if to.Commit <= from.Commit {
		return 0
	}
	if at.Events == 0 || at.Position.Commit == 0 {
		return (to.Commit - from.Commit) / assumedSize
	}
	return uint64(float64(to.Commit-from.Commit) * float64(at.Events) / float64(at.Position.Commit))
}

// Find returns the record of an event that a group has not applied yet, for an
// operator who wants to park it. It looks at the records right after the
// checkpoint, as many as limit, and returns false when it is not among them.
func Find(ctx context.Context, db DB, log Log, g Group, id uuid.UUID, limit int) (events.Record, bool, error) {
	at, err := readCheckpoint(ctx, db, g.Name, g.Schema())
	if err != nil {
		return events.Record{}, false, err
	}
	ahead, err := log.ReadAll(ctx, at.Position, limit)
	if err != nil {
		return events.Record{}, false, err
	}
	for _, r := range ahead {
		if r.ID == id {
			return r, true, nil
		}
	}
	return events.Record{}, false, nil
}
