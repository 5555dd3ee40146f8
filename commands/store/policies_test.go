package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
	"github.com/stewardhq/steward/internal/policy"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = now.Add(24 * time.Hour)
)

func policySet(name policy.Policy, before, after string, from time.Time) events.StorePolicySet {
	return events.StorePolicySet{StoreID: id, Policy: name.Name, Before: before, After: after, EffectiveAt: from}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	set := func(name policy.Policy, value string) store.SetPolicies {
		return store.SetPolicies{Set: policy.Set{name.Name: value}, Now: now}
	}
	at := func(c store.SetPolicies, from time.Time) store.SetPolicies { c.EffectiveAt = from; return c }
	needed := policySet(policy.RequireReason, "false", "true", now)
	decidertest.Run(t, store.Decider, []tcase{
		{Name: "are set at once", Given: history{created}, When: set(policy.RequireReason, "true"), Then: history{needed}},
		{Name: "are set already", Given: history{created, needed}, When: set(policy.RequireReason, "true")},
		{Name: "have a default, which can be set", Given: history{created}, When: set(policy.RequireReason, "false")},
		{
			Name: "are set for later", Given: history{created}, When: at(set(policy.RequireReason, "true"), later),
			Then: history{policySet(policy.RequireReason, "false", "true", later)},
		},
		{
			Name: "set now, replace what was to come", Given: history{created, policySet(policy.RequireReason, "false", "true", later)},
			When: set(policy.RequireReason, "false"), Then: history{policySet(policy.RequireReason, "false", "false", now)},
		},
		{
			Name: "set for later, know what is in force then", Given: history{created, policySet(policy.RequireReason, "false", "true", later)},
			When: at(set(policy.RequireReason, "false"), later.Add(time.Hour)), Then: history{policySet(policy.RequireReason, "true", "false", later.Add(time.Hour))},
		},
		{
			Name: "come as a preset, single ones first", Given: history{created}, When: store.SetPolicies{Preset: "pantry", Set: policy.Set{policy.Deletion.Name: "disabled"}, Now: now},
			Then: history{policySet(policy.Passwords, "nist", "classic", now), policySet(policy.StaffPassword, "never", "set", now), policySet(policy.Deletion, "soft", "disabled", now), policySet(policy.ErasureGrace, "72", "0", now), policySet(policy.SuspendedLabel, "Suspended", "Disabled", now)},
		},
		{
			Name: "of a preset replace all others", Given: history{created, needed}, When: store.SetPolicies{Preset: "opensrs", Now: now},
			Then: history{
				policySet(policy.RequireReason, "true", "false", now), policySet(policy.Deletion, "soft", "disabled", now),
				policySet(policy.ImpersonationReason, "true", "false", now),
			},
		},
		{Name: "may be texts", Given: history{created}, When: set(policy.ResellerLabel, " Shop team "), Then: history{policySet(policy.ResellerLabel, "Reseller", "Shop team", now)}},
		{Name: "are not empty", Given: history{created}, When: set(policy.ResellerLabel, " "), Err: store.ErrInvalid, Field: "policies.reseller_label"},
		{Name: "take known values", Given: history{created}, When: set(policy.Deletion, "shred"), Err: store.ErrInvalid, Field: "policies.deletion"},
		{Name: "exist", Given: history{created}, When: store.SetPolicies{Set: policy.Set{"free_beer": "true"}, Now: now}, Err: store.ErrInvalid, Field: "policies"},
		{Name: "are named", Given: history{created}, When: store.SetPolicies{Now: now}, Err: store.ErrInvalid, Field: "policies"},
		{Name: "come from known presets", Given: history{created}, When: store.SetPolicies{Preset: "other", Now: now}, Err: store.ErrInvalid, Field: "preset"},
		{Name: "do not reach back", Given: history{created}, When: at(set(policy.Deletion, "disabled"), now.Add(-time.Second)), Err: store.ErrInvalid, Field: "effective_at"},
		{Name: "do not reach far ahead", Given: history{created}, When: at(set(policy.Deletion, "disabled"), now.Add(2*366*24*time.Hour)), Err: store.ErrInvalid, Field: "effective_at"},
		{Name: "belong to a store", When: set(policy.Deletion, "disabled"), Err: store.ErrNotFound},
	})
}

func TestPoliciesAt(t *testing.T) {
	t.Parallel()
	s := store.Decider.Fold(history{
		created,
		policySet(policy.Deletion, "soft", "disabled", now),
		policySet(policy.Deletion, "disabled", "soft", later),
		policySet(policy.RequireReason, "false", "true", later),
		policySet(policy.RequireReason, "false", "true", now.Add(time.Hour)), // in the place of the one before
	})
	for name, c := range map[string]struct {
		at   time.Time
		want policy.Set
	}{
		"before":  {now.Add(-time.Second), policy.Set{}},
		"now":     {now, policy.Set{"deletion": "disabled"}},
		"soon":    {later.Add(-time.Second), policy.Set{"deletion": "disabled", "require_reason": "true"}},
		"in time": {later, policy.Set{"deletion": "soft", "require_reason": "true"}},
	} {
		if diff := cmp.Diff(c.want, s.Policies.At(c.at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := s.Policies.After("deletion", now); len(got) != 1 || got[0].Value != "soft" {
		t.Errorf("decided for later: %+v", got)
	}
}
