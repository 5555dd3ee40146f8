package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Log is the event log, as an [eventstore.Store] has it.
type Log interface {
	ReadAll(ctx context.Context, after events.Position, limit int) ([]events.Record, error)
	ReadStream(ctx context.Context, stream string, from uint64) ([]events.Record, error)
	Head(ctx context.Context) (events.Position, error)
	SubscribeBatches(ctx context.Context, after events.Position, limit int, fn eventstore.BatchFunc) error
}

// Config is what a projector works with.
type Config struct {
	Group Group
	Pool  *pgxpool.Pool
	Log   Log
	// Logger hears of what stops and resumes; nil discards.
	Logger *slog.Logger
	// Registerer receives the metrics; nil discards.
	Registerer prometheus.Registerer
}

// maxBatch is how many events are applied at once, at most.
const maxBatch = 1000

// Projector keeps the read models of one group current. Its methods may be
// called at the same time; Run once.
type Projector struct {
	group     Group
	pool      *pgxpool.Pool
	log       Log
	logger    *slog.Logger
	metrics   *metrics
	condition condition
	progress  progress
	rate      rate
	parked    parked
	gen       uuid.UUID
}

// New makes a projector. It fails when the group is not defined properly or its
// metrics are registered already.
func New(c Config) (*Projector, error) {
	if err := c.Group.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Projector{group: c.Group, pool: c.Pool, log: c.Log, logger: c.Logger.With("group", c.Group.Name)}
	p.condition.health = Health{Group: c.Group.Name, Condition: Starting, Since: time.Now()}
	p.condition.changed = make(chan struct{})
	p.progress.changed = make(chan struct{})
	p.parked.group = c.Group.Name
	m, err := newMetrics(c.Registerer, p)
	if err != nil {
		return nil, fmt.Errorf("projector metrics: %w", err)
	}
	p.metrics = m
	return p, nil
}

// Health returns how the projector is.
func (p *Projector) Health() Health {
	health, _ := p.condition.get()
	return health
}

// AwaitHealth waits until the health satisfies ok and returns it. It fails when
// ctx ends first.
func (p *Projector) AwaitHealth(ctx context.Context, ok func(Health) bool) (Health, error) {
	for {
		health, changed := p.condition.get()
		if ok(health) {
			return health, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return health, ctx.Err()
		}
	}
}

// Run keeps the read models current until ctx ends, whatever happens meanwhile,
// and then returns nil. Nothing that it started is left running.
func (p *Projector) Run(ctx context.Context) error {
	defer p.metrics.unregister()
	pause := backoff{}
	for {
		before, _ := p.progress.get()
		err := p.follow(ctx)
		if ctx.Err() != nil {
			p.condition.set(Stopped, "it was told to stop", nil)
			return nil
		}
		if after, _ := p.progress.get(); before != after {
			pause = backoff{}
		}
		p.report(ctx, err)
		pause.sleep(ctx)
	}
}

// report sets the health to why following the log ended.
func (p *Projector) report(ctx context.Context, err error) {
	var refusal *refusal
	switch {
	case errors.As(err, &refusal):
		if p.condition.set(Refused, refusal.text, nil) {
			p.logger.ErrorContext(ctx, "projection refused", "reason", refusal.text)
		}
	case errors.Is(err, eventstore.ErrAhead):
		p.report(ctx, errUnanchored)
	case errors.Is(err, errMoved), gone(err):
		p.condition.set(Starting, "the read models were replaced; it begins anew", nil)
	default:
		if p.condition.set(Waiting, waitingReason(err), nil) {
			p.logger.WarnContext(ctx, "projection interrupted", "reason", harmless(err))
		}
	}
}

// follow takes up the log after the checkpoint and applies it until something
// fails.
func (p *Projector) follow(ctx context.Context) error {
	at, err := p.start(ctx)
	if err != nil {
		return err
	}
	p.gen = at.Gen
	p.progress.set(at.Position)
	ctx, cancel := context.WithCancel(ctx)
	feed := read(ctx, p.group, p.log, at.Position, maxBatch)
	defer feed.wait()
	defer cancel()
	p.condition.set(Running, "", nil)
	for b := range feed.batches {
		if err := p.advance(ctx, b.batch); err != nil {
			return err
		}
		p.metrics.caughtUp(b.caughtUp)
	}
	return feed.err()
}

// start makes the tables if there are none and checks that they fit the code and
// the log.
func (p *Projector) start(ctx context.Context) (checkpoint, error) {
	if err := ensure(ctx, p.pool, p.group); err != nil {
		return checkpoint{}, err
	}
	at, err := readCheckpoint(ctx, p.pool, p.group.Name, p.group.Schema())
	switch {
	case err != nil:
		return checkpoint{}, err
	case at.retired():
		return checkpoint{}, errMoved
	}
	if err := p.group.fits(at); err != nil {
		return checkpoint{}, err
	}
	if err := anchored(ctx, p.log, at); err != nil {
		return checkpoint{}, err
	}
	if err := p.parked.read(ctx, p.log); err != nil {
		return checkpoint{}, err
	}
	return at, p.loadAlarms(ctx)
}

// advance applies a batch. What cannot be applied at once is halved until the
// event at fault stands alone.
func (p *Projector) advance(ctx context.Context, b batch) error {
	if len(b.items) == 0 {
		return nil
	}
	switch clean := len(b.clean().items); clean {
	case len(b.items):
	case 0:
		first, rest := b.split(1)
		if err := p.struggle(ctx, first, first.items[0].err); err != nil {
			return err
		}
		return p.advance(ctx, rest)
	default:
		good, rest := b.split(clean)
		if err := p.advance(ctx, good); err != nil {
			return err
		}
		return p.advance(ctx, rest)
	}
	err := p.commit(ctx, b)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, errors.Is(err, errMoved), gone(err), transient(err):
		return err
	case errors.Is(err, errVersion):
		return p.group.misfit()
	case len(b.items) == 1:
		return p.struggle(ctx, b, err)
	}
	half, rest := b.split(len(b.items) / 2)
	if err := p.advance(ctx, half); err != nil {
		return err
	}
	return p.advance(ctx, rest)
}

// commit applies a batch in one transaction.
func (p *Projector) commit(ctx context.Context, b batch) error {
	begun := time.Now()
	var to checkpoint
	err := pgx.BeginTxFunc(ctx, p.pool, in(p.group.Schema()), func(tx pgx.Tx) (err error) {
		to, err = p.group.apply(ctx, tx, p.gen, b, &p.parked)
		return err
	})
	if err != nil {
		return err
	}
	p.progress.set(to.Position)
	p.metrics.applied(b, time.Since(begun))
	p.rate.add(len(b.items))
	if b.touchesTrimming() {
		return p.loadAlarms(ctx)
	}
	return nil
}

// backoff is the pause between attempts: 50 ms, doubled each time up to 2 s.
type backoff struct{ next time.Duration }

// sleep pauses and reports whether ctx still lasts.
func (b *backoff) sleep(ctx context.Context) bool {
	b.next = min(max(2*b.next, 50*time.Millisecond), 2*time.Second)
	return sleep(ctx, b.next)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
