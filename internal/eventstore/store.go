package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where the event store is. Exactly one of URL and Socket is set.
type Config struct {
	// URL is a connection string: esdb://user:password@host:2113?tls=true.
	URL string
	// Socket is the path of the Unix socket of an embedded node.
	Socket string
	// Clients is how many connections appends and reads may share, 3 if zero.
	// Each carries ninety calls before the next is opened. Subscriptions add
	// their own.
	Clients int
	// Insecure permits tls=false in URL, without credentials. A socket needs no
	// permission: its file mode protects it.
	Insecure bool
	// Logger hears of lost and resumed subscriptions; nil discards.
	Logger *slog.Logger
	// Registerer receives the metrics; nil discards.
	Registerer prometheus.Registerer
}

// openTimeout bounds how long Open waits for a store that is away.
const openTimeout = 10 * time.Second

// Store is the event log. Its methods may be called at the same time.
type Store struct {
	pool    *pool
	log     *slog.Logger
	metrics *metrics
	// unwritable is nil until the store refused to write at all.
	unwritable atomic.Pointer[unwritable]
}

// Open connects to the store, waiting up to ten seconds or until ctx ends for
// it to come up. Its error names the host or the socket, never credentials.
func Open(ctx context.Context, c Config) (*Store, error) {
	t, err := newTarget(c)
	if err != nil {
		return nil, err
	}
	if c.Clients < 1 {
		c.Clients = 3
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("event store metrics: %w", err)
	}
	s := &Store{pool: newPool(t, c.Clients, m), log: c.Logger, metrics: m}
	if err := s.awaitConnection(ctx); err != nil {
		// An attempt under way ends by itself, in seconds.
		go s.pool.close()
		m.unregister(c.Registerer)
		return nil, err
	}
	return s, nil
}

func (s *Store) awaitConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var last error
	for wait := (backoff{}); ; {
		c, err := s.pool.acquire(ctx)
		if err == nil {
			c.leave()
			return nil
		}
		if errors.Is(err, ErrUnavailable) {
			last = err
		}
		if !wait.sleep(ctx) {
			if last == nil {
				last = fmt.Errorf("event store %s: %w", s.pool.target.name, err)
			}
			return unavailable(last)
		}
	}
}

// Close cuts short what still runs, subscriptions included, and closes every
// connection. It returns when nothing is left running, at the latest when a
// connection being made was given up. Closing twice is harmless.
func (s *Store) Close() error {
	s.pool.close()
	return nil
}

// backoff is the pause between attempts: 20 ms, doubled each time up to 500 ms,
// which leaves room for a connection or two within the five seconds in which
// everything is to work again.
type backoff struct{ next time.Duration }

// sleep pauses and reports whether ctx still lasts.
func (b *backoff) sleep(ctx context.Context) bool {
	b.next = min(max(2*b.next, 20*time.Millisecond), 500*time.Millisecond)
	t := time.NewTimer(b.next)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
