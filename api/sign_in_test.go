package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
)

const goodPassword = "a long and quiet evening"

// visit sends a request without a credential to the store.
func (h *harness) visit(path string, body map[string]any, headers ...string) *reply {
	h.t.Helper()
	return h.send("POST", path, body, append([]string{"Steward-Store", h.storeID()}, headers...)...)
}

// register opens an account as a visitor does, and returns the customer's id.
func (h *harness) register(username string) string {
	h.t.Helper()
	h.visit("/v1/register", map[string]any{"email": username + "@example.com", "username": username, "password": goodPassword}).want(202)
	return h.signIn(username).str("customer_id")
}

func (h *harness) signIn(name string) *reply {
	h.t.Helper()
	return h.visit("/v1/sign-in", map[string]any{"name": name, "password": goodPassword}).want(200)
}

// as sends a request in a session.
func (h *harness) as(session *reply, method, path string, body any, headers ...string) *reply {
	h.t.Helper()
	return h.send(method, path, body, append([]string{"Authorization", "Bearer " + session.str("token")}, headers...)...)
}

func TestSignIn_S0_06_S0_08_S0_10_TheLogSaysWhoItWas(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	session := h.visit("/v1/sign-in", map[string]any{"name": "ADA@example.com", "password": goodPassword}, "X-Forwarded-For", "203.0.113.7").want(200)
	domain, _ := h.domain("hers.com", id)
	path := "/v1/domains/" + domain
	h.as(session, "POST", path+"/set-lock", map[string]any{"value": false}).want(200)
	last := h.owner("POST", path+"/set-lock", map[string]any{"value": true}).want(200)

	type line struct{ actor, label, session, staff, before, after any }
	var got []line
	for _, e := range h.read(path+"/log?setting=lock", last).list("items") {
		by, _ := e["by"].(map[string]any)
		change, _ := e["changes"].([]any)[0].(map[string]any)
		got = append(got, line{by["kind"], by["label"], e["session_id"], by["staff"] != nil, change["before"], change["after"]})
	}
	want := []line{
		{"reseller", "Reseller", nil, true, false, true},
		{"customer", "Customer", session.str("session_id"), false, true, false},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	// What a client says of itself reaches no actor.
	forged := h.as(session, "POST", path+"/set-privacy", map[string]any{"value": true, "actor": "system"})
	forged.refused(422, "unknown_field")
	done := h.as(session, "POST", path+"/set-privacy", map[string]any{"value": true}, "Steward-Actor", "system", "X-Actor", "reseller").want(200)
	if e := h.read(path+"/log?setting=privacy", done).list("items")[0]; e["by"].(map[string]any)["kind"] != "customer" {
		t.Errorf("a header made the actor %v", e["by"])
	}
	history := h.read("/v1/customers/"+id+"/log?type=session.started", done).list("items")
	if len(history) != 2 || history[0]["ip"] != "203.0.113.7" {
		t.Errorf("the history of sign-ins: %v", history)
	}
}

func TestSignIn_S0_81_S0_83_S0_84_CustomersReachWhatIsTheirs(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, other := h.register("ada"), h.register("eve")
	session := h.signIn("ada")
	own, _ := h.domain("hers.com", id)
	foreign, pushed := h.domain("eves.com", other)
	if got := h.as(session, "GET", "/v1/customers/me", nil).want(200); got.str("id") != id || got.at("status.by.staff") != nil {
		t.Errorf("she is %s", got.raw)
	}
	h.as(session, "GET", "/v1/customers/"+id, nil).want(200)
	mine := h.as(session, "GET", "/v1/customers/me/domains", nil, "Steward-Min-Position", pushed.str("position")).want(200)
	if list := mine.list("items"); len(list) != 1 || list[0]["id"] != own {
		t.Errorf("her domains: %s", mine.raw)
	}
	edited := h.as(session, "PATCH", "/v1/customers/me", map[string]any{"profile": map[string]any{"city": "London"}}, "If-Match", fmt.Sprintf("\"r%d\"", int(h.as(session, "GET", "/v1/customers/me", nil).num("revision")))).want(200)
	if e := h.read("/v1/customers/"+id+"/log?setting=profile", edited).list("items")[0]; e["by"].(map[string]any)["kind"] != "customer" {
		t.Errorf("her edit was made by %v", e["by"])
	}
	unknown := h.as(session, "GET", "/v1/customers/"+other, nil, "X-Request-Id", "5a3e5a3e").refused(404, "customer_not_found")
	if nobody := h.as(session, "GET", "/v1/customers/cus_00000000000000000000000000", nil, "X-Request-Id", "5a3e5a3e"); string(nobody.raw) != string(unknown.raw) {
		t.Errorf("somebody else answers %s, nobody %s", unknown.raw, nobody.raw)
	}
	h.as(session, "GET", "/v1/domains/"+foreign, nil).refused(404, "domain_not_found")
	h.as(session, "POST", "/v1/domains/"+foreign+"/set-lock", map[string]any{"value": false}).refused(404, "domain_not_found")
	h.as(session, "GET", "/v1/domains/"+foreign+"/log", nil).refused(404, "domain_not_found")

	// Every route that is not for customers is closed to them.
	open := 0
	for _, line := range h.server.Table() {
		path := strings.ReplaceAll(line.Path, "{id}", "me")
		if line.Customer {
			open++ // what they do is tested elsewhere; some end the session
			continue
		}
		r := h.as(session, line.Method, path, bodyFor(line.Path), "If-Match", `"r0"`)
		switch {
		case line.Permission == "public":
		case r.status != 403:
			t.Errorf("%s %s answers a customer %d", line.Method, line.Path, r.status)
		}
	}
	if open < 10 {
		t.Errorf("only %d routes are for customers", open)
	}
}

// S0-72: what was pushed away is out of reach with the next request, and what
// happened since is not shown to who had it.
func TestSignIn_D4_S0_72_TheOldOwnerLosesAccess(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	seller, buyer := h.register("seller"), h.register("buyer")
	domain, _ := h.domain("sold.com", seller)
	before, after := h.signIn("seller"), h.signIn("buyer")
	path := "/v1/domains/" + domain
	h.as(before, "POST", path+"/set-lock", map[string]any{"value": false}).want(200)
	push := map[string]any{"to": map[string]any{"customer_id": buyer}}
	push["confirm_token"] = h.owner("POST", path+"/push-preview", push).want(200).str("confirm_token")
	h.owner("POST", path+"/push", push).want(200)
	h.as(before, "GET", path, nil).refused(404, "domain_not_found")
	h.as(before, "POST", path+"/set-lock", map[string]any{"value": true}).refused(404, "domain_not_found")
	last := h.as(after, "POST", path+"/set-lock", map[string]any{"value": true}).want(200)
	for _, e := range h.as(after, "GET", path+"/log", nil, "Steward-Min-Position", last.str("position")).want(200).list("items") {
		if e["customer_id"] != buyer && e["receiver_id"] != buyer {
			t.Errorf("the buyer is shown what happened before: %v", e)
		}
	}
}

func TestSignIn_S0_35_X2_SessionsEndAtOnce(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id := h.register("ada")
	path := "/v1/customers/" + id
	alive := func(session *reply, status int) {
		t.Helper()
		h.as(session, "GET", "/v1/customers/me", nil).want(status)
	}
	first, second := h.signIn("ada"), h.signIn("ada")
	alive(first, 200)
	if got := len(h.as(first, "GET", "/v1/customers/me/sessions", nil).want(200).list("items")); got < 2 {
		t.Errorf("she has %d sessions", got)
	}
	h.as(first, "POST", "/v1/sign-out", nil).want(200)
	alive(first, 401)
	alive(second, 200)

	h.owner("POST", path+"/suspend", nil).want(200)
	alive(second, 401)
	h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword}).refused(403, "account_disabled")
	h.owner("POST", path+"/reactivate", nil).want(200)
	third := h.signIn("ada")
	h.owner("POST", path+"/end-sessions", nil).want(200)
	alive(third, 401)

	fourth, fifth := h.signIn("ada"), h.signIn("ada")
	change := "/v1/customers/me/change-password"
	h.as(fourth, "POST", change, map[string]any{"current_password": "not this one at all", "new_password": "another long evening"}).refused(403, "wrong_password", "current_password")
	h.as(fourth, "POST", change, map[string]any{"current_password": goodPassword, "new_password": "short"}).refused(422, "password_too_short", "new_password")
	h.as(fourth, "POST", change, map[string]any{"current_password": goodPassword, "new_password": "another long evening"}, "Idempotency-Key", "k").refused(400, "idempotency_key_not_allowed")
	alive(fourth, 200)
	h.as(fourth, "POST", change, map[string]any{"current_password": goodPassword, "new_password": "another long evening"}).want(200)
	alive(fourth, 401)
	alive(fifth, 401)
	h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword}).refused(401, "invalid_credentials")
	sixth := h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": "another long evening"}).want(200)

	// X4: idle and absolute.
	for range 24 {
		s.now.advance(29 * time.Minute)
		alive(sixth, 200)
	}
	s.now.advance(29 * time.Minute)
	alive(sixth, 401)
	seventh := h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": "another long evening"}).want(200)
	s.now.advance(31 * time.Minute)
	alive(seventh, 401)
}

// L4, L5: unknown, wrong, without a password, suspended in a store that tells
// nobody: one answer, and one call of the key derivation.
func TestSignIn_L4_L5_NothingTellsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its calls are counted
	h := s.newStore(t)
	h.setPolicies(map[string]any{"policies": map[string]any{"reveal_status": "never"}}).want(200)
	suspended := h.register("suspended")
	h.register("known")
	h.customer("nopassword")
	h.owner("POST", "/v1/customers/"+suspended+"/suspend", nil).want(200)
	want := ""
	for name, body := range map[string]map[string]any{
		"unknown":        {"name": "nobody", "password": goodPassword},
		"unknown email":  {"name": "nobody@example.com", "password": goodPassword},
		"wrong password": {"name": "known", "password": "another long evening"},
		"no password":    {"name": "nopassword", "password": goodPassword},
		"suspended":      {"name": "suspended", "password": goodPassword},
		"no name":        {"name": "", "password": goodPassword},
		"odd name":       {"name": "\u202ename\u0000", "password": goodPassword},
	} {
		before := s.hasher.Calls()
		r := h.visit("/v1/sign-in", body, "X-Request-Id", "5a3e5a3e").refused(401, "invalid_credentials")
		if calls := s.hasher.Calls() - before; calls != 1 {
			t.Errorf("%s: %d calls of the key derivation", name, calls)
		}
		r.header.Del("Date")
		got := fmt.Sprint(r.header, string(r.raw))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s answers otherwise: %s", name, got)
		}
	}
	// The tenth attempt on a name looks alike, whether somebody has it or not.
	outcome := func(name string) (all []string) {
		for range 10 {
			r := h.visit("/v1/sign-in", map[string]any{"name": name, "password": "not this one at all"})
			all = append(all, fmt.Sprint(r.status, r.header.Get("Retry-After")))
		}
		return all
	}
	h.register("victim")
	if diff := cmp.Diff(outcome("victim"), outcome("unheard-of")); diff != "" {
		t.Errorf("a known name and an unknown one (-known +unknown):\n%s", diff)
	}
}

func TestSignIn_L1_ParallelGuesses(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	h := s.newStore(t)
	h.register("ada")
	before := s.hasher.Calls()
	statuses := make([]int, 200)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			r, err := h.request(t.Context(), "POST", "/v1/sign-in", map[string]any{"name": "ada", "password": fmt.Sprintf("guess number %04d", i)}, "Steward-Store", h.storeID())
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := h.http.Client().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = answer.Body.Close()
			statuses[i] = answer.StatusCode
		})
	}
	group.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	if calls := s.hasher.Calls() - before; calls > 5 || counts[401] > 5 || counts[429] < 195 {
		t.Errorf("%d guesses were checked, answers %v", calls, counts)
	}
}

func TestRegister_S1_06_S1_30_S1_43_R8(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	body := func(name string, more ...string) map[string]any {
		b := map[string]any{"email": name + "@example.com", "username": name, "password": goodPassword}
		for i := 0; i < len(more); i += 2 {
			b[more[i]] = more[i+1]
		}
		return b
	}
	first := h.visit("/v1/register", body("ada"), "X-Request-Id", "5a3e5a3e").want(202)
	taken := h.visit("/v1/register", body("other", "email", "ADA@example.com"), "X-Request-Id", "5a3e5a3e").want(202)
	if string(first.raw) != string(taken.raw) || first.str("next") != "sign_in" {
		t.Errorf("a free address answers %s, a taken one %s", first.raw, taken.raw)
	}
	h.visit("/v1/sign-in", map[string]any{"name": "other", "password": goodPassword}).refused(401, "invalid_credentials")
	h.unchanged(func() {
		h.visit("/v1/register", body("bob", "username", "ada")).refused(409, "name_taken", "username")
		h.visit("/v1/register", body("bob", "password", "short", "email", "no address")).refused(422, "invalid", "email", "password")
		h.visit("/v1/register", body("bob", "password", "password123456789")).refused(422, "password_common", "password")
		h.visit("/v1/register", body("bob"), "Idempotency-Key", "k").refused(400, "idempotency_key_not_allowed")
		h.send("POST", "/v1/register", body("bob")).refused(404, "store_not_found")
	})
	id := h.signIn("ada").str("customer_id")
	shown := h.owner("GET", "/v1/customers/"+id, nil).want(200)
	if shown.at("origin") != "self" || shown.at("status.value") != "active" || shown.at("status.by.kind") != "system" {
		t.Errorf("an account that was opened by its owner: %s", shown.raw)
	}

	h.setPolicies(map[string]any{"policies": map[string]any{"activation": "manual", "passwords": "classic"}}).want(200)
	if got := h.visit("/v1/register", body("carl", "password", "Abcdefg1x")).want(202); got.str("next") != "wait" {
		t.Errorf("what comes next is %s", got.raw)
	}
	attempt := map[string]any{"name": "carl", "password": "Abcdefg1x"}
	h.visit("/v1/sign-in", attempt).refused(403, "account_disabled")
	_, marker := h.customer("marker") // the list is to show what was before this
	pending := h.read("/v1/customers?status=pending", marker)
	carl := pending.list("items")[0]["id"].(string)
	confirmed := h.owner("POST", "/v1/customers/"+carl+"/activate", nil).want(200)
	h.unchanged(func() { h.owner("POST", "/v1/customers/"+carl+"/activate", nil).want(200) })
	h.visit("/v1/sign-in", attempt).want(200)
	if e := h.read("/v1/customers/"+carl+"/log?type=customer.activated", confirmed).list("items"); len(e) != 1 || e[0]["by"].(map[string]any)["kind"] != "reseller" {
		t.Errorf("the log says %v", e)
	}
	h.setPolicies(map[string]any{"policies": map[string]any{"self_registration": "false"}}).want(200)
	h.visit("/v1/register", body("dora")).refused(403, "registration_closed")
}

// X3: with a cookie only the store's own pages change anything.
func TestSignIn_X3_CrossSite(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	domain, _ := h.domain("hers.com", id)
	r := h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword, "cookie": true}).want(200)
	if r.str("token") != "" {
		t.Error("a browser's scripts are shown the token")
	}
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	if err != nil || cookie.Name != "__Host-steward_session" || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" ||
		cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 0 || !cookie.Expires.IsZero() {
		t.Fatalf("the cookie is %v, %v", cookie, err)
	}
	host := strings.TrimPrefix(h.http.URL, "http://")
	for _, site := range []string{"", "same-origin", "same-site", "cross-site", "none"} {
		for _, origin := range []string{"", "https://" + host, "https://evil.example", "null"} {
			for _, method := range []string{"GET", "POST"} {
				path, body, want := "/v1/customers/me", any(nil), 200
				if method == "POST" {
					path, body, want = "/v1/domains/"+domain+"/set-lock", map[string]any{"value": true}, 403
					if site == "same-origin" || site == "" && origin == "https://"+host {
						want = 200
					}
				}
				got := h.send(method, path, body, "Cookie", cookie.Name+"="+cookie.Value, "Sec-Fetch-Site", site, "Origin", origin)
				if got.status != want {
					t.Errorf("%s with Sec-Fetch-Site %q and Origin %q: %d %s", method, site, origin, got.status, got.raw)
				}
			}
		}
	}
	h.send("GET", "/v1/customers/me?session="+cookie.Value, nil).want(401) // X5
	h.send("GET", "/v1/store", nil, "Cookie", cookie.Name+"="+h.keys[events.RoleOwner]).want(401)
}

// What proves who somebody is stands nowhere that people look at.
func TestSignIn_S0_24_SecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	h := s.newStore(t)
	h.register("ada")
	session := h.signIn("ada")
	h.visit("/v1/sign-in", map[string]any{"name": "strangers-name", "password": "another secret word"}).want(401)
	last := h.as(session, "POST", "/v1/sign-out", nil).want(200)
	token := session.str("token")
	secret := token[len(token)-9-43 : len(token)-9] // before the checksum
	everything := map[string]string{
		"events": string(h.owner("GET", "/v1/events?limit=200", nil).want(200).raw),
		"stored": string(h.owner("GET", "/v1/events?limit=200&stored=true", nil).want(200).raw),
		"log":    string(h.owner("GET", "/v1/log?limit=200", nil).want(200).raw), "logs": s.logs.String(), "answer": string(last.raw),
	}
	for _, record := range h.stored() {
		everything["the log of events"] += string(record.Data) + string(record.Metadata) + record.Stream
	}
	for name, text := range everything {
		for _, canary := range []string{goodPassword, "another secret word", secret, "$argon2"} {
			if strings.Contains(text, canary) {
				t.Errorf("%s hold %q", name, canary)
			}
		}
		if (name == "logs" || name == "the log of events" || name == "answer") && strings.Contains(text, "strangers-name") {
			t.Errorf("%s hold what a stranger called themself", name)
		}
	}
}
