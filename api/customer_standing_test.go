package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCustomer_S0_33_S0_36_S1_33_to_S1_38_Standing(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, _ := h.customer("ada")
	domain, _ := h.domain("standing.com", id)
	path := "/v1/customers/" + id
	revision := h.owner("GET", "/v1/domains/"+domain, nil).want(200).num("revision")
	body := map[string]any{"reason_code": "terms_violation", "reason": "spam\nagain", "hold_services": true}
	if got := h.owner("POST", path+"/suspend", body).want(200).texts("event_ids"); len(got) != 1 {
		t.Errorf("suspend wrote %v", got)
	}
	h.unchanged(func() {
		if got := h.owner("POST", path+"/suspend", body).want(200).texts("event_ids"); len(got) != 0 {
			t.Errorf("suspending twice wrote %v", got)
		}
		h.owner("POST", path+"/suspend", map[string]any{"reason_code": "dislike"}).refused(422, "invalid", "reason_code")
		h.owner("POST", path+"/suspend", map[string]any{"reason": "a\u0000b"}).refused(422, "invalid", "reason")
	})
	held := h.owner("GET", "/v1/domains/"+domain, nil).want(200)
	if held.num("revision") != revision || held.at("on_hold") != true {
		t.Errorf("the domain's stream changed, or it is not on hold: %s", held.raw)
	}
	h.owner("POST", path+"/reactivate", map[string]any{"release_services": true}).want(200)
	h.unchanged(func() { h.owner("POST", path+"/reactivate", nil).want(200) })
	if h.owner("GET", "/v1/domains/"+domain, nil).want(200).at("on_hold") != false {
		t.Error("the domain is still on hold")
	}
	h.owner("POST", path+"/ban", map[string]any{"reason_code": "fraud"}).want(200)
	h.unchanged(func() { h.owner("POST", path+"/suspend", nil).refused(409, "customer_banned") })
	h.owner("POST", path+"/reactivate", nil).want(200)
	last := h.owner("POST", path+"/delete", map[string]any{"force": true}).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/delete", nil).want(200)
		h.owner("POST", path+"/ban", nil).refused(409, "customer_deleted")
	})
	history := h.read(path+"/suspensions", last)
	got := []any{}
	for _, item := range history.list("items") {
		got = append(got, item["after"], item["reason_code"], item["reason"], item["hold_services"], item["release_services"])
	}
	want := []any{
		"active", nil, nil, false, false,
		"banned", "fraud", nil, false, false,
		"active", nil, nil, false, true,
		"suspended", "terms_violation", "spam\nagain", true, false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
