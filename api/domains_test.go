package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

func TestDomain_RegisterAndDetail_S0_53_to_S0_55(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, created := h.domain("Bücher.example.com.", ada)
	if created.header.Get("Location") != "/v1/domains/"+id || created.header.Get("ETag") != `"r0"` {
		t.Errorf("headers %v", created.header)
	}
	detail := h.owner("GET", "/v1/domains/"+id, nil).want(200)
	if detail.str("name") != "xn--bcher-kva.example.com" || detail.str("unicode_name") != "bücher.example.com" ||
		detail.str("owner.id") != ada || detail.str("owner.email") != "ada@example.com" || detail.at("settings.locked") != true ||
		detail.str("links.log") != "/v1/domains/"+id+"/log" {
		t.Errorf("detail %s", detail.raw)
	}
	want := []string{"set_auto_renew", "set_lock", "set_privacy", "set_nameservers", "push"}
	if diff := cmp.Diff(want, detail.texts("available_actions")); diff != "" {
		t.Error(diff)
	}
	row := h.read("/v1/customers/"+ada+"/domains", created).list("items")[0]
	for field, want := range map[string]any{"id": id, "expires_at": "2027-05-01T00:00:00Z", "auto_renew": false, "privacy": false} {
		if row[field] != want {
			t.Errorf("row: %s is %v, want %v", field, row[field], want)
		}
	}
	if self, _ := row["links"].(map[string]any)["self"].(string); h.owner("GET", self, nil).status != 200 {
		t.Errorf("the row's link %q does not lead anywhere", self)
	}
	h.unchanged(func() {
		again := map[string]any{"name": "XN--BCHER-KVA.example.com", "customer_id": ada, "registered_at": "2024-05-01", "expires_at": "2027-05-01"}
		h.owner("POST", "/v1/domains", again).refused(409, "domain_exists", "name")
	})
}

func TestDomain_BadInput(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	with := func(field string, value any) map[string]any {
		body := map[string]any{"name": "example.com", "customer_id": ada, "registered_at": "2024-05-01", "expires_at": "2027-05-01"}
		body[field] = value
		return body
	}
	h.unchanged(func() {
		for _, name := range []string{
			"", "com", "co.uk", "example", "-a.com", "a-.com", "a..com", "a b.com", "a_b.com", "example.nosuchtld", "127.0.0.1",
			strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "com", "a\u202eb.com", "a\u0000b.com", "☃.com", "xn--a.com", "*.com",
		} {
			if r := h.owner("POST", "/v1/domains", with("name", name)); r.status != 422 {
				t.Errorf("%q: %d", name, r.status)
			}
		}
		for _, date := range []string{"", "yesterday", "2024-13-01", "01.05.2024", "1984-12-31", "3000-01-01", "2024-05-01T00:00:00"} {
			h.owner("POST", "/v1/domains", with("registered_at", date)).refused(422, "invalid", "registered_at")
		}
		h.owner("POST", "/v1/domains", with("expires_at", "2024-05-01")).refused(422, "invalid", "expires_at")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net"})).refused(422, "invalid", "nameservers")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net", "ns1.example.net."})).refused(422, "invalid", "nameservers[1]")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net", "no name"})).refused(422, "invalid", "nameservers[1]")
		h.owner("POST", "/v1/domains", with("customer_id", "cus_x")).refused(422, "invalid", "customer_id")
		h.owner("POST", "/v1/domains", with("customer_id", unknown(wireid.Customer))).refused(404, "customer_not_found")
		h.owner("POST", "/v1/domains", with("auto_renew", "yes")).refused(422, "invalid", "auto_renew")
		all := map[string]any{"name": "-", "customer_id": "x", "registered_at": "x", "expires_at": "x", "nameservers": []string{"x"}}
		h.owner("POST", "/v1/domains", all).refused(422, "invalid", "name", "customer_id", "registered_at", "expires_at", "nameservers")
	})
	h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).want(200)
	h.unchanged(func() {
		h.owner("POST", "/v1/domains", with("name", "example.com")).refused(409, "customer_not_eligible")
	})
}

func TestDomain_S0_56_S0_59_S0_64_Settings(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, last := h.domain("settings.com", ada)
	path := "/v1/domains/" + id
	for setting, route := range map[string]string{"auto_renew": "set-auto-renew", "lock": "set-lock", "privacy": "set-privacy"} {
		for _, value := range []bool{true, false, true} {
			h.owner("POST", path+"/"+route, map[string]any{"value": value}).want(200)
		}
		h.unchanged(func() {
			if got := h.owner("POST", path+"/"+route, map[string]any{"value": true}).want(200).texts("event_ids"); len(got) != 0 {
				t.Errorf("%s: the same value again wrote %v", setting, got)
			}
			h.owner("POST", path+"/"+route, map[string]any{}).refused(422, "invalid", "value")
			h.owner("POST", path+"/"+route, map[string]any{"value": "true"}).refused(422, "invalid", "value")
		})
	}
	last = h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"NS1.other.example.", "ns2.other.example"}}).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"ns1.other.example", "ns2.other.example"}}).want(200)
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"ns1.other.example"}}).refused(422, "invalid", "nameservers")
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": nil}).refused(422, "invalid", "nameservers")
	})
	for setting, want := range map[string]int{"auto_renew": 3, "lock": 2, "privacy": 3, "nameservers": 1} {
		if got := len(h.read(path+"/log?setting="+setting, last).list("items")); got != want {
			t.Errorf("%d lines for %s, want %d", got, setting, want)
		}
	}
	detail := h.owner("GET", path, nil).want(200)
	if diff := cmp.Diff([]string{"ns1.other.example", "ns2.other.example"}, detail.texts("settings.nameservers")); diff != "" {
		t.Error(diff)
	}
	// A stale If-Match is refused, the right one is not.
	h.unchanged(func() {
		h.owner("POST", path+"/set-lock", map[string]any{"value": false}, "If-Match", `"r0"`).refused(412, "stale")
	})
	h.owner("POST", path+"/set-lock", map[string]any{"value": false}, "If-Match", detail.header.Get("ETag")).want(200)
}

func TestDomain_ListFiltersAndOrders(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	h.domain("alpha.com", ada)
	beta, _ := h.domain("beta.com", bob)
	_, last := h.domain("gamma.net", ada)
	last = h.owner("POST", "/v1/domains/"+beta+"/set-auto-renew", map[string]any{"value": true}).want(200)
	last = h.owner("POST", "/v1/domains/"+beta+"/set-lock", map[string]any{"value": false}).want(200)
	for query, want := range map[string][]any{
		"": {"alpha.com", "beta.com", "gamma.net"}, "customer=" + ada: {"alpha.com", "gamma.net"}, "q=mma": {"gamma.net"},
		"q=" + url.QueryEscape("BETA.com."): {"beta.com"}, "auto_renew=true": {"beta.com"}, "auto_renew=false&customer=" + bob: {},
		"locked=true": {"alpha.com", "gamma.net"}, "privacy=true": {}, "expires_before=2027-05-02T00:00:00Z": {"alpha.com", "beta.com", "gamma.net"},
		"expires_before=2027-05-01T00:00:00Z": {}, "order=expires&limit=200": {"alpha.com", "beta.com", "gamma.net"},
	} {
		got := h.read("/v1/domains?"+query, last).column("name")
		if strings.HasPrefix(query, "order") {
			slices.SortFunc(got, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	first := h.read("/v1/domains?limit=2", last)
	if got := h.read("/v1/domains?limit=2&cursor="+first.str("next_cursor"), last).column("name"); !cmp.Equal(got, []any{"gamma.net"}) {
		t.Errorf("second page %v", got)
	}
	h.owner("GET", "/v1/domains?customer=dom_x", nil).refused(400, "bad_id", "customer")
	h.owner("GET", "/v1/domains?locked=perhaps", nil).refused(422, "invalid", "locked")
	h.owner("GET", "/v1/domains?expires_before=soon", nil).refused(422, "invalid", "expires_before")
	h.owner("GET", "/v1/domains?colour=red", nil).refused(422, "unknown_field", "colour")
}

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

func TestPush_S0_65_to_S0_67_S0_71_ToExistingAccount(t *testing.T) {
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

func TestPush_S0_94_to_S0_97_ConsolidateAndUndo(t *testing.T) {
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
	before := h.owner("GET", "/v1/domains/"+ids[0], nil).want(200).at("settings")
	last = h.push(ids[0], to("customer_id", secondary)).want(200)
	last = h.push(ids[0], to("customer_id", primary)).want(200)
	if after := h.owner("GET", "/v1/domains/"+ids[0], nil).want(200).at("settings"); !cmp.Equal(before, after) {
		t.Errorf("settings changed: %v, %v", before, after)
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
