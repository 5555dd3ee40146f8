package passwords

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what a Hasher counts. Without a registerer it counts unseen.
type metrics struct {
	waiting, running prometheus.Gauge
	refused          prometheus.Counter
	seconds          *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "steward", Subsystem: "passwords", Name: name, Help: help})
	}
	m := &metrics{
		waiting: gauge("waiting", "Calls that wait to hash a password."),
		running: gauge("running", "Passwords being hashed."),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "steward", Subsystem: "passwords", Name: "refused_total",
			Help: "Calls that were refused because too many passwords were being hashed.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "passwords", Name: "seconds",
			Help:    "Time to hash one password, by the scheme of the hash.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 10),
		}, []string{"scheme"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.waiting, m.running, m.refused, m.seconds} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of passwords: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) observe(scheme Scheme, started time.Time) {
	m.seconds.WithLabelValues(string(scheme)).Observe(time.Since(started).Seconds())
}
