package api_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

// grant asks to log in as a customer, as one of the team.
func (h *harness) grant(role events.Role, customer string, headers ...string) *reply {
	h.t.Helper()
	return h.do(role, "POST", "/v1/customers/"+customer+"/impersonate", map[string]any{"reason": "HD-4711: she cannot find the lock"}, headers...).want(201)
}

// redeemGrant presents a grant, from a tab that has no credential.
func (h *harness) redeemGrant(grant *reply, headers ...string) *reply {
	h.t.Helper()
	return h.send("POST", "/v1/impersonations/redeem", map[string]any{"grant": grant.str("grant")}, headers...)
}

// enter logs support in as a customer.
func (h *harness) enter(customer string) *reply {
	h.t.Helper()
	return h.redeemGrant(h.grant(events.RoleSupport, customer)).want(200)
}

// enterWithin logs support in as a customer, within a scope.
func (h *harness) enterWithin(customer, scope string) *reply {
	h.t.Helper()
	asked := map[string]any{"reason": "to help", "scope": scope}
	return h.redeemGrant(h.do(events.RoleSupport, "POST", "/v1/customers/"+customer+"/impersonate", asked).want(201)).want(200)
}

// wrongPassword is what signing in with one is answered.
func (h *harness) wrongPassword() string {
	h.t.Helper()
	return withoutRequest(h.visit("/v1/sign-in", map[string]any{"name": "nobody", "password": "wrong"}).want(401))
}

// withoutRequest is an answer without the id of its request.
func withoutRequest(r *reply) string {
	return strings.ReplaceAll(string(r.raw), r.str("request_id"), "")
}

func TestImpersonation_S0_02_S0_40_S0_07_FromTheDetailsPage(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	domain, _ := h.domain("hers.com", id)
	granted := h.grant(events.RoleSupport, id)
	if granted.str("grant") == "" || granted.header.Get("Location") != "/v1/impersonations/"+granted.str("id") {
		t.Fatalf("the answer: %s", granted.raw)
	}
	session := h.redeemGrant(granted, "X-Forwarded-For", "203.0.113.9").want(200)
	locked := h.as(session, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": false}).want(200)

	_, md := h.newest()
	want := events.AsCustomer(mustID(wireid.Customer, id), h.staff[events.RoleSupport], mustID(wireid.Impersonation, session.str("impersonation_id")))
	if diff := cmp.Diff(want, md.Actor); diff != "" {
		t.Errorf("S0-07: the actor (-want +got):\n%s", diff)
	}
	row := h.read("/v1/customers/"+id+"/log?type=impersonation.issued", locked).list("items")[0]
	if by := row["by"].(map[string]any); by["kind"] != "reseller" || by["staff"].(map[string]any)["id"] != h.staffID(events.RoleSupport) || row["reason"] != "HD-4711: she cannot find the lock" {
		t.Errorf("S0-40: the log of the customer: %v", row)
	}
	// S0-02: nobody's password was needed, and no secret stands anywhere.
	token, grant := session.str("token"), granted.str("grant")
	token = token[len(token)-52 : len(token)-9] // the secret, which may hold a _ itself
	for _, e := range h.stored() {
		if text := string(e.Data) + string(e.Metadata); strings.Contains(text, token) || strings.Contains(text, grant) || strings.Contains(text, "cannot find") {
			t.Errorf("S0-02: %s holds a secret: %s", e.Type, text)
		}
	}
	if text := h.logs.String(); strings.Contains(text, token) || strings.Contains(text, grant) {
		t.Error("S0-02: a secret was logged")
	}
	for _, role := range []events.Role{events.RoleAuditor, events.RoleAnalyst} {
		h.do(role, "POST", "/v1/customers/"+id+"/impersonate", map[string]any{"reason": "x"}).refused(403, "forbidden")
	}
	h.owner("POST", "/v1/customers/"+id+"/impersonate", map[string]any{}).refused(422, "reason_required", "reason")
	h.owner("POST", "/v1/customers/"+id+"/impersonate", map[string]any{"reason": "x"}, "Idempotency-Key", "k").refused(400, "idempotency_key_not_allowed")
	h.unchanged(func() {
		if dry := h.owner("POST", "/v1/customers/"+id+"/impersonate?dry_run=true", map[string]any{"reason": "x"}).want(200); dry.str("grant") != "" {
			t.Errorf("a dry run grants %s", dry.raw)
		}
	})
	h.owner("POST", "/v1/stores/"+h.storeID()+"/set-policies", map[string]any{"policies": map[string]string{"impersonation_reason": "false"}}).want(200)
	h.owner("POST", "/v1/customers/"+id+"/impersonate", nil).want(201)
}

func mustID(kind wireid.Kind, text string) [16]byte { return must(wireid.Parse(kind, text)) }

func TestImpersonation_S0_38_I4_ASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, other := h.register("ada"), h.register("eve")
	jar := must(cookiejar.New(nil))
	site := must(url.Parse("https://shop.example.com"))
	kept := func(r *reply) {
		t.Helper()
		jar.SetCookies(site, (&http.Response{Header: r.header}).Cookies())
	}
	browser := func(method, path string, headers ...string) *reply {
		t.Helper()
		var pairs []string
		for _, c := range jar.Cookies(site) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		return h.send(method, path, nil, append([]string{"Cookie", strings.Join(pairs, "; "), "Sec-Fetch-Site", "same-origin"}, headers...)...)
	}
	// Somebody of the team is a customer too, in the same browser.
	kept(h.visit("/v1/sign-in", map[string]any{"name": "eve", "password": goodPassword, "cookie": true}).want(200))
	entered := h.send("POST", "/v1/impersonations/redeem", map[string]any{"grant": h.grant(events.RoleSupport, id).str("grant"), "cookie": true}).want(200)
	if set := entered.header.Get("Set-Cookie"); entered.str("token") != "" || !strings.HasPrefix(set, "__Host-steward_impersonation=stw_imp_") ||
		!strings.Contains(set, "Path=/; HttpOnly; Secure; SameSite=Strict") || strings.Contains(set, "Domain") || strings.Contains(set, "Max-Age") {
		t.Errorf("P13: the cookie: %q, %s", set, entered.raw)
	}
	kept(entered)
	own := browser("GET", "/v1/customers/me", "Steward-Session", "customer").want(200)
	as := browser("GET", "/v1/customers/me", "Steward-Session", "impersonation").want(200)
	if own.str("id") != other || as.str("id") != id {
		t.Errorf("I4: own is %s, as customer %s", own.str("id"), as.str("id"))
	}
	flag := entered.str("impersonation_id")
	denied := browser("POST", "/v1/sign-out", "Steward-Session", "impersonation").refused(403, "not_as_customer")
	if own.header.Get("Steward-Impersonation") != "" || as.header.Get("Steward-Impersonation") != flag || denied.header.Get("Steward-Impersonation") != flag {
		t.Errorf("I4: the flags: %v, %v, %v", own.header, as.header, denied.header)
	}
	browser("GET", "/v1/customers/me").refused(400, "session_ambiguous", "Steward-Session")
	browser("GET", "/v1/customers/me", "Steward-Session", "both").refused(400, "bad_session")
	browser("POST", "/v1/impersonations/end", "Steward-Session", "impersonation", "Sec-Fetch-Site", "cross-site").refused(403, "cross_site_request")

	h.do(events.RoleSupport, "GET", "/v1/store", nil).want(200)
	kept(browser("POST", "/v1/impersonations/end", "Steward-Session", "impersonation").want(200))
	browser("GET", "/v1/customers/me", "Steward-Session", "impersonation").refused(401, "unauthorized")
	h.do(events.RoleSupport, "GET", "/v1/store", nil).want(200)
	if got := browser("GET", "/v1/customers/me").want(200).str("id"); got != other {
		t.Errorf("S0-38: the session that is left is %s's", got)
	}
	// The cookie of a session that ended elsewhere goes with the first refusal.
	entered = h.send("POST", "/v1/impersonations/redeem", map[string]any{"grant": h.grant(events.RoleSupport, id).str("grant"), "cookie": true}).want(200)
	kept(entered)
	h.owner("POST", "/v1/impersonations/"+entered.str("impersonation_id")+"/end", nil).want(200)
	kept(browser("GET", "/v1/customers/me", "Steward-Session", "impersonation").refused(401, "unauthorized"))
	browser("GET", "/v1/customers/me").want(200)

	// Neither token counts in the other's cookie.
	session := h.enter(id)
	h.send("GET", "/v1/customers/me", nil, "Cookie", "__Host-steward_session="+session.str("token")).refused(401, "unauthorized")
	h.send("GET", "/v1/customers/me", nil, "Cookie", "__Host-steward_impersonation="+h.signIn("eve").str("token")).refused(401, "unauthorized")
}

func TestImpersonation_S0_51_S0_52_I1_AGrantIsGoodOnce(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t) // whose clock moves
	id := h.register("ada")
	wrong := h.wrongPassword()
	like := func(name string, got *reply) {
		t.Helper()
		if diff := cmp.Diff(wrong, withoutRequest(got.want(401))); diff != "" {
			t.Errorf("%s is not answered like a wrong password:\n%s", name, diff)
		}
	}
	first := h.grant(events.RoleSupport, id)
	h.send("GET", "/v1/impersonations/redeem?grant="+first.str("grant"), nil).want(401)
	if r := h.owner("GET", "/v1/impersonations/redeem?grant="+first.str("grant"), nil); r.status < 400 {
		t.Errorf("I1: a grant in an address: %s", r.raw)
	}
	h.redeemGrant(first).want(200)
	like("a used grant", h.redeemGrant(first))
	late := h.grant(events.RoleSupport, id)
	h.now.advance(61 * time.Second)
	like("an old grant", h.redeemGrant(late))
	again := h.grant(events.RoleSupport, id)
	h.redeemGrant(again).want(200)
	like("an old grant after a new one", h.redeemGrant(late))
	like("a used grant after a new one", h.redeemGrant(again))
	like("no grant", h.send("POST", "/v1/impersonations/redeem", map[string]any{"grant": "x"}))
	changed := h.grant(events.RoleSupport, id).str("grant")
	parts := strings.Split(changed, "_")
	like("a damaged grant", h.send("POST", "/v1/impersonations/redeem", map[string]any{"grant": strings.Replace(changed, parts[3], edited(parts[3]), 1)}))

	stopped := h.grant(events.RoleSupport, id)
	h.owner("POST", "/v1/impersonations/"+stopped.str("id")+"/end", nil).want(200)
	like("a grant that was stopped", h.redeemGrant(stopped))
}

// Of all who present a grant at the same moment, on two instances, one gets in.
func TestImpersonation_I1_OneOfManyGetsIn(t *testing.T) {
	t.Parallel()
	instances := newInstances(t, 2)
	h := instances[0]
	id, _ := h.customer("ada")
	for round := range 5 {
		granted := h.grant(events.RoleOwner, id)
		var in []*reply
		for i, r := range h.together(64, func(i int) *reply {
			return instances[i%2].redeemGrant(granted, "X-Forwarded-For", fmt.Sprintf("203.%d.%d.7", round, i))
		}) {
			switch r.status {
			case 200:
				in = append(in, r)
			case 401:
			default:
				t.Errorf("round %d, %d: %d %s", round, i, r.status, r.raw)
			}
		}
		if len(in) != 1 {
			t.Fatalf("round %d: %d got in", round, len(in))
		}
		instances[1].as(in[0], "GET", "/v1/customers/me", nil).want(200)
		if n := countOf(h.facts(), events.TypeImpersonationRedeemed); n != round+1 {
			t.Fatalf("round %d: %d were redeemed", round, n)
		}
	}
}

func countOf(facts []events.Record, stored string) int {
	n := 0
	for _, e := range facts {
		if e.Type == stored {
			n++
		}
	}
	return n
}

// Everything that ends a session as a customer does so with the next request.
func TestImpersonation_I5_P14_EndsWithItsReason(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	support := "/v1/staff/" + h.staffID(events.RoleSupport)
	deny := func(value string) {
		h.owner("POST", "/v1/stores/"+h.storeID()+"/set-policies", map[string]any{"policies": map[string]string{"impersonate_suspended": value}}).want(200)
	}
	n := 0
	ends := func(name string, trigger func(customer string, session *reply), after func(customer string)) {
		t.Helper()
		n++
		id := h.register(fmt.Sprintf("customer-%d", n))
		session := h.enter(id)
		h.as(session, "GET", "/v1/customers/me", nil).want(200)
		trigger(id, session)
		if r := h.as(session, "GET", "/v1/customers/me", nil); r.status != 401 {
			t.Errorf("%s: the session is answered %d %s", name, r.status, r.raw)
		}
		if after != nil {
			after(id)
		}
	}
	customer := func(verb string) func(string, *reply) {
		return func(id string, _ *reply) { h.owner("POST", "/v1/customers/"+id+"/"+verb, nil).want(200) }
	}
	ends("left", func(_ string, s *reply) { h.as(s, "POST", "/v1/impersonations/end", nil).want(200) }, nil)
	ends("stopped", func(_ string, s *reply) {
		h.owner("POST", "/v1/impersonations/"+s.str("impersonation_id")+"/end", nil).want(200)
	}, nil)
	ends("a newer one", func(id string, _ *reply) { h.enter(id) }, nil)
	ends("suspended", customer("suspend"), func(id string) {
		// C19: to help, one may come back; not where the store does not want it.
		again := h.enter(id)
		h.as(again, "GET", "/v1/customers/me", nil).want(200)
		deny("deny")
		h.as(again, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
		h.owner("POST", "/v1/customers/"+id+"/impersonate", map[string]any{"reason": "x"}).refused(409, "impersonation_denied")
		deny("allow")
	})
	ends("banned", customer("ban"), nil)
	ends("deleted", customer("delete"), func(id string) {
		h.owner("POST", "/v1/customers/"+id+"/impersonate", map[string]any{"reason": "x"}).refused(409, "customer_deleted")
	})
	ends("deactivated", func(string, *reply) { h.owner("POST", support+"/deactivate", nil).want(200) }, func(string) {
		h.owner("POST", support+"/reactivate", nil).want(200)
	})
	ends("another role", func(string, *reply) {
		h.owner("POST", support+"/change-role", map[string]any{"role": "analyst"}).want(200)
	}, func(string) {
		h.owner("POST", support+"/change-role", map[string]any{"role": "support"}).want(200)
	})
	ends("idle for ten minutes", func(string, *reply) { h.now.advance(10 * time.Minute) }, nil)
	ends("an hour", func(_ string, s *reply) {
		for range 11 {
			h.now.advance(5 * time.Minute)
			h.as(s, "GET", "/v1/customers/me", nil).want(200)
		}
		h.now.advance(5 * time.Minute)
	}, nil)
	ends("the key that asked", func(string, *reply) {
		keys := h.owner("GET", "/v1/api-keys", nil).want(200).list("items")
		i := slices.IndexFunc(keys, func(k map[string]any) bool {
			return strings.HasPrefix(h.keys[events.RoleSupport], k["prefix"].(string))
		})
		h.owner("POST", "/v1/api-keys/"+keys[i]["id"].(string)+"/revoke", nil).want(200)
	}, nil)
}

// What somebody reads as a customer is noted, once in ten minutes.
func TestImpersonation_I7_ReadsAreNoted(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	id := h.register("ada")
	session := h.enter(id)
	for _, path := range []string{"", "/log", "/domains", "", "/sessions"} {
		h.as(session, "GET", "/v1/customers/me"+path, nil).want(200)
	}
	if n := countOf(h.facts(), events.TypeImpersonationCustomerViewed); n != 1 {
		t.Errorf("%d notes of reads at once", n)
	}
	for range 2 {
		h.now.advance(6 * time.Minute)
		h.as(session, "GET", "/v1/customers/me", nil).want(200)
	}
	if n := countOf(h.facts(), events.TypeImpersonationCustomerViewed); n != 2 {
		t.Errorf("%d notes of reads in twelve minutes", n)
	}
	if _, md := h.newest(); md.Actor.Kind != events.ActorAsCustomer {
		t.Errorf("noted as %v", md.Actor)
	}
}

// A session as a customer of one store, and a grant for it, are nothing under the host
// name of another.
func TestImpersonation_N1_UnderItsOwnHost(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	id := h.register("ada")
	host := func(h *harness) string { return h.owner("GET", "/v1/store", nil).want(200).texts("hosts")[0] }
	granted, foreign, own := h.grant(events.RoleSupport, id), host(other), host(h)
	h.redeemGrant(granted, "Host", foreign).refused(401, "invalid_credentials")
	session := h.redeemGrant(granted, "Host", own).want(200)
	h.as(session, "GET", "/v1/customers/me", nil, "Host", foreign).refused(401, "unauthorized")
	h.as(session, "GET", "/v1/customers/me", nil, "Host", own).want(200)
}
