package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

// reached stands for everything but a refusal of who asks.
const reached = ""

// parity says for every command that customers have what becomes of it from each of
// the three who may send it: a code of refusal, or that it is reached.
var parity = map[string]struct{ customer, reseller, asCustomer string }{
	"PATCH /v1/customers/{id}":                       {},
	"POST /v1/customers/{id}/send-link":              {customer: "forbidden"}, // customers have forgot-password
	"POST /v1/customers/{id}/end-sessions":           {asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/change-password":        {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/set-password":           {customer: "link_needed", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/request-email-change":   {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/review-details":         {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/erase":                  {asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/export":                 {asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/two-factor/start":       {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/two-factor/confirm":     {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/two-factor/renew-codes": {reseller: "customer_only", asCustomer: "not_as_customer"},
	"POST /v1/customers/{id}/two-factor/disable":     {asCustomer: "not_as_customer"},
	"POST /v1/domains/{id}/set-auto-renew":           {},
	"POST /v1/domains/{id}/set-lock":                 {},
	"POST /v1/domains/{id}/set-privacy":              {},
	"POST /v1/domains/{id}/set-nameservers":          {},
	"POST /v1/sign-out":                              {asCustomer: "not_as_customer"},
}

// bodyKnowing is [bodyFor] of somebody who knows the customer's password, which shall
// not help.
func bodyKnowing(path string) any {
	body, ok := bodyFor(path).(map[string]any)
	if !ok {
		body = map[string]any{}
	}
	for _, verb := range []string{"/two-factor/disable", "/erase", "/export"} {
		if strings.HasSuffix(path, verb) {
			body["password"] = "" // which the team leaves out
		}
	}
	if len(body) == 0 {
		return nil
	}
	for _, field := range []string{"password", "current_password"} {
		if _, asked := body[field]; asked {
			body[field] = goodPassword
		}
	}
	if _, asked := body["current_password"]; asked {
		body["new_password"] = goodPassword + " by the sea"
	}
	return body
}

// Whatever customers can do, the team can do as them, but for the declared list; and
// whoever did it stands in the event.
func TestImpersonation_S0_05_S0_39_S3_44_I2_I3_WhoMayDoWhat(t *testing.T) {
	t.Parallel()
	n := 0
	for _, line := range newHarness(t).server.Table() {
		name := line.Method + " " + line.Path
		want, declared := parity[name]
		switch {
		case line.Method == "GET" || !line.Customer && !declared:
			continue
		case !declared:
			t.Errorf("%s is for customers: declare what becomes of it as a customer", name)
			continue
		}
		for kind, expect := range map[events.ActorKind]string{
			events.ActorCustomer: want.customer, events.ActorReseller: want.reseller, events.ActorAsCustomer: want.asCustomer,
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				h := newHarness(t)
				n++
				username := fmt.Sprintf("customer-%d", n)
				id := h.register(username)
				domain, _ := h.domain(username+".com", id)
				path := strings.ReplaceAll(line.Path, "{id}", id)
				if strings.Contains(line.Path, "/domains/") {
					path = strings.ReplaceAll(line.Path, "{id}", domain)
				}
				revision := fmt.Sprintf("\"r%d\"", int(h.owner("GET", "/v1/customers/"+id, nil).num("revision")))
				headers := []string{}
				if line.Method == "PATCH" {
					headers = []string{"If-Match", revision}
				}
				session := h.signIn(username)
				if kind == events.ActorAsCustomer {
					session = h.enter(id)
				}
				before := len(h.facts())
				var r *reply
				if kind == events.ActorReseller {
					r = h.owner(line.Method, path, bodyKnowing(line.Path), headers...)
				} else {
					r = h.as(session, line.Method, path, bodyKnowing(line.Path), headers...)
				}
				if (r.status == 403) != (expect != reached) || expect != reached && r.str("code") != expect {
					t.Errorf("%d %s, want %q", r.status, r.raw, expect)
				}
				written := h.facts()[before:]
				for _, e := range written {
					if md := must(events.DecodeMetadata(e.Metadata)); md.Actor.Kind != kind {
						t.Errorf("I2: %s was written by %s", e.Type, md.Actor.Kind)
					}
				}
				if kind == events.ActorAsCustomer && expect != reached {
					if len(written) != 1 || written[0].Type != events.TypeImpersonationRefused || !strings.Contains(string(written[0].Data), `"route":"`+name+`"`) {
						t.Errorf("C17: the refusal was noted as %v", written)
					}
				} else if len(written) == 0 && r.status == 200 && !strings.Contains(name, "set-lock") {
					t.Errorf("nothing was written: %s", r.raw)
				}
			})
		}
	}
	if n < 3*len(parity) {
		t.Errorf("%d of %d were tried", n, 3*len(parity))
	}
}

// Everything else is closed to the team in a customer's session, other customers and
// another session of the kind included.
func TestImpersonation_I3_NothingElse(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, other := h.register("ada"), h.register("eve")
	foreign, _ := h.domain("eves.com", other)
	session := h.enter(id)
	h.as(session, "GET", "/v1/customers/me", nil).want(200)
	closed := 0
	for _, line := range h.server.Table() {
		name := line.Method + " " + line.Path
		if _, declared := parity[name]; declared || line.Customer || line.Permission == "public" || name == "POST /v1/impersonations/end" {
			continue
		}
		closed++
		before := len(h.facts())
		r := h.as(session, line.Method, strings.ReplaceAll(line.Path, "{id}", id), bodyFor(line.Path), "If-Match", `"r0"`)
		if r.status != 403 || r.str("code") != "not_as_customer" {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
		if written := h.facts()[before:]; len(written) != 1 || written[0].Type != events.TypeImpersonationRefused {
			t.Errorf("%s: %d events", name, len(written))
		}
	}
	if closed < 30 {
		t.Errorf("%d routes are closed", closed)
	}
	h.unchanged(func() {
		h.as(session, "POST", "/v1/customers/"+id+"/suspend?dry_run=true", nil).refused(403, "not_as_customer")
		h.as(session, "GET", "/v1/customers/"+other, nil).refused(404, "customer_not_found")
		h.as(session, "POST", "/v1/domains/"+foreign+"/set-lock", map[string]any{"value": false}).refused(404, "domain_not_found")
	})
	h.as(h.signIn("ada"), "POST", "/v1/impersonations/end", nil).refused(403, "forbidden")
	h.owner("POST", "/v1/impersonations/end", nil).refused(409, "no_impersonation")
}

func TestImpersonation_S0_39_Scopes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	domain, _ := h.domain("hers.com", id)
	lock := "/v1/domains/" + domain + "/set-lock"
	off := map[string]any{"value": false}
	reads := h.enterWithin(id, "read_only")
	h.as(reads, "GET", "/v1/customers/me/domains", nil).want(200)
	offered := h.as(h.enterWithin(id, "full"), "GET", "/v1/customers/me", nil).texts("available_actions")
	if diff := cmp.Diff([]string{"edit_profile"}, offered); diff != "" {
		t.Errorf("what is offered as her (-want +got):\n%s", diff)
	}
	reads = h.enterWithin(id, "read_only")
	for _, path := range []string{"/v1/customers/me", "/v1/domains/" + domain} {
		if offered := h.as(reads, "GET", path, nil).want(200).texts("available_actions"); len(offered) > 0 {
			t.Errorf("%s offers %v to who only reads", path, offered)
		}
	}
	h.as(reads, "POST", lock, off).refused(403, "not_in_scope")
	if e, _ := h.newest(); e.Type != events.TypeImpersonationRefused || !strings.Contains(string(e.Data), `"reason":"scope"`) {
		t.Errorf("noted as %s %s", e.Type, e.Data)
	}
	h.as(reads, "POST", "/v1/impersonations/end", nil).want(200)
	h.as(h.enterWithin(id, "support"), "POST", lock, off).want(200)
	h.owner("POST", "/v1/customers/"+id+"/impersonate", map[string]any{"reason": "x", "scope": "all"}).refused(422, "invalid", "scope")
}

// Twenty commands as a customer are twenty events as a customer, and none by the
// customer.
func TestImpersonation_S0_43_S0_44_S0_45_S0_46_S0_49_S0_50_AllIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	domain, _ := h.domain("hers.com", id)
	session := h.enter(id)
	before := len(h.facts())
	send := func(verb string, body map[string]any) {
		t.Helper()
		h.as(session, "POST", "/v1/domains/"+domain+"/"+verb, body).want(200)
	}
	for i := range 3 {
		for _, value := range []bool{false, true} {
			send("set-auto-renew", map[string]any{"value": !value})
			send("set-lock", map[string]any{"value": value})
		}
		send("set-privacy", map[string]any{"value": i%2 == 0})
		send("set-nameservers", map[string]any{"nameservers": []string{fmt.Sprintf("ns%d.example.net", i), fmt.Sprintf("ns%d.example.org", i)}})
	}
	revision := fmt.Sprintf("\"r%d\"", int(h.as(session, "GET", "/v1/customers/me", nil).num("revision")))
	h.as(session, "PATCH", "/v1/customers/me", map[string]any{"profile": map[string]any{"city": "London"}}, "If-Match", revision).want(200)
	reset := h.as(session, "POST", "/v1/customers/me/send-link", map[string]any{"purpose": "reset"}).want(200)
	if strings.Contains(string(reset.raw), "stw_link_") {
		t.Errorf("S0-49: staff see the link: %s", reset.raw)
	}
	kinds := map[events.ActorKind]int{}
	types := map[string]int{}
	for _, e := range h.facts()[before:] {
		md := must(events.DecodeMetadata(e.Metadata))
		if md.Actor.StaffID != h.staff[events.RoleSupport] || wireid.Format(wireid.Impersonation, md.Actor.ImpersonationID) != session.str("impersonation_id") {
			t.Errorf("%s: the actor %+v", e.Type, md.Actor)
		}
		if e.Type != events.TypeImpersonationCustomerViewed {
			kinds[md.Actor.Kind]++
			types[e.Type]++
		}
	}
	if diff := cmp.Diff(map[events.ActorKind]int{events.ActorAsCustomer: 20}, kinds); diff != "" {
		t.Errorf("S0-50 (-want +got):\n%s", diff)
	}
	want := map[string]int{
		events.TypeDomainAutoRenewSet: 6, events.TypeDomainLockSet: 6, events.TypeDomainPrivacySet: 3, events.TypeDomainNameserversChanged: 3,
		events.TypeCustomerProfileEdited: 1, events.TypeLoginLinkIssued: 1,
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("what was recorded (-want +got):\n%s", diff)
	}
	for _, purpose := range []string{"welcome", "set_password", "activate"} {
		h.as(session, "POST", "/v1/customers/me/send-link", map[string]any{"purpose": purpose}).refused(403, "not_as_customer")
	}
	// A key of the customer's own is another one.
	own := h.signIn("ada")
	h.as(own, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": false}, "Idempotency-Key", "k").want(200)
	h.as(session, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": true}, "Idempotency-Key", "k").want(200)
}

// The log tells who it was in a session as a customer, and what the customer did.
func TestImpersonation_S0_92_S0_93_I6_WhoDidWhat(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	domain, _ := h.domain("hers.com", id)
	lock := "/v1/domains/" + domain + "/set-lock"
	session, own := h.enter(id), h.signIn("ada")
	entered := session.str("impersonation_id")
	h.as(session, "POST", lock, map[string]any{"value": false}).want(200)
	h.as(session, "POST", "/v1/sign-out", nil).refused(403, "not_as_customer")
	locked := h.as(own, "POST", lock, map[string]any{"value": true}).want(200)
	h.as(session, "POST", "/v1/impersonations/end", nil).want(200)

	rows := h.read("/v1/domains/"+domain+"/log?setting=lock", locked).list("items")
	link := rows[1]["links"].(map[string]any)["impersonation"]
	if by := rows[1]["by"].(map[string]any); by["kind"] != "as_customer" || by["label"] != "As Customer" || rows[1]["impersonation_id"] != entered ||
		by["staff"].(map[string]any)["id"] != h.staffID(events.RoleSupport) || link != "/v1/impersonations/"+entered {
		t.Errorf("S0-92: %v", rows[1])
	}
	if rows[0]["by"].(map[string]any)["kind"] != "customer" || rows[0]["session_id"] != own.str("session_id") || rows[0]["impersonation_id"] != nil {
		t.Errorf("S0-93: %v", rows[0])
	}
	detail := h.owner("GET", link.(string), nil).want(200)
	if detail.at("by.staff.id") != h.staffID(events.RoleSupport) || detail.str("state") != "over" || detail.str("end_reason") != "left" ||
		detail.num("refused") != 1 || detail.str("reason") == "" || detail.str("customer_id") != id {
		t.Errorf("S0-92: %s", detail.raw)
	}
	left := h.grant(events.RoleOwner, id)
	for _, path := range []string{"/v1/impersonations?limit=1", "/v1/customers/" + id + "/impersonations?limit=1"} {
		first := h.read(path, left)
		second := h.owner("GET", path+"&cursor="+first.str("next_cursor"), nil).want(200)
		if first.at("has_more") != true || second.at("has_more") != false || len(second.list("items")) != 1 || second.list("items")[0]["id"] != entered ||
			first.list("items")[0]["state"] != "granted" {
			t.Errorf("%s: %s, then %s", path, first.raw, second.raw)
		}
	}
	if mine := h.owner("GET", "/v1/impersonations?customer="+id+"&staff="+h.staffID(events.RoleSupport), nil).want(200); len(mine.list("items")) != 1 {
		t.Errorf("of one team member: %s", mine.raw)
	}
	done := h.read("/v1/log?impersonation="+entered, left)
	want := []any{"impersonation.ended", "impersonation.refused", "domain.lock_set", "impersonation.redeemed", "impersonation.issued"}
	if diff := cmp.Diff(want, done.column("type")); diff != "" {
		t.Errorf("I6 (-want +got):\n%s", diff)
	}
	for _, e := range done.list("items") {
		if staff, ok := e["by"].(map[string]any)["staff"].(map[string]any); !ok || staff["id"] != h.staffID(events.RoleSupport) || e["impersonation_id"] != entered {
			t.Errorf("I6: %v", e)
		}
	}
	// Customers see that it was done as them, and not by whom or why.
	for _, e := range h.as(own, "GET", "/v1/customers/me/log", nil, "Steward-Min-Position", left.str("position")).want(200).list("items") {
		kind := e["by"].(map[string]any)["kind"]
		if e["by"].(map[string]any)["staff"] != nil || e["reason"] != nil || e["ip"] != nil && kind != "customer" || e["links"].(map[string]any)["impersonation"] != nil {
			t.Errorf("a customer sees %v", e)
		}
	}
}

// What the team does as a customer is no sign-in of the customer, and touches nothing
// that is theirs.
func TestImpersonation_C18_IsNoSignIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	own := h.signIn("ada")
	theirs := func(after *reply) string {
		t.Helper()
		detail := h.read("/v1/customers/"+id, after)
		signIns := h.read("/v1/customers/"+id+"/sign-ins", after)
		sessions := h.owner("GET", "/v1/customers/"+id+"/sessions", nil).want(200)
		return fmt.Sprint(detail.at("login"), detail.at("available_actions"), signIns.at("items"), sessions.at("items"))
	}
	before := theirs(h.owner("POST", "/v1/customers/"+id+"/set-tags", map[string]any{"tags": []string{"a"}}).want(200))
	facts := len(h.facts())
	session := h.enter(id)
	h.as(session, "GET", "/v1/customers/me", nil).want(200)
	left := h.as(session, "POST", "/v1/impersonations/end", nil).want(200)
	if diff := cmp.Diff(before, theirs(left)); diff != "" {
		t.Errorf("what is the customer's changed:\n%s", diff)
	}
	if slices.ContainsFunc(h.facts()[facts:], func(e events.Record) bool {
		return events.Category(e.Stream) != events.CategoryImpersonation
	}) {
		t.Error("something else was written")
	}
	h.as(own, "GET", "/v1/customers/me", nil).want(200)
}

// The team resets a password from inside and never sees the link: it goes to the
// customer, who is told by whom it was asked for in the log.
func TestImpersonation_S0_49_TheLinkGoesToTheCustomer(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	session := m.enter(id)
	asked := m.as(session, "POST", "/v1/customers/me/send-link", map[string]any{"purpose": "reset"}).want(200)
	link := m.link("ada@example.com", "")
	if strings.Contains(string(asked.raw), link) {
		t.Errorf("staff see the link: %s", asked.raw)
	}
	row := m.read("/v1/customers/"+id+"/log?type=login.link_issued", asked).list("items")[0]
	if row["by"].(map[string]any)["kind"] != "as_customer" || row["impersonation_id"] != session.str("impersonation_id") {
		t.Errorf("the log: %v", row)
	}
	m.choose(m.redeem(link).want(200)).want(200)
	m.signInWith("ada", newPassword).want(200)
}
