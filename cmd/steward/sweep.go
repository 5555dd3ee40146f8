package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/throttle"
)

// sweepEvery is how often what is over is removed. It only saves room: what is over
// counts for nothing while it is still there.
const sweepEvery = time.Hour

// sweep removes what is over of one kind and returns how much it was.
type sweep struct {
	of  string
	run func(ctx context.Context, now time.Time) (int64, error)
}

// sweeps are those of an installation, in the role of jobs. That other instances
// sweep too does no harm.
func sweeps(pool *pgxpool.Pool) []sweep {
	return []sweep{
		{"sessions", sessions.New(pool).Sweep},
		{"throttles", throttle.New(pool, nil).Sweep}, // goes by times, so it needs no key
	}
}

// runSweeps sweeps at once and every hour until ctx ends. What fails is tried again
// in an hour.
func runSweeps(ctx context.Context, all []sweep, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, s := range all {
			removed, err := s.run(ctx, time.Now())
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				log.WarnContext(ctx, "sweep failed", "of", s.of, "error", err)
			case removed > 0:
				log.InfoContext(ctx, "swept", "of", s.of, "removed", removed)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
