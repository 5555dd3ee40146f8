package esnode

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the node does. The counters run whether or not anybody collects them.
type metrics struct {
	appends       prometheus.Counter
	events        prometheus.Counter
	bytes         prometheus.Counter
	sync          prometheus.Histogram
	group         prometheus.Histogram
	subscriptions prometheus.Gauge
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
			Namespace: "steward", Subsystem: "esnode", Name: "sync_wait_seconds",
			Help:    "How long a write waited until it was on disk.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
		}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "steward", Subsystem: "esnode", Name: "group_commits",
			Help:    "How many writes became durable together.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "steward", Subsystem: "esnode", Name: "subscriptions",
			Help: "Subscriptions being served.",
		}),
	}
}

func (n *Node) collectors() []prometheus.Collector {
	m := n.metrics
	position := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "steward", Subsystem: "esnode", Name: "durable_position",
		Help: "Position of the newest event known to be on disk.",
	}, func() float64 { return float64(n.horizon.position()) })
	return []prometheus.Collector{m.appends, m.events, m.bytes, m.sync, m.group, m.subscriptions, position}
}

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
