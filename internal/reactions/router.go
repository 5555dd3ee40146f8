package reactions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// Log is what a router needs of the event log; [eventstore.Store] is one.
type Log interface {
	Follower
	Head(ctx context.Context) (events.Position, error)
}

// Config says what a router runs on.
type Config struct {
	Log         Log
	Checkpoints *Checkpoints
	Reactions   []Reaction
	// Backoff is the pause after so many failures in a row; see
	// [SubscriberConfig].
	Backoff func(failures int) time.Duration
	// Logger hears of failures; nil discards.
	Logger *slog.Logger
	// Now is the clock of [Status], [time.Now] if nil.
	Now func() time.Time
}

// Router runs reactions.
type Router struct {
	config Config
	wanted map[string]map[string]bool // stored names by reaction
	rows   map[string]*row
	health *health
}

// NewRouter makes a router. It fails if two reactions have one name.
func NewRouter(c Config) (*Router, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	types, err := events.Types()
	if err != nil {
		return nil, err
	}
	r := &Router{
		config: c, health: newHealth(c.Now),
		wanted: make(map[string]map[string]bool), rows: make(map[string]*row),
	}
	for _, reaction := range c.Reactions {
		if r.rows[reaction.Name] != nil {
			return nil, fmt.Errorf("there are two reactions %q", reaction.Name)
		}
		r.rows[reaction.Name] = c.Checkpoints.row(reaction.Name)
		wanted := make(map[string]bool)
		for name, e := range types {
			wanted[name] = reaction.Wants(e)
		}
		r.wanted[reaction.Name] = wanted
	}
	return r, nil
}

// closeTimeout bounds how long Run waits for handlers when ctx has ended. They
// see that end too.
const closeTimeout = 10 * time.Second

// Run runs the reactions until ctx ends; then it returns nil. It fails at once
// with [ErrNoCheckpoint] if the log has events and no reaction has a checkpoint, but for
// those that may begin at the start, and with the errors of the log and of Postgres. A Router runs once.
func (r *Router) Run(ctx context.Context) error {
	for _, reaction := range r.config.Reactions {
		if err := r.ready(ctx, reaction.Name, reaction.FromStart); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	if len(r.config.Reactions) == 0 {
		<-ctx.Done()
		return nil
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, logger(r.config.Logger))
	if err != nil {
		return fmt.Errorf("make router: %w", err)
	}
	subscriber := NewSubscriber(SubscriberConfig{
		Log:        r.config.Log,
		Checkpoint: func(topic string) Checkpoint { return r.rows[topic] },
		Wants:      func(topic string, record events.Record) bool { return r.wants(topic, record.Type) },
		Backoff:    r.config.Backoff,
		Logger:     r.config.Logger,
		health:     r.health,
	})
	defer func() { _ = subscriber.Close() }() // always nil
	for _, reaction := range r.config.Reactions {
		router.AddConsumerHandler(reaction.Name, reaction.Name, subscriber, r.handler(reaction))
	}
	switch err := router.Run(ctx); {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("run reactions: %w", err)
	default:
		return errors.New("reactions stopped by themselves")
	}
}

// wants reports whether a reaction handles records of a type. A type that this
// version does not know is wanted by all: it stops them until a newer version
// runs, since nobody here can say whom it concerns.
func (r *Router) wants(reaction, eventType string) bool {
	wanted, known := r.wanted[reaction][eventType]
	return wanted || !known
}

// ready makes sure that a reaction knows where to begin. One that is new, beside
// others that have a checkpoint, begins with what happens from now on.
func (r *Router) ready(ctx context.Context, reaction string, fromStart bool) error {
	_, err := r.rows[reaction].Load(ctx)
	if !errors.Is(err, ErrNoCheckpoint) {
		return err
	}
	if fromStart {
		return r.config.Checkpoints.Begin(ctx, reaction)
	}
	head, headErr := r.config.Log.Head(ctx)
	if headErr != nil {
		return headErr
	}
	if head == (events.Position{}) {
		return r.config.Checkpoints.Begin(ctx, reaction)
	}
	others, headErr := r.config.Checkpoints.any(ctx)
	switch {
	case headErr != nil:
		return headErr
	case !others:
		return fmt.Errorf("%w and the log has events: say where it begins with steward reactions reset %s --to now|POSITION --reason TEXT", err, reaction)
	}
	r.config.Logger.Info("a reaction is new and begins now", "reaction", reaction, "position", head.Commit)
	return r.config.Checkpoints.beginAt(ctx, reaction, head)
}

// handler makes Watermill's handler of a reaction.
func (r *Router) handler(reaction Reaction) message.NoPublishHandlerFunc {
	row := r.rows[reaction.Name]
	return func(msg *message.Message) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic of type %T\n%s", p, debug.Stack()) // its value may be personal
			}
			if err == nil {
				r.health.handled(reaction.Name)
			} else if msg.Context().Err() == nil {
				r.health.failed(reaction.Name, err)
			}
		}()
		record, err := RecordOf(msg)
		if err != nil {
			return err
		}
		env, err := events.Decode(record)
		if err != nil {
			return err
		}
		err = row.Within(msg.Context(), env.Position, func(tx pgx.Tx) error { return reaction.Handle(msg.Context(), tx, env) })
		if errors.Is(err, ErrCheckpointReset) {
			return nil // the subscriber finds out in the same way, and begins anew
		}
		if err != nil {
			return fmt.Errorf("%s %s@%d: %w", record.Type, record.Stream, record.Revision, err)
		}
		return nil
	}
}

// Statuses says how every reaction is doing, by name.
func (r *Router) Statuses() []Status { return r.health.statuses() }

// logger brings Watermill's messages into Steward's log, its chatter below what
// is usually shown.
func logger(l *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(l, map[slog.Level]slog.Level{
		slog.LevelInfo: slog.LevelDebug,
	})
}
