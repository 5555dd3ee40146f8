package throttle

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// What becomes of an attempt.
const (
	outcomeTaken     = "taken"      // it may go on
	outcomeRefused   = "refused"    // it has to wait
	outcomeStopped   = "stopped"    // waiting does not help it
	outcomeGivenBack = "given_back" // it went on and was a success, or looked at nothing
)

func newAttempts() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "steward", Subsystem: "throttle", Name: "attempts_total",
		Help: "Attempts at secrets and mails that are limited, by the rules that limit them together and what became of them.",
	}, []string{"rules", "outcome"})
}

// Describe is part of [prometheus.Collector].
func (t *Throttle) Describe(to chan<- *prometheus.Desc) { t.attempts.Describe(to) }

// Collect is part of [prometheus.Collector]. Labels are names of rules: they say
// nothing of whom a bucket is for.
func (t *Throttle) Collect(to chan<- prometheus.Metric) { t.attempts.Collect(to) }

func (t *Throttle) count(rules, outcome string) { t.attempts.WithLabelValues(rules, outcome).Inc() }

// ruleNames names the rules that limit an attempt: "account+network".
func ruleNames(buckets []Bucket) string {
	names := make([]string, len(buckets))
	for i, b := range buckets {
		names[i] = b.Rule.Name
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "+")
}
