package eventstore

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the store counts. Without a registerer it counts unseen.
type metrics struct {
	appends    *prometheus.CounterVec // by outcome
	resends    prometheus.Counter
	appendTime prometheus.Histogram
	reads      *prometheus.CounterVec // by kind
	reconnects prometheus.Counter
	followers  *followers
}

// The outcomes of an append.
const (
	outcomeCommitted   = "committed"
	outcomeRejected    = "rejected"
	outcomeUnknown     = "unknown"
	outcomeUnavailable = "unavailable"
)

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "steward", Subsystem: "eventstore", Name: name, Help: help}
	}
	m := &metrics{
		followers:  newFollowers(),
		appends:    prometheus.NewCounterVec(opts("appends_total", "Appends by outcome."), []string{"outcome"}),
		resends:    prometheus.NewCounter(opts("append_resends_total", "Appends sent again to learn their outcome.")),
		reads:      prometheus.NewCounterVec(opts("reads_total", "Reads by kind."), []string{"kind"}),
		reconnects: prometheus.NewCounter(opts("reconnects_total", "Connections that replaced a failed one.")),
		appendTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "eventstore", Name: "append_seconds",
			Help:    "Time until the outcome of an append was known or given up.",
			Buckets: prometheus.ExponentialBuckets(0.000_25, 2, 16),
		}),
	}
	if r == nil {
		return m, nil
	}
	for i, c := range m.all() {
		if err := r.Register(c); err != nil {
			for _, done := range m.all()[:i] {
				r.Unregister(done)
			}
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all() {
		r.Unregister(c)
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.appends, m.resends, m.reads, m.reconnects, m.appendTime, m.followers}
}

// subscriberKey is the key of the name in a context.
type subscriberKey struct{}

// WithSubscriber names whoever subscribes with the returned context, in the
// metrics. Names are labels: a program has a handful of them.
func WithSubscriber(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, subscriberKey{}, name)
}

func subscriberOf(ctx context.Context) string {
	if name, ok := ctx.Value(subscriberKey{}).(string); ok {
		return name
	}
	return "other"
}

// followers are the subscriptions that run, by the name of their subscriber.
type followers struct {
	count, behind, position *prometheus.Desc

	mu    sync.Mutex
	feeds map[*feed]string
}

func newFollowers() *followers {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("steward_eventstore_"+name, help, []string{"subscriber"}, nil)
	}
	return &followers{
		feeds: map[*feed]string{},
		count: desc("subscriptions", "Subscriptions that run, connected or not."),
		behind: desc("subscription_lag_seconds",
			"For how long the slowest of the subscriber's subscriptions has not had all there is in the log; 0 when it has."),
		position: desc("subscription_position", "Commit position up to which the slowest of them has received the log."),
	}
}

// add counts a subscription until the returned function is called.
func (f *followers) add(name string, feed *feed) (remove func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.feeds[feed] = name
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.feeds, feed)
	}
}

// Describe implements [prometheus.Collector].
func (f *followers) Describe(to chan<- *prometheus.Desc) {
	to <- f.count
	to <- f.behind
	to <- f.position
}

// Collect implements [prometheus.Collector].
func (f *followers) Collect(to chan<- prometheus.Metric) {
	type state struct {
		count    int
		seconds  float64
		position uint64
	}
	states := map[string]state{}
	f.mu.Lock()
	for feed, name := range f.feeds {
		_, last, _ := feed.progress()
		s, more := states[name]
		s.count++
		s.seconds = max(s.seconds, feed.behind().Seconds())
		if !more || last.Commit < s.position {
			s.position = last.Commit
		}
		states[name] = s
	}
	f.mu.Unlock()
	for name, s := range states {
		to <- prometheus.MustNewConstMetric(f.count, prometheus.GaugeValue, float64(s.count), name)
		to <- prometheus.MustNewConstMetric(f.behind, prometheus.GaugeValue, s.seconds, name)
		to <- prometheus.MustNewConstMetric(f.position, prometheus.GaugeValue, float64(s.position), name)
	}
}
