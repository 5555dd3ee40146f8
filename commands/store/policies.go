package store

import (
	"maps"
	"slices"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/policy"
)

// Policies is what a store has decided and is going to decide, by policy. It is
// never changed in place.
type Policies map[string][]Decision

// Decision is a value of a policy, from a time on until the next one.
type Decision struct {
	Value string
	From  time.Time
}

// At returns what is in force at a time.
func (p Policies) At(at time.Time) policy.Set {
	set := make(policy.Set, len(p))
	for name, decisions := range p {
		for _, d := range decisions {
			if !d.From.After(at) {
				set[name] = d.Value
			}
		}
	}
	return set
}

// After returns what is decided for later than a time, the soonest first.
func (p Policies) After(name string, at time.Time) []Decision {
	from := slices.IndexFunc(p[name], func(d Decision) bool { return d.From.After(at) })
	if from < 0 {
		return nil
	}
	return p[name][from:]
}

func (p Policies) with(e events.StorePolicySet) Policies {
	kept := slices.Clone(p[e.Policy])
	kept = slices.DeleteFunc(kept, func(d Decision) bool { return !d.From.Before(e.EffectiveAt) })
	p = maps.Clone(p)
	if p == nil {
		p = make(Policies)
	}
	p[e.Policy] = append(kept, Decision{e.After, e.EffectiveAt})
	return p
}

// SetPolicies decides policies from a time on.
type SetPolicies struct {
	// Preset names a preset to begin with: it sets every policy. Empty begins with
	// what is set.
	Preset string
	// Set are single policies, which go before the preset.
	Set policy.Set
	// EffectiveAt is when it begins; zero means now.
	EffectiveAt time.Time
	Now         time.Time
}

func (SetPolicies) storeCommand() {}

// maxAhead is how far ahead a store may decide.
const maxAhead = 366 * 24 * time.Hour

func setPolicies(s State, c SetPolicies) ([]events.StoreEvent, error) {
	refused := ErrInvalid
	wanted := make(policy.Set)
	if c.Preset != "" {
		preset, ok := policy.Called(c.Preset)
		if !ok {
			refused = refused.On("preset", "is not a preset")
		}
		for _, p := range policy.Policies {
			wanted[p.Name] = preset.Set.Get(p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Set)) {
		p, ok := policy.Named(name)
		if !ok {
			refused = refused.On("policies", "name one that does not exist")
			continue
		}
		value, err := p.Check(c.Set[name])
		if err != nil {
			refused = refused.On("policies."+name, err.Error())
		}
		wanted[name] = value
	}
	from := c.EffectiveAt.UTC()
	switch {
	case c.EffectiveAt.IsZero():
		from = c.Now.UTC()
	case from.Before(c.Now):
		refused = refused.On("effective_at", "is in the past")
	case from.After(c.Now.Add(maxAhead)):
		refused = refused.On("effective_at", "is more than a year ahead")
	}
	if len(wanted) == 0 {
		refused = refused.On("policies", "names none")
	}
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	inForce := s.Policies.At(from)
	var decided []events.StoreEvent
	for _, p := range policy.Policies {
		value, ok := wanted[p.Name]
		if !ok || inForce.Get(p) == value && len(s.Policies.After(p.Name, from)) == 0 {
			continue
		}
		decided = append(decided, events.StorePolicySet{
			StoreID: s.ID, Policy: p.Name, Before: inForce.Get(p), After: value, EffectiveAt: from,
		})
	}
	return decided, nil
}
