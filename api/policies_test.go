package api_test

import (
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

func (h *harness) setPolicies(body map[string]any) *reply {
	h.t.Helper()
	return h.owner("POST", h.storePath()+"/set-policies", body)
}

func (h *harness) storePath() string {
	return h.owner("GET", "/v1/store", nil).want(200).str("links.self")
}

// policy returns one line of the store's policies.
func (h *harness) policy(name string) map[string]any {
	h.t.Helper()
	for _, item := range h.owner("GET", h.storePath()+"/policies", nil).want(200).list("items") {
		if item["name"] == name {
			return item
		}
	}
	h.t.Fatalf("there is no policy %s", name)
	return nil
}

func TestPolicies_AreDecidedAndTakeEffect(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id, _ := h.customer("ada")
	path := "/v1/customers/" + id
	if got := h.policy("require_reason"); got["value"] != "false" || got["default"] != "false" {
		t.Fatalf("a store that decided nothing: %v", got)
	}
	done := h.setPolicies(map[string]any{"policies": map[string]any{"require_reason": "true", "suspended_label": "Disabled", "reseller_label": "Shop team"}}).want(200)
	if got := len(done.texts("event_ids")); got != 3 {
		t.Fatalf("three policies were %d events", got)
	}
	h.unchanged(func() {
		h.setPolicies(map[string]any{"policies": map[string]any{"require_reason": "true"}}).want(200)
		h.setPolicies(map[string]any{"policies": map[string]any{"require_reason": "perhaps"}}).refused(422, "invalid", "policies.require_reason")
		h.setPolicies(map[string]any{"preset": "other"}).refused(422, "invalid", "preset")
		h.setPolicies(map[string]any{}).refused(422, "invalid", "policies")
		h.do(events.RoleSupport, "POST", h.storePath()+"/set-policies", map[string]any{"preset": "pantry"}).refused(403, "forbidden")

		h.owner("POST", path+"/suspend", nil).refused(422, "reason_required", "reason")
		h.owner("POST", path+"/delete", nil).refused(422, "reason_required", "reason")
	})
	h.owner("POST", path+"/suspend", nil, "Steward-Reason", "asked for it").want(200)
	shown := h.owner("GET", path, nil).want(200)
	if shown.at("status.label") != "Disabled" || shown.at("status.value") != "suspended" || shown.at("status.by.label") != "Shop team" {
		t.Errorf("a suspended customer reads %v, by %v", shown.at("status.label"), shown.at("status.by.label"))
	}
	entry := h.read("/v1/log?setting=require_reason", done).list("items")
	if len(entry) != 1 || entry[0]["event"] != "Policy of the store set" {
		t.Errorf("the log says %v", entry)
	}

	in := s.now.now().Add(time.Hour).UTC()
	h.setPolicies(map[string]any{"policies": map[string]any{"require_reason": "false"}, "effective_at": in}).want(200)
	if got := h.policy("require_reason"); got["value"] != "true" || len(got["scheduled"].([]any)) != 1 {
		t.Errorf("decided for later: %v", got)
	}
	h.owner("POST", path+"/delete", nil).refused(422, "reason_required")
	s.now.advance(time.Hour + time.Minute)
	if got := h.policy("require_reason"); got["value"] != "false" || len(got["scheduled"].([]any)) != 0 {
		t.Errorf("an hour later: %v", got)
	}
	h.owner("POST", path+"/delete", nil).want(200)

	h.setPolicies(map[string]any{"preset": "bss"}).want(200)
	h.owner("POST", "/v1/customers", map[string]any{"email": "bo@example.com", "username": "bo"}).refused(422, "invalid", "username")
	made := h.owner("POST", "/v1/customers", map[string]any{"email": "bo@example.com"}).want(201)
	if got := h.owner("GET", "/v1/customers/"+made.str("id"), nil).want(200); got.at("username") != nil || got.at("name") == "" {
		t.Errorf("a customer without a username: %s", got.raw)
	}
	if got := h.read("/v1/customers?q=bo@example", made).list("items"); len(got) != 1 || got[0]["username"] != nil {
		t.Errorf("the list shows %v", got)
	}
}

// What one store decides is no matter to another.
func TestPolicies_N1_BelongToTheirStore(t *testing.T) {
	t.Parallel()
	one, other := newHarness(t), newHarness(t)
	one.setPolicies(map[string]any{"policies": map[string]any{"require_reason": "true"}}).want(200)
	other.owner("POST", one.storePath()+"/set-policies", map[string]any{"preset": "pantry"}).refused(404, "store_not_found")
	other.owner("GET", one.storePath()+"/policies", nil).refused(404, "store_not_found")
	id, _ := other.customer("ada")
	other.owner("POST", "/v1/customers/"+id+"/suspend", nil).want(200)
}
