package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
)

func TestCustomer_S0_18_S0_22_CreateListLog(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	created := h.owner("POST", "/v1/customers", map[string]any{
		"email": "Ada@Example.com", "username": "ada", "external_id": "crm-1",
		"profile": map[string]any{"first_name": "Ada", "last_name": "Lovelace", "country": "GB"},
	}).want(201)
	id := created.str("id")
	if got := created.header.Get("Location"); got != "/v1/customers/"+id {
		t.Errorf("Location %q", got)
	}
	if created.header.Get("ETag") != `"r0"` || created.header.Get("Steward-Position") != created.str("position") {
		t.Errorf("headers %v", created.header)
	}
	list := h.read("/v1/customers", created)
	if diff := cmp.Diff([]any{"Ada Lovelace"}, list.column("name")); diff != "" {
		t.Error(diff)
	}
	log := h.read("/v1/customers/"+id+"/log", created)
	entry := log.list("items")[0]
	if entry["type"] != events.TypeCustomerCreated || entry["event"] != "Account created" {
		t.Errorf("log entry %v", entry)
	}
	_, md := h.newest()
	if md.Actor.Kind != events.ActorReseller || md.Actor.StaffID != h.staff[events.RoleOwner] {
		t.Errorf("actor %+v", md.Actor)
	}
}
