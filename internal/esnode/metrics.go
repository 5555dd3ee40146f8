package esnode

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the node does. The counters run whether or not anybody collects them.
type metrics struct {
	appends       prometheus.Counter
	events        prometheus.Counter
	bytes         prometheus.Counter
	sync          prometheus.Histogram
	group         prometheus.Histogram
	subscriptions subscriptions
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "steward", Subsystem: "esnode", Name: name, Help: help})
	}
	return &metrics{
		appends: counter("appends_total", "Writes that changed a stream."),
		events:  counter("events_total", "Events written."),
		bytes:   counter("event_bytes_total", "Size of the records of the events written."),
		sync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "esnode", Name: "fsync_wait_seconds",
			Help:    "How long a write waited for the fsync that put it on disk, which it shares with its group.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
		}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "esnode", Name: "group_commits",
			Help:    "How many writes became durable together.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		subscriptions: newSubscriptions(),
	}
}

func (n *Node) collectors() []prometheus.Collector {
	m := n.metrics
	lag := func(name, help string, k kind, of func(*progress) uint64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "steward", Subsystem: "esnode", Name: name, Help: help},
			func() float64 { return m.subscriptions.most(k, of) })
	}
	position := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "steward", Subsystem: "esnode", Name: "durable_position",
		Help: "Position of the newest event known to be on disk.",
	}, func() float64 { return float64(n.horizon.position()) })
	return append(n.healthCollectors(), []prometheus.Collector{
		m.appends, m.events, m.bytes, m.sync, m.group, m.subscriptions.count, position,
		lag("all_subscription_lag_bytes", "Bytes of events on disk that the slowest subscription to the log has not been sent.",
			ofAll, func(p *progress) uint64 { return behind(n.horizon.position(), p.at.Load()) }),
		lag("stream_subscription_lag_events", "Events that the slowest subscription to a stream knows of and has not been sent.",
			ofStream, func(p *progress) uint64 { return p.left.Load() }),
	}...)
}

// kind is what a subscription is to. Streams have no labels of their own: there are too many of them.
type kind string

const (
	ofAll    kind = "all"
	ofStream kind = "stream"
)

// subscriptions are those that are being served.
type subscriptions struct {
	count *prometheus.GaugeVec

	mu   *sync.Mutex
	open map[*progress]kind
}

// progress is how far a subscription has come: at is the position that one to the log has reached, left is how
// many events one to a stream has still to send.
type progress struct{ at, left atomic.Uint64 }

func newSubscriptions() subscriptions {
	s := subscriptions{mu: new(sync.Mutex), open: make(map[*progress]kind), count: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "steward", Subsystem: "esnode", Name: "subscriptions", Help: "Subscriptions being served.",
	}, []string{"to"})}
	for _, k := range []kind{ofAll, ofStream} {
		s.count.WithLabelValues(string(k)) // none is a number too
	}
	return s
}

// begin counts a subscription until end is called.
func (s subscriptions) begin(k kind) (p *progress, end func()) {
	p = new(progress)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[p] = k
	s.count.WithLabelValues(string(k)).Inc()
	return p, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, p)
		s.count.WithLabelValues(string(k)).Dec()
	}
}

// most is the largest value that a subscription of a kind has.
func (s subscriptions) most(k kind, of func(*progress) uint64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most uint64
	for p, is := range s.open {
		if is == k {
			most = max(most, of(p))
		}
	}
	return float64(most)
}

// behind is how far a position is from the end. A subscription may begin beyond it.
func behind(end, at uint64) uint64 { return max(end, at) - at }

// register makes the metrics visible and returns how to take them back, which lets the next node of the
// same process register its own.
func (n *Node) register(registerer prometheus.Registerer) (unregister func(), err error) {
	var done []prometheus.Collector
	unregister = func() {
		for _, c := range done {
			registerer.Unregister(c)
		}
	}
	for _, c := range n.collectors() {
		if failed := registerer.Register(c); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		done = append(done, c)
	}
	if err != nil {
		unregister()
		return nil, fmt.Errorf("register the metrics of the event store: %w", err)
	}
	return unregister, nil
}
