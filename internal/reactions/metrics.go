package reactions

import "github.com/prometheus/client_golang/prometheus"

// descriptions of the metrics that a Router exports, by reaction.
type descriptions struct{ position, handled, failures *prometheus.Desc }

func describe() descriptions {
	labels := []string{"reaction"}
	return descriptions{
		position: prometheus.NewDesc("steward_reaction_commit_position", "Commit position up to which everything is done.", labels, nil),
		handled:  prometheus.NewDesc("steward_reaction_events_handled_total", "Events handled since the start.", labels, nil),
		failures: prometheus.NewDesc("steward_reaction_failures", "Failed attempts in a row at the event in hand.", labels, nil),
	}
}

// Describe implements [prometheus.Collector].
func (r *Router) Describe(to chan<- *prometheus.Desc) {
	d := describe()
	to <- d.position
	to <- d.handled
	to <- d.failures
}

// Collect implements [prometheus.Collector].
func (r *Router) Collect(to chan<- prometheus.Metric) {
	d := describe()
	for _, s := range r.Statuses() {
		to <- prometheus.MustNewConstMetric(d.position, prometheus.GaugeValue, float64(s.Position.Commit), s.Reaction)
		to <- prometheus.MustNewConstMetric(d.handled, prometheus.CounterValue, float64(s.Handled), s.Reaction)
		to <- prometheus.MustNewConstMetric(d.failures, prometheus.GaugeValue, float64(s.Failures), s.Reaction)
	}
}
