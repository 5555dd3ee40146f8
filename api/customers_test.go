package api_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
)

func TestCustomer_S0_18_S0_22_S1_08_S1_16_CreateListLog(t *testing.T) {
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

func TestCustomer_S0_21_RequiredFields(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.unchanged(func() {
		h.owner("POST", "/v1/customers", map[string]any{"username": "ada"}).refused(422, "invalid", "email")
		h.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com"}).refused(422, "invalid", "username")
		h.owner("POST", "/v1/customers", map[string]any{}).refused(422, "invalid", "email")
		h.owner("POST", "/v1/customers", map[string]any{"email": "", "username": ""}).refused(422, "invalid", "email", "username")
	})
	h.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "ada"}).want(201)
}

func TestCustomer_S0_20_ExternalIDIsUniqueAndFound(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	h.customer("bob")
	set := h.owner("POST", "/v1/customers/"+ada+"/change-external-id", map[string]any{"external_id": "crm-1"}).want(200)
	if got := h.owner("GET", "/v1/customers/"+ada, nil).want(200).str("external_id"); got != "crm-1" {
		t.Errorf("external id %q", got)
	}
	h.unchanged(func() {
		h.owner("POST", "/v1/customers", map[string]any{"email": "c@example.com", "username": "carl", "external_id": "crm-1"}).
			refused(409, "name_taken", "external_id")
	})
	if got := h.read("/v1/customers?q=ada", set).column("external_id"); len(got) != 1 || got[0] != "crm-1" {
		t.Errorf("list shows %v", got)
	}
	again := h.owner("POST", "/v1/customers/"+ada+"/change-external-id", map[string]any{"external_id": ""}).want(200)
	if len(again.texts("event_ids")) != 1 {
		t.Errorf("removing wrote %v", again.texts("event_ids"))
	}
	h.owner("POST", "/v1/customers", map[string]any{"email": "c@example.com", "username": "carl", "external_id": "crm-1"}).want(201)
}

func TestCustomer_S0_13_S0_14_S0_15_S1_15_Search(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.owner("POST", "/v1/customers", map[string]any{
		"email": "countess@engine.example", "username": "analyst1", "profile": map[string]any{"first_name": "Ada", "last_name": "Lovelace"},
	}).want(201)
	last := h.owner("POST", "/v1/customers", map[string]any{
		"email": "grace@navy.example", "username": "admiral", "profile": map[string]any{"first_name": "Grace", "last_name": "Hopper"},
	}).want(201)
	for q, want := range map[string]string{
		"LOVE": "analyst1", "lovelace": "analyst1", "ada": "analyst1", "nalyst": "analyst1", "engine.ex": "analyst1",
		"Hop": "admiral", "gr": "admiral", "ADMIRAL": "admiral", "navy": "admiral",
	} {
		if got := h.read("/v1/customers?q="+q, last).column("username"); len(got) != 1 || got[0] != want {
			t.Errorf("q=%s finds %v, want %s", q, got, want)
		}
	}
	if got := h.read("/v1/customers?q=nobody", last).column("username"); len(got) != 0 {
		t.Errorf("q=nobody finds %v", got)
	}
}

func TestCustomer_S1_11_S1_12_S1_13_S1_14_S1_10_S1_41_BadgeAndStatusFilter(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := map[string]string{}
	var last *reply
	for _, name := range []string{"active", "suspend", "ban", "delete"} {
		ids[name], last = h.customer(name)
		if name != "active" {
			last = h.owner("POST", "/v1/customers/"+ids[name]+"/"+name, nil).want(200)
		}
	}
	all := h.read("/v1/customers?order=username", last)
	if diff := cmp.Diff([]any{"green", "red", "yellow"}, all.column("badge")); diff != "" {
		t.Errorf("badges by username (deleted hidden): %s", diff)
	}
	if !strings.HasPrefix(string(all.raw), `{"items":[{"badge":"green",`) {
		t.Errorf("the badge is not the first field: %.80s", all.raw)
	}
	if got := h.read("/v1/customers?status=deleted", last).column("username"); len(got) != 1 || got[0] != "delete" {
		t.Errorf("deleted: %v", got)
	}
	if got := h.read("/v1/customers?status=banned&status=suspended&order=username", last).column("username"); len(got) != 2 || got[0] != "ban" {
		t.Errorf("banned and suspended: %v", got)
	}
	restored := h.owner("POST", "/v1/customers/"+ids["delete"]+"/restore", nil).want(200)
	if got := h.read("/v1/customers?status=active&order=username", restored).column("username"); len(got) != 2 {
		t.Errorf("active after restoring: %v", got)
	}
	h.owner("GET", "/v1/customers?status=nonsense", nil).refused(422, "invalid")
}

func TestCustomer_S0_16_S1_17_S0_63_DetailAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, _ := h.customer("ada")
	detail := h.owner("GET", "/v1/customers/"+id, nil).want(200)
	if detail.header.Get("ETag") != `"r0"` || detail.str("status.value") != "active" || detail.str("status.by.staff.name") != "Olivia Owner" ||
		detail.str("status.by.label") != "Reseller" {
		t.Errorf("detail %s", detail.raw)
	}
	want := []string{"edit_profile", "change_email", "change_username", "change_external_id", "add_note", "set_tags", "suspend", "ban", "delete", "erase"}
	if diff := cmp.Diff(want, detail.texts("available_actions")); diff != "" {
		t.Error(diff)
	}
	if detail.str("links.domains") != "/v1/customers/"+id+"/domains" || detail.at("login.last_sign_in_at") != nil {
		t.Errorf("links %v, login %v", detail.at("links"), detail.at("login"))
	}
	h.owner("POST", "/v1/customers/"+id+"/suspend", map[string]any{"reason_code": "fraud", "reason": "chargeback", "hold_services": true}).want(200)
	detail = h.owner("GET", "/v1/customers/"+id, nil).want(200)
	if detail.str("status.value") != "suspended" || detail.str("status.reason") != "chargeback" || detail.str("status.reason_code") != "fraud" ||
		detail.at("status.hold_services") != true || detail.str("badge") != "yellow" || detail.num("revision") != 1 {
		t.Errorf("detail right after the command: %s", detail.raw)
	}
}

func TestCustomer_AvailableActionsFollowTheRole(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, _ := h.customer("ada")
	for role, want := range map[events.Role][]string{
		events.RoleSupport: {"edit_profile", "change_email", "change_username", "change_external_id", "add_note", "set_tags", "suspend"},
		events.RoleAuditor: {}, events.RoleAnalyst: {},
	} {
		if diff := cmp.Diff(want, h.do(role, "GET", "/v1/customers/"+id, nil).want(200).texts("available_actions")); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
}

func TestCustomer_S1_38_ABanIsLiftedByThoseWhoMayBan(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, _ := h.customer("ada")
	path := "/v1/customers/" + id
	h.owner("POST", path+"/ban", nil).want(200)
	h.unchanged(func() { h.do(events.RoleSupport, "POST", path+"/reactivate", nil).refused(403, "forbidden") })
	if got := h.do(events.RoleSupport, "GET", path, nil).want(200).texts("available_actions"); slices.Contains(got, "reactivate") {
		t.Errorf("actions of support %v", got)
	}
	h.do(events.RoleAdmin, "POST", path+"/reactivate", nil).want(200)
}

func TestCustomer_AvailableActionsAreWhatTheCommandsAccept(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	tries := map[string]struct {
		route string
		body  any
	}{
		"change_email": {"change-email", map[string]any{"email": "other@example.com"}}, "suspend": {"suspend", nil},
		"change_username": {"change-username", map[string]any{"username": "other"}}, "reactivate": {"reactivate", nil},
		"change_external_id": {"change-external-id", map[string]any{"external_id": "other"}}, "ban": {"ban", nil},
		"delete": {"delete", nil}, "restore": {"restore", nil}, "add_note": {"notes", map[string]any{"text": "x"}},
		"set_tags": {"set-tags", map[string]any{"tags": []string{"vip"}}},
		"erase":    {"erase", nil}, "cancel_erasure": {"cancel-erasure", nil},
	}
	for n, before := range [][]string{nil, {"suspend"}, {"ban"}, {"delete"}, {"suspend", "delete"}, {"erase"}, {"delete", "erase"}} {
		id, _ := h.customer("customer" + strconv.Itoa(n))
		for _, command := range before {
			h.owner("POST", "/v1/customers/"+id+"/"+command, nil).want(200)
		}
		available := h.owner("GET", "/v1/customers/"+id, nil).want(200).texts("available_actions")
		for action, try := range tries {
			dry := h.owner("POST", "/v1/customers/"+id+"/"+try.route+"?dry_run=true", try.body)
			works := dry.status == 200 && len(dry.list("events")) > 0
			if works != slices.Contains(available, action) {
				t.Errorf("after %v: %s available %v, but the command answers %d with %d events", before, action, !works, dry.status, len(dry.list("events")))
			}
		}
	}
}

func TestCustomer_S1_09_EditProfile(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, created := h.customer("ada")
	path := "/v1/customers/" + id
	edit := func(profile map[string]any, headers ...string) *reply {
		return h.owner("PATCH", path, map[string]any{"profile": profile}, headers...)
	}
	h.unchanged(func() {
		edit(map[string]any{"city": "London"}).refused(428, "if_match_required", "If-Match")
		for _, bad := range []string{"r0", `W/"r0"`, "*", `"r0", "r1"`, `"r00"`, `"x"`, `"r-1"`} {
			edit(map[string]any{"city": "London"}, "If-Match", bad).refused(400, "bad_if_match", "If-Match")
		}
		edit(map[string]any{"city": "London"}, "If-Match", `"r7"`).refused(412, "stale")
		edit(map[string]any{"country": "Great Britain"}, "If-Match", `"r0"`).refused(422, "invalid", "profile.country")
		edit(map[string]any{"phone": "call me", "city": "a\u202eb"}, "If-Match", `"r0"`).refused(422, "invalid", "profile.phone", "profile.city")
	})
	done := edit(map[string]any{"first_name": "Ada", "city": "London", "country": "GB"}, "If-Match", created.header.Get("ETag")).want(200)
	if done.header.Get("ETag") != `"r1"` || len(done.texts("event_ids")) != 1 {
		t.Errorf("answer %s", done.raw)
	}
	edit(map[string]any{"city": "Paris"}, "If-Match", created.header.Get("ETag")).refused(412, "stale")
	same := edit(map[string]any{"city": "London"}, "If-Match", `"r1"`).want(200)
	if len(same.texts("event_ids")) != 0 || same.str("position") != done.str("position") {
		t.Errorf("a no-op wrote, or answers another position: %s", same.raw)
	}
	edit(map[string]any{"city": nil, "first_name": ""}, "If-Match", `"r1"`).want(200)
	detail := h.owner("GET", path, nil).want(200)
	if detail.at("profile.city") != nil || detail.at("profile.first_name") != nil || detail.str("profile.country") != "GB" {
		t.Errorf("profile %v", detail.at("profile"))
	}
	changes := h.read(path+"/log?setting=profile", done).list("items")
	if len(changes) < 1 || changes[len(changes)-1]["event"] != "Profile changed" {
		t.Errorf("log %v", changes)
	}
}

func TestCustomer_S0_32_ChangeEmail(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	h.unchanged(func() {
		h.owner("POST", "/v1/customers/"+bob+"/change-email", map[string]any{"email": "ADA@example.com"}).refused(409, "name_taken", "email")
		h.owner("POST", "/v1/customers/"+bob+"/change-email", map[string]any{"email": "nonsense"}).refused(422, "invalid", "email")
		h.owner("POST", "/v1/customers/"+ada+"/change-email", map[string]any{"email": "ada@example.com"}).want(200)
	})
	changed := h.owner("POST", "/v1/customers/"+ada+"/change-email", map[string]any{"email": "countess@example.com"}).want(200)
	entry := h.read("/v1/customers/"+ada+"/log?setting=email", changed).list("items")[0]
	want := []any{map[string]any{"field": "email", "before": "ada@example.com", "after": "countess@example.com"}}
	if diff := cmp.Diff(want, entry["changes"]); diff != "" {
		t.Error(diff)
	}
	h.owner("POST", "/v1/customers/"+bob+"/change-email", map[string]any{"email": "ada@example.com"}).want(200) // free again
	h.owner("POST", "/v1/customers/"+bob+"/change-username", map[string]any{"username": "ada"}).refused(409, "name_taken", "username")
	h.owner("POST", "/v1/customers/"+bob+"/change-username", map[string]any{"username": "robert"}).want(200)
}
