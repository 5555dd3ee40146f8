package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

func TestStaffSessions_P13_P14_X2_X4(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id := h.member("grace", events.RoleSupport)
	path := "/v1/staff/" + id
	alive := func(session *reply, status int) {
		t.Helper()
		h.as(session, "GET", "/v1/staff/me", nil).want(status)
	}
	first, second := h.signInStaff("grace"), h.signInStaff("grace")
	if got := len(h.as(first, "GET", "/v1/staff/me/sessions", nil).want(200).list("items")); got != 2 {
		t.Errorf("she has %d sessions", got)
	}
	if got := len(h.owner("GET", path+"/sessions", nil).want(200).list("items")); got != 2 {
		t.Errorf("the owner sees %d sessions of hers", got)
	}
	h.as(first, "GET", path+"/sessions", nil).refused(403, "forbidden")
	if out := h.as(first, "POST", "/v1/sign-out", nil).want(200); !strings.HasPrefix(out.header.Get("Set-Cookie"), "__Host-steward_staff=;") {
		t.Errorf("signing out sets %s", out.header.Get("Set-Cookie"))
	}
	alive(first, 401)

	// The role is that of now, and a deactivated member is out and stays out.
	h.as(second, "GET", "/v1/staff", nil).refused(403, "forbidden")
	h.owner("POST", path+"/change-role", map[string]any{"role": "admin"}).want(200)
	h.as(second, "GET", "/v1/staff", nil).want(200)
	h.owner("POST", path+"/change-role", map[string]any{"role": "support"}).want(200)
	h.as(second, "GET", "/v1/staff", nil).refused(403, "forbidden")
	h.owner("POST", path+"/deactivate", nil).want(200)
	alive(second, 401)
	h.owner("POST", path+"/reactivate", nil).want(200)
	alive(second, 401)

	third := h.signInStaff("grace")
	h.do(events.RoleAdmin, "POST", "/v1/staff/"+h.staffID(events.RoleOwner)+"/end-sessions", nil).refused(403, "role_above_own")
	h.owner("POST", path+"/end-sessions", nil).want(200)
	alive(third, 401)
	fourth := h.signInStaff("grace")
	h.as(fourth, "POST", "/v1/staff/me/end-sessions", nil).want(200)
	alive(fourth, 401)

	fifth := h.signInStaff("grace")
	change := "/v1/staff/me/change-password"
	h.as(fifth, "POST", change, map[string]any{"current_password": "not this one at all", "new_password": "another long evening"}).refused(403, "wrong_password", "current_password")
	h.as(fifth, "POST", change, map[string]any{"current_password": goodPassword, "new_password": "another long evening"}).want(200)
	alive(fifth, 401)
	again := func() *reply { return h.tryStaff("grace", "another long evening").want(200) }

	sixth := again()
	for range 33 {
		s.now.advance(14 * time.Minute)
		alive(sixth, 200)
	}
	s.now.advance(14 * time.Minute)
	s.now.advance(5 * time.Minute) // eight hours in all
	alive(sixth, 401)
	seventh := again()
	s.now.advance(16 * time.Minute)
	alive(seventh, 401)

	// An API key is no session.
	for _, route := range []string{"end-sessions", "change-password", "two-factor/start", "two-factor/confirm", "two-factor/renew-codes", "two-factor/disable"} {
		body := bodyFor("/v1/staff/me/" + route)
		if strings.HasSuffix(route, "/disable") {
			body = map[string]any{"password": "x"}
		}
		h.owner("POST", "/v1/staff/me/"+route, body).refused(403, "session_needed")
	}
	if me := h.owner("GET", "/v1/staff/me", nil).want(200); me.at("session_id") != nil || me.str("id") != h.staffID(events.RoleOwner) {
		t.Errorf("an API key is %s", me.raw)
	}
}

func TestStaffTwoFactor_K2_TwoStepsAndALostDevice(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id := h.member("grace", events.RoleAdmin)
	h.setPolicies(map[string]any{"policies": map[string]any{"staff_two_factor": "required"}}).want(200)

	session := h.signInStaff("grace")
	if session.str("next") != "set_up_second_factor" {
		t.Fatalf("K2: what comes next is %s", session.raw)
	}
	enrolling := map[string]bool{"/v1/staff/me": true, "/v1/staff/me/two-factor/start": true, "/v1/staff/me/two-factor/confirm": true, "/v1/sign-out": true}
	for _, line := range h.server.Table() {
		if line.Permission == "public" || enrolling[line.Path] || line.Path == "/v1/customers/{id}" && line.Method == "GET" || strings.HasPrefix(line.Path, "/v1/customers/{id}/two-factor/") {
			continue
		}
		path := strings.ReplaceAll(line.Path, "{id}", unknown(idKindOf(line.Path)))
		if r := h.as(session, line.Method, path, bodyFor(line.Path), "If-Match", `"r0"`); r.str("code") != "two_factor_required" {
			t.Errorf("K2: %s %s answers %d %s", line.Method, line.Path, r.status, r.raw)
		}
	}
	if me := h.as(session, "GET", "/v1/staff/me", nil).want(200); me.at("two_factor.required") != true || me.at("two_factor.enabled") != false {
		t.Errorf("she is told %s", me.raw)
	}
	h.owner("GET", "/v1/staff", nil).want(200) // an API key has no second factor

	start, confirm := "/v1/staff/me/two-factor/start", "/v1/staff/me/two-factor/confirm"
	h.as(session, "POST", start, map[string]any{"password": "not this one at all"}).refused(403, "wrong_password")
	setup := h.as(session, "POST", start, map[string]any{"password": goodPassword}).want(200)
	if !strings.HasPrefix(setup.str("uri"), "otpauth://totp/Shop:grace@team.example?") && !strings.HasPrefix(setup.str("uri"), "otpauth://totp/Shop:grace%40team.example?") {
		t.Errorf("the set-up is %s", setup.str("uri"))
	}
	app := newDevice(t, setup.str("key"))
	codes := h.as(session, "POST", confirm, map[string]any{"code": app.code(s.now.now())}).want(200).texts("recovery_codes")
	h.as(session, "GET", "/v1/staff", nil).want(200)

	s.now.advance(time.Minute)
	step := h.signInStaff("grace")
	if step.str("next") != "second_factor" || step.str("token") != "" {
		t.Fatalf("the password alone is answered %s", step.raw)
	}
	code := app.code(s.now.now())
	in := h.answer(step.str("challenge"), "code", code).want(200)
	if in.str("staff_id") != id {
		t.Errorf("two steps lead to %s", in.raw)
	}
	h.answer(h.signInStaff("grace").str("challenge"), "code", code).refused(401, "invalid_code") // T1
	h.as(in, "GET", "/v1/staff", nil).want(200)
	lost := h.answer(h.signInStaff("grace").str("challenge"), "recovery_code", codes[0]).want(200)
	if me := h.as(lost, "GET", "/v1/staff/me", nil).want(200); me.num("two_factor.recovery_codes_left") != 9 {
		t.Errorf("she has %s", me.raw)
	}

	// A colleague disables it: confirmed, logged, nobody's above, and nobody's own.
	h.member("heidi", events.RoleAdmin)
	path := "/v1/staff/" + id + "/two-factor/disable"
	yes := map[string]any{"confirm": true}
	h.owner("POST", path, map[string]any{"confirm": false}).refused(428, "confirmation_required", "confirm")
	h.as(in, "POST", path, yes).refused(409, "not_yourself")
	h.do(events.RoleSupport, "POST", path, yes).refused(403, "forbidden")
	h.do(events.RoleAdmin, "POST", "/v1/staff/"+h.staffID(events.RoleOwner)+"/two-factor/disable", yes).refused(403, "role_above_own")
	done := h.do(events.RoleAdmin, "POST", path, yes).want(200)
	h.do(events.RoleAdmin, "POST", path, yes).refused(409, "two_factor_disabled")
	entry := h.read("/v1/log?type=login.two_factor_disabled", done).list("items")[0]
	if entry["customer_id"] != nil || entry["category"] != "Team" {
		t.Errorf("the log says %v", entry)
	}
	if again := h.signInStaff("grace"); again.str("next") != "set_up_second_factor" {
		t.Errorf("K2: after it was disabled: %s", again.raw)
	}
}

// T9: one's own second factor goes with the password only.
func TestStaffTwoFactor_T9_OwnAndCodes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.member("grace", events.RoleAnalyst)
	session := h.signInStaff("grace")
	good, wrong := map[string]any{"password": goodPassword}, map[string]any{"password": "not this one at all"}
	setup := h.as(session, "POST", "/v1/staff/me/two-factor/start", good).want(200)
	app := newDevice(t, setup.str("key"))
	first := h.as(session, "POST", "/v1/staff/me/two-factor/confirm", map[string]any{"code": app.code(h.now.now())}).want(200).texts("recovery_codes")
	h.as(session, "POST", "/v1/staff/me/two-factor/renew-codes", wrong).refused(403, "wrong_password")
	second := h.as(session, "POST", "/v1/staff/me/two-factor/renew-codes", good).want(200).texts("recovery_codes")
	h.answer(h.signInStaff("grace").str("challenge"), "recovery_code", first[0]).refused(401, "invalid_code")
	h.answer(h.signInStaff("grace").str("challenge"), "recovery_code", second[0]).want(200)
	h.as(session, "POST", "/v1/staff/me/two-factor/disable", wrong).refused(403, "wrong_password")
	h.as(session, "POST", "/v1/staff/me/two-factor/disable", good).want(200)
	h.signInStaff("grace").want(200)
}

// The same rule for customers, where a store has it.
func TestCustomerTwoFactor_K2_Required(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	h.setPolicies(map[string]any{"policies": map[string]any{"customer_two_factor": "required"}}).want(200)
	session := h.signIn("ada")
	if session.str("next") != "set_up_second_factor" {
		t.Fatalf("what comes next is %s", session.raw)
	}
	h.as(session, "GET", "/v1/customers/me", nil).want(200)
	h.as(session, "GET", "/v1/customers/me/domains", nil).refused(403, "two_factor_required")
	h.as(session, "POST", "/v1/customers/me/change-password", map[string]any{"current_password": goodPassword, "new_password": "another long evening"}).refused(403, "two_factor_required")
	h.enrol(session)
	h.as(session, "GET", "/v1/customers/me/domains", nil).want(200)
}
