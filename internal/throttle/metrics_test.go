package throttle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/throttle"
)

func TestMetricsCountWhatBecameOfAttempts(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	now := start
	account, network := throttle.Account(store, "ada@example.com"), throttle.Network(store, "203.0.113.7")
	for range throttle.AccountRule.Free {
		take(t, th, now, account, network)
	}
	now = now.Add(time.Second)
	slot := take(t, th, now, network, account)
	refused(t, th, now, account, network)
	for range 2 { // the second has nothing to give
		if err := slot.GiveBack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	challenge := throttle.Challenge(store)
	for range throttle.ChallengeRule.Stop {
		take(t, th, now, challenge)
	}
	refused(t, th, now, challenge)
	want := map[string]float64{
		"given_back account+network": 1, "refused account+network": 1, "taken account+network": 6,
		"stopped challenge": 1, "taken challenge": 5,
	}
	if diff := cmp.Diff(want, attempts(t, th)); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// attempts are the counters by their labels.
func attempts(t *testing.T, th *throttle.Throttle) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(th)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "steward_throttle_attempts_total" {
		t.Fatalf("%v: %v", families, err)
	}
	got := make(map[string]float64)
	for _, m := range families[0].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
	}
	return got
}
