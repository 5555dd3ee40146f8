package policy_test

import (
	"testing"

	"github.com/stewardhq/steward/internal/policy"
)

// The table holds together: names are there once, defaults and presets are values
// that can be set.
func TestTable(t *testing.T) {
	t.Parallel()
	for i, p := range policy.Policies {
		if p.Name == "" || p.About == "" {
			t.Errorf("policy %d has no name or says nothing", i)
		}
		if found, ok := policy.Named(p.Name); !ok || found.About != p.About {
			t.Errorf("%s is there twice", p.Name)
		}
		if value, err := p.Check(p.Default); err != nil || value != p.Default {
			t.Errorf("%s has the default %q: %v", p.Name, p.Default, err)
		}
		if got := (policy.Set{}).Get(p); got != p.Default {
			t.Errorf("%s is %q in a store that set nothing", p.Name, got)
		}
		for _, v := range p.Values {
			if v.About == "" {
				t.Errorf("%s=%s says nothing", p.Name, v.Name)
			}
		}
	}
	for _, preset := range policy.Presets {
		if found, ok := policy.Called(preset.Name); !ok || found.About != preset.About || preset.About == "" {
			t.Errorf("preset %s is there twice, or says nothing", preset.Name)
		}
		for name, value := range preset.Set {
			p, ok := policy.Named(name)
			if !ok {
				t.Errorf("preset %s sets %s, which does not exist", preset.Name, name)
			} else if _, err := p.Check(value); err != nil {
				t.Errorf("preset %s sets %s to %q: %v", preset.Name, name, value, err)
			}
		}
	}
	if (policy.Set{}).On(policy.RequireReason) || !(policy.Set{"require_reason": "true"}).On(policy.RequireReason) {
		t.Error("yes and no are mixed up")
	}
}

// A policy that is a number takes whole numbers within its bound, in one spelling.
func TestNumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"0": "0", "72": "72", "720": "720", "007": "7"} {
		if got, err := policy.ErasureGrace.Check(value); err != nil || got != want {
			t.Errorf("%q is kept as %q: %v", value, got, err)
		}
	}
	for _, value := range []string{"", "-1", "721", "1.5", "72h", "a", "99999999999999999999"} {
		if _, err := policy.ErasureGrace.Check(value); err == nil {
			t.Errorf("%q was let through", value)
		}
	}
	for n, set := range map[int]policy.Set{72: {}, 5: {"erasure_grace_hours": "5"}} {
		if got := set.Number(policy.ErasureGrace); got != n {
			t.Errorf("%v makes %d hours", set, got)
		}
	}
}
