package api_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/totp"
)

// device is an authenticator app with the secret that the API showed.
type device struct{ secret totp.Secret }

func newDevice(t *testing.T, key string) device {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := totp.SecretFrom(raw)
	if err != nil {
		t.Fatal(err)
	}
	return device{secret}
}

func (d device) code(at time.Time) string {
	step, _ := totp.Step(at)
	return d.secret.Code(step)
}

// enrol sets up a second factor and returns the app and the recovery codes.
func (h *harness) enrol(session *reply) (device, []string) {
	h.t.Helper()
	setup := h.as(session, "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": goodPassword}).want(200)
	d := newDevice(h.t, setup.str("key"))
	done := h.as(session, "POST", "/v1/customers/me/two-factor/confirm", map[string]any{"code": d.code(h.now.now())}).want(200)
	return d, done.texts("recovery_codes")
}

func (h *harness) challenged(name string) string {
	h.t.Helper()
	r := h.signIn(name)
	if r.str("next") != "second_factor" || r.str("token") != "" || r.header.Get("Set-Cookie") != "" {
		h.t.Fatalf("the password alone was answered %s", r.raw)
	}
	return r.str("challenge")
}

func (h *harness) answer(challenge, field, value string) *reply {
	h.t.Helper()
	return h.send("POST", "/v1/sign-in/second-factor", map[string]any{"challenge": challenge, field: value})
}

func TestTwoFactor_S3_01_to_S3_34_FromSetUpToRecovery(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id := h.register("ada")
	path := "/v1/customers/" + id
	session := h.signIn("ada")
	state := func(want string) *reply {
		t.Helper()
		r := h.owner("GET", path, nil).want(200)
		if r.str("two_factor") != want {
			t.Errorf("S3-41 S3-43: the team sees %v, want %s", r.at("two_factor"), want)
		}
		return r
	}
	state("Disabled") // S3-03

	h.as(session, "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": "not this one at all"}).refused(403, "wrong_password")
	h.as(session, "POST", "/v1/customers/me/two-factor/confirm", map[string]any{"code": "000000"}).refused(409, "two_factor_not_started")
	setup := h.as(session, "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": goodPassword}).want(200)
	if !strings.HasPrefix(setup.str("uri"), "otpauth://totp/Shop:ada?") || !strings.HasPrefix(setup.str("qr_svg"), "<svg") || len(setup.texts("steps")) == 0 {
		t.Errorf("S3-07 S3-10 S3-13: the set-up is %s", setup.raw)
	}
	if raw, err := base64.StdEncoding.DecodeString(setup.str("qr_png")); err != nil {
		t.Error(err)
	} else if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		t.Errorf("the PNG: %v", err)
	}
	state("Disabled") // S3-12
	d := newDevice(t, setup.str("key"))
	h.as(session, "POST", "/v1/customers/me/two-factor/confirm", map[string]any{"code": d.code(s.now.now().Add(time.Hour))}).refused(401, "invalid_code", "code")
	state("Disabled") // S3-15
	confirmCode := d.code(s.now.now())
	confirmed := h.as(session, "POST", "/v1/customers/me/two-factor/confirm", map[string]any{"code": confirmCode}).want(200)
	codes := confirmed.texts("recovery_codes")
	if len(codes) != 10 || confirmed.at("shown_once") != true {
		t.Errorf("S3-16 S3-17: %s", confirmed.raw)
	}
	h.as(session, "GET", "/v1/customers/me", nil).want(200) // S3-21
	if got := state("Enabled"); got.num("recovery_codes_left") != 10 {
		t.Errorf("S3-62: %v codes are left", got.at("recovery_codes_left"))
	}

	// S3-11, S3-23, S3-24: the password opens nothing.
	challenge := h.challenged("ada")
	for _, credential := range []string{"Bearer " + challenge, "Bearer " + strings.Replace(challenge, "stw_2fa_", "stw_ses_", 1)} {
		h.send("GET", "/v1/customers/me", nil, "Authorization", credential).want(401)
	}
	h.answer(challenge, "code", confirmCode).refused(401, "invalid_code", "code") // T4
	s.now.advance(31 * time.Second)
	used := d.code(s.now.now())
	in := h.answer(challenge, "code", used).want(200) // S3-28: the same challenge
	if in.str("next") != "signed_in" {
		t.Errorf("S3-25: %s", in.raw)
	}
	h.as(in, "GET", "/v1/customers/me", nil).want(200)
	h.answer(challenge, "code", used).refused(401, "challenge_over")
	second := h.challenged("ada")
	h.answer(second, "code", used).refused(401, "invalid_code") // S3-61, T1
	for _, variant := range []string{" " + used, used + " ", used[:3] + "\u00a0" + used[3:], "+" + used} {
		h.answer(second, "code", variant).refused(401, "invalid_code") // T2
	}
	h.answer(second, "code", d.code(s.now.now().Add(30*time.Second))).refused(429, "too_many_attempts") // five a challenge
	if got := h.as(in, "GET", "/v1/customers/me/domains", nil).want(200); len(got.list("notices")) != 0 {
		t.Error("S3-31: a normal session is told to reset its second factor")
	}

	// S3-29 to S3-33: a recovery code, once, and two-factor stays on.
	third := h.challenged("ada")
	h.answer(third, "recovery_code", "0000-0000-0000-0000-0000-0000").refused(401, "invalid_code")
	recovered := h.answer(third, "recovery_code", strings.ToLower(codes[3])).want(200)
	if got := h.as(recovered, "GET", "/v1/customers/me/domains", nil).want(200).list("notices"); len(got) != 1 || got[0]["code"] != "reset_2fa" {
		t.Errorf("S3-31: the notices are %v", got)
	}
	if got := state("Enabled"); got.num("recovery_codes_left") != 9 {
		t.Errorf("S3-30: %v codes are left", got.at("recovery_codes_left"))
	}
	h.answer(h.challenged("ada"), "recovery_code", codes[3]).refused(401, "invalid_code") // S3-18

	// S3-34: another app takes the place of this one and its codes.
	s.now.advance(time.Minute)
	other, fresh := h.enrol(recovered)
	s.now.advance(time.Minute)
	fourth := h.challenged("ada")
	h.answer(fourth, "code", d.code(s.now.now())).refused(401, "invalid_code")
	h.answer(fourth, "recovery_code", codes[4]).refused(401, "invalid_code")
	h.answer(fourth, "code", other.code(s.now.now())).want(200)
	renewed := h.as(recovered, "POST", "/v1/customers/me/two-factor/renew-codes", map[string]any{"password": goodPassword}).want(200)
	fifth := h.challenged("ada")
	h.answer(fifth, "recovery_code", fresh[0]).refused(401, "invalid_code")
	last := h.answer(fifth, "recovery_code", renewed.texts("recovery_codes")[0]).want(200)

	_, marker := h.customer("marker")
	var words []string
	for _, e := range h.read(path+"/log?limit=200", marker).list("items") {
		words = append(words, e["event"].(string))
	}
	for _, word := range []string{
		"Two-factor authentication being set up", "Two-factor authentication enabled", "Second factor asked for",
		"Second factor refused", "Code of the authenticator app used", "Recovery code used", "Recovery codes renewed", "Signed in",
	} {
		if !strings.Contains(strings.Join(words, "\n"), word) {
			t.Errorf("the log does not say %q", word)
		}
	}
	h.as(last, "POST", "/v1/sign-out", nil).want(200)
}

func TestTwoFactor_S3_36_to_S3_63_Disabling(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	h := s.newStore(t)
	id := h.register("ada")
	path := "/v1/customers/" + id
	session := h.signIn("ada")
	offers := func() bool {
		t.Helper()
		return strings.Contains(strings.Join(h.owner("GET", path, nil).want(200).texts("available_actions"), " "), "disable_2fa")
	}
	if offers() {
		t.Error("S3-45: disabling is offered while it is off")
	}
	h.owner("POST", path+"/two-factor/disable", map[string]any{"confirm": true}).refused(409, "two_factor_disabled") // S3-63
	for _, action := range []string{"start", "renew-codes"} {                                                        // S3-44, T10
		h.owner("POST", path+"/two-factor/"+action, map[string]any{"password": goodPassword}).refused(403, "customer_only")
	}
	h.owner("POST", path+"/two-factor/confirm", map[string]any{"code": "000000"}).refused(403, "customer_only")

	d, codes := h.enrol(session)
	if !offers() {
		t.Error("S3-45: disabling is not offered while it is on")
	}
	h.as(session, "POST", "/v1/customers/me/two-factor/disable", map[string]any{}).refused(403, "wrong_password") // S3-37, T9
	h.challenged("ada")
	h.as(session, "POST", "/v1/customers/me/two-factor/disable", map[string]any{"password": goodPassword}).want(200)
	session = h.signIn("ada")
	if session.str("next") != "signed_in" {
		t.Fatalf("S3-38: %s", session.raw)
	}

	// S3-55: a new password leaves it on; S3-39, S3-51: from the beginning.
	s.now.advance(time.Minute)
	again, moreCodes := h.enrol(session)
	if again.code(s.now.now()) == d.code(s.now.now()) || moreCodes[0] == codes[0] {
		t.Error("S3-39: the same secret or the same codes")
	}
	h.as(session, "POST", "/v1/customers/me/change-password", map[string]any{"current_password": goodPassword, "new_password": "another long evening"}).want(200)
	attempt := map[string]any{"name": "ada", "password": "another long evening"}
	if r := h.visit("/v1/sign-in", attempt).want(200); r.str("next") != "second_factor" {
		t.Errorf("S3-55: after a new password: %s", r.raw)
	}

	// S3-46 to S3-52: the team disables it, having meant to, where the store has the tool.
	h.owner("POST", path+"/two-factor/disable", map[string]any{}).refused(428, "confirmation_required", "confirm") // S3-47
	h.do(events.RoleAnalyst, "POST", path+"/two-factor/disable", map[string]any{"confirm": true}).refused(403, "forbidden")
	h.setPolicies(map[string]any{"policies": map[string]any{"staff_disable_two_factor": "false"}}).want(200)
	h.owner("POST", path+"/two-factor/disable", map[string]any{"confirm": true}).refused(404, "route_not_found") // S3-40
	if offers() {
		t.Error("S3-40: disabling is offered where the store has no such tool")
	}
	h.setPolicies(map[string]any{"policies": map[string]any{"staff_disable_two_factor": "true"}}).want(200)
	done := h.do(events.RoleSupport, "POST", path+"/two-factor/disable", map[string]any{"confirm": true}).want(200)
	e := h.read(path+"/log?setting=two_factor", done).list("items")[0]
	by, _ := e["by"].(map[string]any)
	if e["event"] != "Two-factor authentication disabled" || by["kind"] != "reseller" || by["staff"].(map[string]any)["id"] != h.staffID(events.RoleSupport) {
		t.Errorf("S3-52: the log says %v", e)
	}
	if r := h.visit("/v1/sign-in", attempt).want(200); r.str("next") != "signed_in" { // S3-50
		t.Errorf("S3-50: %s", r.raw)
	}
}

// T1, S3-18: many send the same code at the same time, on two instances, each with a
// challenge of their own; one gets in.
func TestTwoFactor_T1_T7_OneOfManyGetsIn(t *testing.T) {
	t.Parallel()
	stacks := startInstances(t, 2)
	for _, s := range stacks {
		s.serve(t, nil)
	}
	h := stacks[0].newStore(t)
	h.register("ada")
	d, codes := h.enrol(h.signIn("ada"))
	h.now.advance(time.Minute)
	race := func(field, value string) {
		t.Helper()
		// A challenge admits five, a customer ten in fifteen minutes.
		challenges := []string{h.challenged("ada"), h.challenged("ada")}
		var group sync.WaitGroup
		statuses := make(chan int, 8)
		for i := range 8 {
			group.Go(func() {
				s := stacks[i%2]
				r, err := s.request(t.Context(), "POST", "/v1/sign-in/second-factor", map[string]any{"challenge": challenges[i/4], field: value})
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := s.http.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer answer.Body.Close()
				var body struct {
					Token string `json:"token"`
				}
				if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				if (answer.StatusCode == http.StatusOK) != (body.Token != "") {
					t.Errorf("status %d with token %v", answer.StatusCode, body.Token != "")
				}
				statuses <- answer.StatusCode
			})
		}
		group.Wait()
		close(statuses)
		in := 0
		for status := range statuses {
			if status == http.StatusOK {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s: %d of 8 got in", field, in)
		}
	}
	race("code", d.code(h.now.now()))
	race("recovery_code", codes[0])
}
