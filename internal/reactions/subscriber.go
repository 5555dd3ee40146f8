package reactions

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Follower is what a subscriber needs of the event log; [eventstore.Store] is
// one.
type Follower interface {
	Subscribe(ctx context.Context, after events.Position, h eventstore.Handler) error
}

// SubscriberConfig says what a subscriber brings, and from where.
type SubscriberConfig struct {
	Log Follower
	// Checkpoint returns the memory of a topic, asked for at every Subscribe.
	// Nil begins every subscription at the start of the log.
	Checkpoint func(topic string) Checkpoint
	// Wants says whether a topic gets a record. Records of the event store
	// itself are never asked about. Nil wants all.
	Wants func(topic string, r events.Record) bool
	// Backoff is the pause after so many failures in a row, from 1. Nil is
	// 100 ms, doubled each time up to 30 s.
	Backoff func(failures int) time.Duration
	// Metadata makes the metadata of a message. Nil gives it the keys of this
	// package.
	Metadata func(events.Record) message.Metadata
	// Logger hears of failures; nil discards.
	Logger *slog.Logger

	health *health
}

// Subscriber follows the log for any number of topics, each in its order and
// with one message at a time. It implements [message.Subscriber].
type Subscriber struct {
	config  SubscriberConfig
	closing context.Context
	close   context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// ErrClosed says that the subscriber was closed.
var ErrClosed = errors.New("subscriber is closed")

const (
	// Unwanted events move the checkpoint only this often.
	saveEvery  = time.Second
	saveEvents = 1000
)

// NewSubscriber makes a subscriber.
func NewSubscriber(c SubscriberConfig) *Subscriber {
	if c.Wants == nil {
		c.Wants = func(string, events.Record) bool { return true }
	}
	if c.Checkpoint == nil {
		c.Checkpoint = func(string) Checkpoint { return &memory{} }
	}
	if c.Backoff == nil {
		c.Backoff = backoff
	}
	if c.Metadata == nil {
		c.Metadata = metadataOf
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.health == nil {
		c.health = newHealth(nil)
	}
	s := &Subscriber{config: c}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

func backoff(failures int) time.Duration {
	const first, last = 100 * time.Millisecond, 30 * time.Second
	return min(first<<min(failures-1, 10), last)
}

// Subscribe follows the log for topic, after its checkpoint. Whatever fails is
// tried again: the channel closes only when ctx ends or the subscriber is
// closed. It fails with [ErrClosed].
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer close(out)
		defer cancel()
		defer stop()
		s.run(ctx, topic, out)
	})
	return out, nil
}

// Close ends every subscription and returns when all of them have ended.
// Closing twice is harmless.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.close()
	s.running.Wait()
	return nil
}

func (s *Subscriber) run(ctx context.Context, topic string, out chan<- *message.Message) {
	checkpoint := s.config.Checkpoint(topic)
	for failures := 0; ; {
		f := &follow{SubscriberConfig: s.config, topic: topic, checkpoint: checkpoint, out: out}
		err := f.run(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrCheckpointReset):
			s.config.Logger.InfoContext(ctx, "reaction goes on from another position", "topic", topic)
			failures = 0
			continue
		case f.progress:
			failures = 0
		}
		failures++
		s.config.health.failed(topic, err)
		s.config.Logger.WarnContext(ctx, "subscription failed", "topic", topic, "failures", failures, "err", err)
		sleep(ctx, s.config.Backoff(failures))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// memory is a checkpoint that lasts as long as its subscription.
type memory struct{ at events.Position }

func (m *memory) Load(context.Context) (events.Position, error) { return m.at, nil }

func (m *memory) Save(_ context.Context, done events.Position) error {
	m.at = done
	return nil
}
