package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/apitoken"
)

// secretFields are the fields of requests that hold a secret to be checked.
var secretFields = []string{"password", "current_password", "code", "recovery_code", "token", "grant", "challenge"}

// secretRoutes lists every route that checks a secret, from the documentation, so that
// a new one cannot be forgotten.
func secretRoutes(t *testing.T, h *harness) []string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(h.send("GET", "/openapi.json", nil).want(200).raw, &doc); err != nil {
		t.Fatal(err)
	}
	var routes []string
	for path, item := range doc.Paths {
		for method, operation := range item {
			body := operation.RequestBody.Content["application/json"].Schema
			if name, ok := strings.CutPrefix(body.Ref, "#/components/schemas/"); ok {
				body = doc.Components.Schemas[name]
			}
			for _, field := range secretFields {
				if _, has := body.Properties[field]; has {
					routes = append(routes, strings.ToUpper(method)+" "+path)
					break
				}
			}
		}
	}
	slices.Sort(routes)
	return routes
}

type schema struct {
	Ref        string         `json:"$ref"`
	Properties map[string]any `json:"properties"`
}

// Every route that checks a secret is driven to its limit.
func TestEverySecretRouteThrottled_L3(t *testing.T) {
	t.Parallel()
	wrong := "not the right one"
	drivers := map[string]func(h *harness) func() *reply{
		"POST /v1/sign-in": func(h *harness) func() *reply {
			h.register("ada")
			return func() *reply { return h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": wrong}) }
		},
		"POST /v1/staff/sign-in": func(h *harness) func() *reply {
			return func() *reply {
				return h.visit("/v1/staff/sign-in", map[string]any{"email": "olivia@example.com", "password": wrong})
			}
		},
		"POST /v1/sign-in/second-factor": func(h *harness) func() *reply {
			h.register("ada")
			h.enrol(h.signIn("ada"))
			challenge := h.challenged("ada")
			return func() *reply { return h.answer(challenge, "code", "000000") }
		},
		"POST /v1/links/redeem": func(h *harness) func() *reply {
			links := h.links()
			id := mustCustomer(h.register("ada"))
			token := h.issue(links, id, "reset", "")
			h.issue(links, id, "reset", "") // which ends the first
			return func() *reply { return h.visit("/v1/links/redeem", map[string]any{"token": token}) }
		},
		"POST /v1/impersonations/redeem": func(h *harness) func() *reply {
			used := h.grant("support", h.register("ada"))
			h.redeemGrant(used).want(200)
			return func() *reply { return h.redeemGrant(used) }
		},
	}
	own := func(path string, body map[string]any) func(h *harness) func() *reply {
		return func(h *harness) func() *reply {
			h.register("ada")
			session := h.signIn("ada")
			if strings.HasSuffix(path, "/two-factor/renew-codes") || strings.HasSuffix(path, "/two-factor/disable") {
				h.enrol(session)
			}
			if strings.HasSuffix(path, "/two-factor/confirm") {
				h.as(session, "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": goodPassword}).want(200)
			}
			return func() *reply { return h.as(session, "POST", strings.ReplaceAll(path, "{id}", "me"), body) }
		}
	}
	team := func(path string, body map[string]any) func(h *harness) func() *reply {
		return func(h *harness) func() *reply {
			h.member("grace", "owner")
			session := h.visit("/v1/staff/sign-in", map[string]any{"email": "grace@team.example", "password": goodPassword}).want(200)
			if strings.Contains(path, "/two-factor/") && !strings.HasSuffix(path, "/start") {
				setup := h.as(session, "POST", "/v1/staff/me/two-factor/start", map[string]any{"password": goodPassword}).want(200)
				if !strings.HasSuffix(path, "/confirm") {
					code := newDevice(h.t, setup.str("key")).code(h.now.now())
					h.as(session, "POST", "/v1/staff/me/two-factor/confirm", map[string]any{"code": code}).want(200)
				}
			}
			key := h.owner("POST", "/v1/api-keys", map[string]any{}).want(201).str("id")
			customer, _ := h.customer("ada")
			at := strings.NewReplacer("/v1/api-keys/{id}", "/v1/api-keys/"+key, "/v1/customers/{id}", "/v1/customers/"+customer).Replace(path)
			return func() *reply { return h.as(session, "POST", at, body) }
		}
	}
	for _, path := range []string{"two-factor/start", "two-factor/renew-codes"} {
		drivers["POST /v1/customers/{id}/"+path] = own("/v1/customers/{id}/"+path, map[string]any{"password": wrong})
		drivers["POST /v1/staff/me/"+path] = team("/v1/staff/me/"+path, map[string]any{"password": wrong})
	}
	for path, body := range map[string]map[string]any{
		"two-factor/confirm": {"code": "000000"},
		"two-factor/disable": {"password": wrong},
		"change-password":    {"current_password": wrong, "new_password": newPassword},
	} {
		drivers["POST /v1/customers/{id}/"+path] = own("/v1/customers/{id}/"+path, body)
		drivers["POST /v1/staff/me/"+path] = team("/v1/staff/me/"+path, body)
	}
	drivers["POST /v1/customers/{id}/request-email-change"] = own("/v1/customers/{id}/request-email-change", map[string]any{"email": "new@example.com", "password": wrong})
	drivers["POST /v1/customers/{id}/erase"] = own("/v1/customers/{id}/erase", map[string]any{"password": wrong})
	drivers["POST /v1/customers/{id}/export"] = own("/v1/customers/{id}/export", map[string]any{"password": wrong, "purpose": "to see it"})
	drivers["POST /v1/api-keys"] = team("/v1/api-keys", map[string]any{"password": wrong})
	drivers["POST /v1/api-keys/{id}/rotate"] = team("/v1/api-keys/{id}/rotate", map[string]any{"password": wrong})
	drivers["POST /v1/customers/{id}/impersonate"] = team("/v1/customers/{id}/impersonate", map[string]any{"password": wrong, "reason": "to help"})

	for _, route := range secretRoutes(t, newHarness(t)) {
		if route == "POST /v1/register" {
			continue // its password is a new one, and compared with nothing
		}
		t.Run(strings.ReplaceAll(route, "/", " "), func(t *testing.T) {
			t.Parallel()
			driver := drivers[route]
			if driver == nil {
				t.Fatalf("%s checks a secret and is not driven to its limit", route)
			}
			attempt := driver(newHarness(t))
			for n := range 45 {
				switch r := attempt(); {
				case r.status == http.StatusTooManyRequests:
					return
				case r.status < 400 || r.status >= 500:
					t.Fatalf("attempt %d is answered %d: %s", n, r.status, r.raw)
				}
			}
			t.Errorf("45 wrong secrets, and no limit: %s", attempt().raw)
		})
	}
}

// Whatever a browser held before signing in opens nothing after.
func TestSessionFixation_L8(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	planted := apitoken.NewSession().Reveal()
	kept := "__Host-steward_session=" + planted
	in := h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword, "cookie": true}, "Cookie", kept).want(200)
	if strings.Contains(in.header.Get("Set-Cookie"), planted) {
		t.Error("the planted token was kept")
	}
	h.send("GET", "/v1/customers/me", nil, "Cookie", kept).refused(401, "unauthorized")
	h.send("GET", "/v1/customers/me", nil, "Authorization", "Bearer "+planted).refused(401, "unauthorized")
}

// Codes and recovery codes share their attempts.
func TestSecondFactor_T6_OneBucket(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	h.enrol(h.signIn("ada"))
	challenge := h.challenged("ada")
	for n := range 5 {
		field, value := "code", "000000"
		if n%2 == 1 {
			field, value = "recovery_code", "0000-0000-0000-0000-0000-0000"
		}
		h.answer(challenge, field, value).refused(401, "invalid_code")
	}
	h.answer(challenge, "code", "000000").refused(429, "too_many_attempts")
	h.answer(challenge, "recovery_code", "0000-0000-0000-0000-0000-0000").refused(429, "too_many_attempts")
}

// What was shown once is shown nowhere else.
func TestSecondFactor_T11_S3_19_ShownOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	session := h.signIn("ada")
	setup := h.as(session, "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": goodPassword}).want(200)
	key := setup.str("key")
	done := h.as(session, "POST", "/v1/customers/me/two-factor/confirm", map[string]any{"code": newDevice(t, key).code(h.now.now())}).want(200)
	if setup.header.Get("Cache-Control") != "no-store" || done.header.Get("Cache-Control") != "no-store" {
		t.Error("it may be kept by caches")
	}
	last := h.owner("POST", "/v1/customers/"+id+"/set-tags", map[string]any{"tags": []string{"x"}}).want(200)
	secrets := append(done.texts("recovery_codes"), key, strings.ReplaceAll(key, " ", ""))
	for _, path := range []string{"/v1/customers/" + id, "/v1/customers/" + id + "/log?limit=200", "/v1/customers/" + id + "/sessions", "/v1/events?limit=200"} {
		shown := string(h.read(path, last).raw)
		for _, secret := range secrets {
			if strings.Contains(shown, secret) {
				t.Errorf("%s shows it", path)
			}
		}
	}
}

// A token in an address is no credential.
func TestTokenInTheAddress_X5(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	token := h.signIn("ada").str("token")
	for _, name := range []string{"session", "token", "access_token", "Authorization"} {
		if r := h.send("GET", "/v1/customers/me?"+name+"="+token, nil); r.status != 401 {
			t.Errorf("?%s= is answered %d", name, r.status)
		}
	}
	if strings.Contains(h.logs.String(), token) {
		t.Error("the log holds the token")
	}
}

// Links lead to the store's own page, and mails go to the stored address, whatever a
// request says.
func TestForgotPassword_R6_R7(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.opened(map[string]any{"email": "mike@example.com", "username": "mike"})
	for _, near := range []string{"mıke@example.com", "mike@exаmple.com", "mike@example.com@evil.example", "mike @example.com", "mike%40example.com"} {
		m.visit("/v1/forgot-password", map[string]any{"email": near}, "X-Forwarded-For", uuidIP()).want(202)
	}
	m.visit("/v1/forgot-password", map[string]any{"email": "MIKE@example.com"}, "Host", "evil.example", "X-Forwarded-Host", "evil.example").want(202)
	token := m.link("mike@example.com", "#stw_link_") // which looks at the host of the link
	m.redeem(token).want(200)
	issued := 0
	for _, r := range m.facts() {
		if r.Type == "login.link_issued" {
			issued++
		}
	}
	if issued != 1 {
		t.Errorf("%d links were issued", issued)
	}
}

// In a store where the team sets no passwords no route takes one from it.
func TestStaffPasswords_R11_S2_14(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, _ := h.customer("ada")
	h.owner("POST", "/v1/customers", map[string]any{"email": "eve@example.com", "username": "eve", "password": goodPassword}).refused(422, "unknown_field")
	h.owner("POST", "/v1/customers/"+id+"/set-password", map[string]any{"new_password": goodPassword}).refused(422, "staff_password_never", "new_password")
	h.owner("POST", "/v1/customers/"+id+"/change-password", map[string]any{"current_password": "x", "new_password": goodPassword}).want(403)
	h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword}).refused(401, "invalid_credentials")
}

// One address may have an account in each of two stores, and no answer differs.
func TestTwoStores_N4(t *testing.T) {
	t.Parallel()
	a, b := newHarness(t), newHarness(t)
	body := map[string]any{"email": "ada@example.com", "username": "ada", "password": goodPassword}
	first := b.visit("/v1/register", map[string]any{"email": "eve@example.com", "username": "eve", "password": goodPassword}).want(202)
	a.visit("/v1/register", body).want(202)
	if second := b.visit("/v1/register", body).want(202); string(second.raw) != string(first.raw) {
		t.Errorf("%s, %s", first.raw, second.raw)
	}
	if one, other := a.signIn("ada").str("customer_id"), b.signIn("ada").str("customer_id"); one == other {
		t.Error("both stores have one customer")
	}
}
