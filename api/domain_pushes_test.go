package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

// push previews and pushes a domain.
func (h *harness) push(domain string, body map[string]any, headers ...string) *reply {
	h.t.Helper()
	token := h.owner("POST", "/v1/domains/"+domain+"/push-preview", body).want(200).str("confirm_token")
	confirmed := map[string]any{"confirm_token": token}
	for k, v := range body {
		confirmed[k] = v
	}
	return h.owner("POST", "/v1/domains/"+domain+"/push", confirmed, headers...)
}

func to(how, whom string) map[string]any { return map[string]any{"to": map[string]any{how: whom}} }

func TestPush_S0_65_S0_66_S0_67_S0_71_ToExistingAccount(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	stranger, _ := other.customer("stranger")
	id, _ := h.domain("pushed.com", ada)
	path := "/v1/domains/" + id

	body := to("username", "BOB")
	body["reason_code"] = "sale"
	preview := h.owner("POST", path+"/push-preview", body).want(200)
	if preview.str("from.id") != ada || preview.str("to.id") != bob || preview.at("changes") != true || preview.at("new_customer") != false {
		t.Errorf("preview %s", preview.raw)
	}
	before := h.owner("GET", path, nil).want(200).at("settings")
	done := h.push(id, body).want(200)
	if done.str("customer_id") != bob || len(done.texts("event_ids")) != 1 || done.at("customer_created") != false {
		t.Errorf("push %s", done.raw)
	}
	after := h.owner("GET", path, nil).want(200)
	if after.str("owner.id") != bob || !cmp.Equal(before, after.at("settings")) {
		t.Errorf("after the push: %s", after.raw)
	}
	if got := h.read("/v1/customers/"+bob+"/domains", done).column("id"); !cmp.Equal(got, []any{id}) {
		t.Errorf("bob's domains %v", got)
	}
	entry := h.read(path+"/log?setting=owner", done).list("items")[0]
	want := []any{
		map[string]any{"field": "owner", "before": ada, "after": bob},
		map[string]any{"field": "reason_code", "before": nil, "after": "sale"},
	}
	if diff := cmp.Diff(want, entry["changes"]); diff != "" {
		t.Error(diff)
	}
	for _, customer := range []string{ada, bob} {
		if got := h.read("/v1/customers/"+customer+"/log?type=domain.pushed", done).list("items"); len(got) != 1 {
			t.Errorf("%d pushes in the log of %s", len(got), customer)
		}
	}
	h.unchanged(func() {
		h.owner("POST", path+"/push-preview", to("username", "nobody")).refused(404, "customer_not_found", "to.username")
		h.owner("POST", path+"/push-preview", to("email", "nobody@example.com")).refused(404, "customer_not_found", "to.email")
		h.owner("POST", path+"/push-preview", to("customer_id", unknown(wireid.Customer))).refused(404, "customer_not_found")
		h.owner("POST", path+"/push-preview", to("customer_id", stranger)).refused(404, "customer_not_found")
		h.owner("POST", path+"/push-preview", to("username", "stranger")).refused(404, "customer_not_found")
		h.owner("POST", path+"/push-preview", to("email", "no address")).refused(422, "invalid", "to.email")
		h.owner("POST", path+"/push-preview", map[string]any{}).refused(422, "invalid", "to")
		h.owner("POST", path+"/push-preview", to("customer_id", "cus_x")).refused(422, "invalid", "to.customer_id")
		both := to("customer_id", ada)
		both["new_customer"] = map[string]any{"email": "x@example.com", "username": "xavier"}
		h.owner("POST", path+"/push-preview", both).refused(422, "invalid", "to")
		body := to("customer_id", ada)
		body["reason_code"] = "whim"
		h.owner("POST", path+"/push-preview", body).refused(422, "invalid", "reason_code")
		noop := h.push(id, to("customer_id", bob)).want(200)
		if len(noop.texts("event_ids")) != 0 {
			t.Errorf("pushing to the holder wrote %v", noop.texts("event_ids"))
		}
	})
	h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/push-preview", to("customer_id", ada)).refused(409, "customer_not_eligible", "to")
	})
}

func TestPush_S0_70_NeedsConfirmation(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	carl, _ := h.customer("carl")
	id, _ := h.domain("confirm.com", ada)
	other, _ := h.domain("other.com", ada)
	path := "/v1/domains/" + id
	with := func(body map[string]any, token string) map[string]any {
		body["confirm_token"] = token
		return body
	}
	token := h.owner("POST", path+"/push-preview", to("customer_id", bob)).want(200).str("confirm_token")
	h.unchanged(func() {
		h.owner("POST", path+"/push", to("customer_id", bob)).refused(428, "confirmation_required", "confirm_token")
		h.owner("POST", path+"/push", with(to("customer_id", bob), "x")).refused(400, "bad_confirm_token", "confirm_token")
		h.owner("POST", path+"/push", with(to("customer_id", carl), token)).refused(400, "bad_confirm_token")
		h.owner("POST", path+"/push", with(to("username", "bob"), token)).refused(400, "bad_confirm_token")
		h.owner("POST", "/v1/domains/"+other+"/push", with(to("customer_id", bob), token)).refused(400, "bad_confirm_token")
		h.do(events.RoleAdmin, "POST", path+"/push", with(to("customer_id", bob), token)).refused(400, "bad_confirm_token")
		h.owner("POST", path+"/push", with(to("customer_id", bob), token), "If-Match", `"r7"`).refused(412, "stale")
	})
	h.owner("POST", path+"/set-lock", map[string]any{"value": false}).want(200)
	h.unchanged(func() { h.owner("POST", path+"/push", with(to("customer_id", bob), token)).refused(412, "stale") })

	token = h.owner("POST", path+"/push-preview", to("customer_id", bob)).want(200).str("confirm_token")
	s.now.advance(confirmMinutes)
	h.unchanged(func() {
		h.owner("POST", path+"/push", with(to("customer_id", bob), token)).refused(412, "confirm_token_expired")
	})
	token = h.owner("POST", path+"/push-preview", to("customer_id", bob)).want(200).str("confirm_token")
	done := h.owner("POST", path+"/push", with(to("customer_id", bob), token), "Idempotency-Key", "k").want(200)
	s.now.advance(confirmMinutes)
	again := h.owner("POST", path+"/push", with(to("customer_id", bob), token), "Idempotency-Key", "k").want(200)
	if string(done.raw) != string(again.raw) {
		t.Errorf("the same push again answers\n%s, first\n%s", again.raw, done.raw)
	}
}

func TestPush_S0_68_ToNewAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("fresh.com", ada)
	account := func(username string) map[string]any {
		return map[string]any{"new_customer": map[string]any{"email": username + "@example.com", "username": username, "profile": map[string]any{"first_name": "New"}}}
	}
	h.unchanged(func() {
		h.owner("POST", "/v1/domains/"+id+"/push-preview", account("ada")).refused(409, "name_taken", "new_customer.email", "new_customer.username")
		h.owner("POST", "/v1/domains/"+id+"/push-preview", account("!")).refused(422, "invalid", "new_customer.username")
		preview := h.owner("POST", "/v1/domains/"+id+"/push-preview", account("newbie")).want(200)
		if preview.at("new_customer") != true || preview.at("to") != nil {
			t.Errorf("preview %s", preview.raw)
		}
	})
	// Somebody takes the name between preview and push: nothing moves.
	body := account("late")
	body["confirm_token"] = h.owner("POST", "/v1/domains/"+id+"/push-preview", body).want(200).str("confirm_token")
	h.customer("late")
	h.unchanged(func() {
		h.owner("POST", "/v1/domains/"+id+"/push", body).refused(409, "name_taken", "new_customer.email")
	})

	body = account("newbie")
	body["confirm_token"] = h.owner("POST", "/v1/domains/"+id+"/push-preview", body).want(200).str("confirm_token")
	before := len(h.facts())
	done := h.owner("POST", "/v1/domains/"+id+"/push", body, "Idempotency-Key", "push-1").want(200)
	again := h.owner("POST", "/v1/domains/"+id+"/push", body, "Idempotency-Key", "push-1").want(200)
	if string(done.raw) != string(again.raw) || len(h.facts()) != before+2 || done.at("customer_created") != true {
		t.Errorf("first %s, again %s, %d events", done.raw, again.raw, len(h.facts())-before)
	}
	detail := h.owner("GET", "/v1/domains/"+id, nil).want(200)
	if detail.str("owner.id") != done.str("customer_id") || detail.str("owner.email") != "newbie@example.com" {
		t.Errorf("owner %v", detail.at("owner"))
	}
	facts := h.facts()
	created, pushed := must(events.DecodeMetadata(facts[before].Metadata)), must(events.DecodeMetadata(facts[before+1].Metadata))
	if created.CorrelationID != pushed.CorrelationID || created.CommandID == pushed.CommandID {
		t.Errorf("creation %+v, push %+v", created, pushed)
	}
	dry := account("third")
	dry["confirm_token"] = h.owner("POST", "/v1/domains/"+id+"/push-preview", dry).want(200).str("confirm_token")
	h.unchanged(func() {
		if got := h.owner("POST", "/v1/domains/"+id+"/push?dry_run=true", dry).want(200); len(got.list("events")) != 1 {
			t.Errorf("dry run %s", got.raw)
		}
	})
}

func TestPush_S0_94_S0_95_S0_96_S0_97_ConsolidateAndUndo(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	primary, _ := h.customer("primary")
	secondary, _ := h.customer("secondary")
	var last *reply
	ids := []string{}
	for _, name := range []string{"one.com", "two.com", "three.com"} {
		id, _ := h.domain(name, secondary)
		ids = append(ids, id)
	}
	// The holder may be suspended: a push is the way out.
	h.owner("POST", "/v1/customers/"+secondary+"/suspend", map[string]any{"hold_services": true}).want(200)
	for _, id := range ids {
		last = h.push(id, to("email", "primary@example.com")).want(200)
	}
	if got := h.read("/v1/customers/"+primary+"/domains", last).list("items"); len(got) != 3 {
		t.Errorf("the primary account has %d", len(got))
	}
	if got := h.read("/v1/customers/"+secondary+"/domains", last).list("items"); len(got) != 0 {
		t.Errorf("the secondary account has %d", len(got))
	}
	h.owner("POST", "/v1/customers/"+secondary+"/reactivate", nil).want(200)
	// What is left is an account like any other: it can be suspended, empty as it is.
	h.owner("POST", "/v1/customers/"+secondary+"/suspend", nil).want(200)
	if got := h.owner("GET", "/v1/customers/"+secondary, nil).want(200).str("status.value"); got != "suspended" {
		t.Errorf("the empty account is %s", got)
	}
	h.owner("POST", "/v1/customers/"+secondary+"/reactivate", nil).want(200)
	// Pushed to the wrong one, then on to the right one.
	right, _ := h.customer("right")
	before := h.owner("GET", "/v1/domains/"+ids[0], nil).want(200).at("settings")
	h.push(ids[0], to("customer_id", secondary)).want(200)
	last = h.push(ids[0], to("customer_id", right)).want(200)
	detail := h.owner("GET", "/v1/domains/"+ids[0], nil).want(200)
	if after := detail.at("settings"); !cmp.Equal(before, after) {
		t.Errorf("settings changed: %v, %v", before, after)
	}
	if got := h.read("/v1/customers/"+right+"/domains", last).list("items"); len(got) != 1 {
		t.Errorf("the right account has %d", len(got))
	}
	if got := h.read("/v1/domains/"+ids[0]+"/log?type=domain.pushed", last).list("items"); len(got) != 3 {
		t.Errorf("%d pushes in the log", len(got))
	}
}

func TestPush_OneOfManyWins(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("wanted.com", ada)
	bodies := make([]map[string]any, 8)
	for i := range bodies {
		whom, _ := h.customer("buyer" + string(rune('a'+i)))
		bodies[i] = to("customer_id", whom)
		bodies[i]["confirm_token"] = h.owner("POST", "/v1/domains/"+id+"/push-preview", bodies[i]).want(200).str("confirm_token")
	}
	before := len(h.facts())
	won := 0
	for _, r := range h.together(len(bodies), func(i int) *reply { return h.owner("POST", "/v1/domains/"+id+"/push", bodies[i]) }) {
		switch r.status {
		case 200:
			won++
		case 412:
		default:
			t.Errorf("%d %s", r.status, r.raw)
		}
	}
	if got := len(h.facts()) - before; won != 1 || got != 1 {
		t.Errorf("%d won with %d events", won, got)
	}
}
