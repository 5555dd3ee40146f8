package projector

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what a projector tells Prometheus.
type metrics struct {
	registerer prometheus.Registerer
	collectors []prometheus.Collector

	events  prometheus.Counter
	batches prometheus.Counter
	seconds prometheus.Histogram

	mu     sync.Mutex
	behind time.Time // when the newest applied event was recorded; zero when caught up
}

func newMetrics(r prometheus.Registerer, p *Projector) (*metrics, error) {
	labels := prometheus.Labels{"group": p.group.Name}
	m := &metrics{
		registerer: r,
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "steward_projector_events_total", Help: "Events of the log that were applied.", ConstLabels: labels,
		}),
		batches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "steward_projector_batches_total", Help: "Transactions that applied them.", ConstLabels: labels,
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "steward_projector_batch_seconds", Help: "Time of a transaction.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 13),
		}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value)
	}
	m.collectors = []prometheus.Collector{
		m.events, m.batches, m.seconds,
		gauge("steward_projector_commit_position", "Commit position of the checkpoint.", func() float64 {
			position, _ := p.progress.get()
			return float64(position.Commit)
		}),
		gauge("steward_projector_lag_seconds", "Age of the newest applied event while there are newer ones.", m.lag),
		gauge("steward_projector_running", "Whether the projector runs: 0 when it waits, stalls or refuses.", func() float64 {
			return truth(p.Health().Condition == Running)
		}),
		gauge("steward_projector_stalled", "Whether an event cannot be applied.", func() float64 {
			return truth(p.Health().Condition == Stalled)
		}),
		gauge("steward_projector_trimmed_streams", "Streams whose events are being removed; must be 0.", func() float64 {
			return float64(len(p.Health().Trimmed))
		}),
	}
	if r == nil {
		return m, nil
	}
	for i, c := range m.collectors {
		if err := r.Register(c); err != nil {
			m.collectors = m.collectors[:i]
			m.unregister()
			return nil, errors.Join(err)
		}
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) applied(b batch, took time.Duration) {
	m.events.Add(float64(len(b.items)))
	m.batches.Inc()
	m.seconds.Observe(took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.behind = b.items[len(b.items)-1].record.RecordedAt
}

func (m *metrics) caughtUp(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if is {
		m.behind = time.Time{}
	}
}

func (m *metrics) lag() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.behind.IsZero() {
		return 0
	}
	return max(0, time.Since(m.behind).Seconds())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// rate counts what was applied in the current and the last ten seconds.
type rate struct {
	mu      sync.Mutex
	begun   time.Time
	count   int
	settled float64
}

const ratePeriod = 10 * time.Second

func (r *rate) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roll(time.Now())
	r.count += n
}

// perSecond is the rate of the last full period, or of the current one in the
// first.
func (r *rate) perSecond() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	first := r.begun.IsZero()
	r.roll(now)
	if elapsed := now.Sub(r.begun); !first && r.settled == 0 && elapsed > time.Second {
		return float64(r.count) / elapsed.Seconds()
	}
	return r.settled
}

func (r *rate) roll(now time.Time) {
	switch elapsed := now.Sub(r.begun); {
	case r.begun.IsZero():
		r.begun = now
	case elapsed >= 2*ratePeriod:
		r.begun, r.count, r.settled = now, 0, 0
	case elapsed >= ratePeriod:
		r.settled = float64(r.count) / elapsed.Seconds()
		r.begun, r.count = now, 0
	}
}
