package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/wireid"
)

// PolicyView is one policy of a store.
type PolicyView struct {
	Name      string            `json:"name" example:"require_reason"`
	About     string            `json:"about" doc:"What it decides."`
	Value     string            `json:"value" doc:"What is in force now." example:"true"`
	Default   string            `json:"default" doc:"What is in force in a store that decided nothing." example:"false"`
	Values    []PolicyValue     `json:"values" doc:"The values that it can take; none means a number if there is a maximum, else a text of up to 40 characters."`
	Maximum   int               `json:"maximum,omitempty" doc:"It is a whole number from 0 to this." example:"720"`
	Scheduled []ScheduledPolicy `json:"scheduled" doc:"What was decided for later."`
}

// PolicyValue is a value that a policy can take.
type PolicyValue struct {
	Value string `json:"value" example:"true"`
	About string `json:"about"`
}

// ScheduledPolicy is a value that was decided for later.
type ScheduledPolicy struct {
	Value       string    `json:"value"`
	EffectiveAt time.Time `json:"effective_at"`
}

// PresetView is a set of policies that go together.
type PresetView struct {
	Name     string            `json:"name" enum:"opensrs,clientxcms,bss,pantry"`
	About    string            `json:"about"`
	Policies map[string]string `json:"policies" doc:"The value of every policy."`
}

// PoliciesOutput is the answer with the policies of a store.
type PoliciesOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Items   []PolicyView `json:"items"`
		Presets []PresetView `json:"presets"`
	}
}

// getPolicies handles GET /v1/stores/{id}/policies.
func (s *Server) getPolicies(ctx context.Context, in *IDInput) (*PoliciesOutput, error) {
	id, err := pathID(wireid.Store, in.ID)
	if err != nil {
		return nil, err
	}
	loaded, err := store.Decider.Load(ctx, s.engine, callerOf(ctx).storeID, events.StoreStream(id))
	switch {
	case err != nil:
		return nil, err
	case loaded.State.ID == uuid.Nil:
		return nil, store.ErrNotFound
	}
	now := s.clock.now()
	inForce := loaded.State.Policies.At(now)
	out := &PoliciesOutput{ETag: etag(loaded.Revision)}
	for _, p := range policy.Policies {
		view := PolicyView{
			Name: p.Name, About: p.About, Value: inForce.Get(p), Default: p.Default, Maximum: p.Most,
			Values: []PolicyValue{}, Scheduled: []ScheduledPolicy{},
		}
		for _, v := range p.Values {
			view.Values = append(view.Values, PolicyValue{v.Name, v.About})
		}
		for _, d := range loaded.State.Policies.After(p.Name, now) {
			view.Scheduled = append(view.Scheduled, ScheduledPolicy{d.Value, d.From})
		}
		out.Body.Items = append(out.Body.Items, view)
	}
	for _, preset := range policy.Presets {
		view := PresetView{Name: preset.Name, About: preset.About, Policies: make(map[string]string)}
		for _, p := range policy.Policies {
			view.Policies[p.Name] = preset.Set.Get(p)
		}
		out.Body.Presets = append(out.Body.Presets, view)
	}
	return out, nil
}

// SetPoliciesInput decides policies of a store.
type SetPoliciesInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Preset      string            `json:"preset,omitempty" doc:"A preset to begin with. It sets every policy." example:"opensrs"`
		Policies    map[string]string `json:"policies,omitempty" doc:"Single policies by name; they go before the preset." example:"{\"require_reason\":\"true\"}"`
		EffectiveAt time.Time         `json:"effective_at,omitzero" doc:"From when on; at once if left out. What was decided for then or later is replaced."`
	}
}

// setPolicies handles POST /v1/stores/{id}/set-policies.
func (s *Server) setPolicies(ctx context.Context, in *SetPoliciesInput) (*CommandOutput, error) {
	return s.onStore(ctx, in.ID, store.SetPolicies{
		Preset: in.Body.Preset, Set: in.Body.Policies, EffectiveAt: in.Body.EffectiveAt, Now: s.clock.now(),
	})
}
