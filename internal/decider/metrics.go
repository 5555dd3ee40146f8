package decider

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the states count. Without a registerer they count unseen.
type metrics struct {
	hits, misses, restarts prometheus.Counter
	states, bytes          prometheus.Gauge
	group                  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "steward", Subsystem: "states", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts(opts(name, help)))
	}
	m := &metrics{
		hits:     counter("hits_total", "Loads of a stream that found it folded."),
		misses:   counter("misses_total", "Loads of a stream that had to fold events first."),
		restarts: counter("restarts_total", "Times that all states were forgotten because the log was too far ahead of them."),
		states:   gauge("count", "Streams kept folded."),
		bytes:    gauge("bytes", "Estimated memory of the streams kept folded."),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "states", Name: "barrier_requests",
			Help:    "How many requests shared one read of the log.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.hits, m.misses, m.restarts, m.states, m.bytes, m.group} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the states: %w", err)
		}
	}
	return m, nil
}
