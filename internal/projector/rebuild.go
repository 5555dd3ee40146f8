package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// RebuildOptions tune a rebuild.
type RebuildOptions struct {
	// Force replaces the tables in spite of differences.
	Force bool
	// Progress is told, now and then, how many records of the log are done and how
	// many there are, estimated until the end. It may be nil.
	Progress func(done, total uint64)
}

// Rebuilt is what a rebuild did.
type Rebuilt struct {
	Events   uint64 // records of the log, those of the event store included
	Position events.Position
	Took     time.Duration
	Report   Report
	Swapped  bool
}

// What a rebuild fails with, besides the faults of the stores.
var (
	// ErrRebuildRunning says that another process is rebuilding the group.
	ErrRebuildRunning = fault.New(fault.Conflict, "rebuild_running", "The read models are being rebuilt already.")
	// ErrDifferent says that the rebuilt tables differ from the live ones, which
	// stay. The report says where.
	ErrDifferent = fault.New(fault.Conflict, "read_models_differ",
		"The rebuilt read models differ from the live ones, which were kept; look at the report, then rebuild with --force.")
	// ErrEventNotApplicable says that an event cannot be applied and is not parked.
	ErrEventNotApplicable = fault.New(fault.Conflict, "event_not_applicable",
		"An event cannot be applied. Fix what it says, or park the event; the live read models were kept.")
)

// rebuildBatch is how many events a rebuild applies at once. Nobody waits for the
// rows, so it may be more than live.
const rebuildBatch = 2000

// rebuild is one rebuild under way.
type rebuild struct {
	group   Group
	pool    *pgxpool.Pool
	log     Log
	options RebuildOptions
	parked  parked
	gen     uuid.UUID
	at      checkpoint // of the new tables
	none    string     // why there is nothing to compare with
	total   uint64
	told    time.Time
}

// Rebuild makes the tables of a group anew from the first event, compares them
// with the live ones and puts them in their place. Readers never fail meanwhile
// and see the new tables from one query to the next; projectors go on by
// themselves. What an earlier, interrupted rebuild left is dropped.
//
// It fails with [ErrDifferent] and the report, with [ErrRebuildRunning], with
// [ErrEventNotApplicable], or with what one of the stores failed with; in all
// cases the live tables stay.
func Rebuild(ctx context.Context, pool *pgxpool.Pool, log Log, g Group, options RebuildOptions) (Rebuilt, error) {
	begun := time.Now()
	if err := g.check(); err != nil {
		return Rebuilt{}, err
	}
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return Rebuilt{}, fmt.Errorf("rebuild: %w", err)
	}
	defer lock.Release()
	release, err := lockRebuild(ctx, lock, g)
	if err != nil {
		return Rebuilt{}, err
	}
	defer release()

	r := &rebuild{group: g, pool: pool, log: log, options: options, parked: parked{group: g.Name}}
	report, swapped, err := r.run(ctx)
	done := Rebuilt{Events: r.at.Events, Position: r.at.Position, Took: time.Since(begun), Report: report, Swapped: swapped}
	if err != nil {
		return done, fmt.Errorf("rebuild %s: %w", g.Name, err)
	}
	return done, nil
}

// lockRebuild keeps a second rebuild away. The lock is the session's, so it also
// ends when the process does.
func lockRebuild(ctx context.Context, conn *pgxpool.Conn, g Group) (release func(), err error) {
	key := lockKey(g.Name, "rebuild")
	var alone bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&alone); err != nil {
		return nil, fmt.Errorf("rebuild: %w", err)
	}
	if !alone {
		return nil, ErrRebuildRunning
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, key) // goes with the session otherwise
	}, nil
}

func (r *rebuild) run(ctx context.Context) (Report, bool, error) {
	if err := r.begin(ctx); err != nil {
		return Report{}, false, err
	}
	if err := r.catchUp(ctx); err != nil {
		return Report{}, false, err
	}
	if err := r.finish(ctx); err != nil {
		return Report{}, false, err
	}
	// What came while the indexes were made.
	if err := r.catchUp(ctx); err != nil {
		return Report{}, false, err
	}
	report, err := r.compare(ctx)
	if err != nil {
		return report, false, err
	}
	if !report.Same() && !r.options.Force {
		return report, false, ErrDifferent
	}
	// What came while they were compared.
	if err := r.catchUp(ctx); err != nil {
		return report, false, err
	}
	if err := r.swap(ctx, &report); err != nil {
		return report, false, err
	}
	r.tell(true)
	r.dropOld(ctx)
	return report, true, nil
}

// begin makes the new tables, without secondary indexes, and finds out how much
// there is to do.
func (r *rebuild) begin(ctx context.Context) error {
	if err := r.parked.read(ctx, r.log); err != nil {
		return err
	}
	for _, leftover := range []string{r.group.next(), r.group.old()} {
		if err := retry(ctx, func() error { return dropSchema(ctx, r.pool, leftover) }); err != nil {
			return err
		}
	}
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey("", "schema")); err != nil {
			return err
		}
		if err := createExtensions(ctx, tx, r.group); err != nil {
			return err
		}
		return createSchema(ctx, tx, r.group, r.group.next(), false)
	})
	if err != nil {
		return err
	}
	if r.at, err = readCheckpoint(ctx, r.pool, r.group.Name, r.group.next()); err != nil {
		return err
	}
	r.gen = r.at.Gen
	if r.none, err = r.incomparable(ctx); err != nil || r.none != "" {
		return err
	}
	live, err := readCheckpoint(ctx, r.pool, r.group.Name, r.group.Schema())
	r.total = live.Events
	return err
}

// incomparable says why there are no live tables to compare with, or "".
func (r *rebuild) incomparable(ctx context.Context) (string, error) {
	exists, err := schemaExists(ctx, r.pool, r.group.Schema())
	if err != nil {
		return "", err
	}
	if !exists {
		return "there are no live tables", nil
	}
	live, err := readCheckpoint(ctx, r.pool, r.group.Name, r.group.Schema())
	if err != nil {
		return "", err
	}
	err = anchored(ctx, r.log, live)
	if errors.Is(err, errUnanchored) {
		return "the live tables stand at an event that the log does not hold", nil
	}
	return "", err
}

// target is how far to go: as far as the live tables are, since those cannot be
// compared at an earlier position, or to the end of the log.
func (r *rebuild) target(ctx context.Context) (events.Position, error) {
	if r.none != "" {
		return r.log.Head(ctx)
	}
	live, err := readCheckpoint(ctx, r.pool, r.group.Name, r.group.Schema())
	return live.Position, err
}

// catchUp applies the log as far as the live tables are.
func (r *rebuild) catchUp(ctx context.Context) error {
	target, err := r.target(ctx)
	if err != nil || !r.at.Position.Before(target) {
		return err
	}
	return r.applyUpTo(ctx, target)
}

// applyUpTo applies the log up to exactly a position.
func (r *rebuild) applyUpTo(ctx context.Context, target events.Position) error {
	if !r.at.Position.Before(target) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	feed := read(ctx, r.group, r.log, r.at.Position, rebuildBatch)
	defer feed.wait()
	defer cancel()
	for b := range feed.batches {
		due := b.upTo(target)
		err := pgx.BeginTxFunc(ctx, r.pool, r.inNext(), func(tx pgx.Tx) error { return r.apply(ctx, tx, due) })
		if err != nil {
			return err
		}
		r.tell(false)
		if len(due.items) < len(b.items) || !r.at.Position.Before(target) {
			return nil
		}
	}
	return feed.err()
}

// finish makes the secondary indexes, all at once over loaded tables, and gathers
// statistics, so that the first reader gets good plans.
func (r *rebuild) finish(ctx context.Context) error {
	options := in(r.group.next())
	options.BeginQuery += "; SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL statement_timeout = 0"
	err := pgx.BeginTxFunc(ctx, r.pool, options, func(tx pgx.Tx) error { return createIndexes(ctx, tx, r.group) })
	if err != nil {
		return err
	}
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return err
	}
	for _, m := range r.group.Models {
		// It also marks pages as visible to all, which lets indexes answer alone.
		if _, err := conn.Exec(ctx, `VACUUM (ANALYZE) `+pgx.Identifier{r.group.next(), m.Table()}.Sanitize()); err != nil {
			return fmt.Errorf("analyze %s: %w", m.Table(), err)
		}
	}
	_, err = conn.Exec(ctx, `RESET statement_timeout`)
	return err
}

// tell reports progress, five times a second at most.
func (r *rebuild) tell(last bool) {
	if r.options.Progress == nil || !last && time.Since(r.told) < 200*time.Millisecond {
		return
	}
	r.told = time.Now()
	if last {
		r.total = r.at.Events
	}
	r.options.Progress(r.at.Events, max(r.total, r.at.Events))
}

// retry repeats what failed because somebody else held a lock.
func retry(ctx context.Context, fn func() error) error {
	pause := backoff{}
	for {
		err := fn()
		if sqlState(err) != "55P03" || !pause.sleep(ctx) {
			return err
		}
	}
}
