package eventstore

import "github.com/prometheus/client_golang/prometheus"

// metrics is what the store counts. Without a registerer it counts unseen.
type metrics struct {
	appends    *prometheus.CounterVec // by outcome
	resends    prometheus.Counter
	appendTime prometheus.Histogram
	reads      *prometheus.CounterVec // by kind
	reconnects prometheus.Counter
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
	return []prometheus.Collector{m.appends, m.resends, m.reads, m.reconnects, m.appendTime}
}
