package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/internal/wireid"
)

// member adds a member of the team who has chosen the good password, and returns
// their id. Their address is name@team.example.
func (h *harness) member(name string, role events.Role) string {
	h.t.Helper()
	id := h.owner("POST", "/v1/staff", map[string]any{"email": name + "@team.example", "name": name, "role": role, "invite": false}).want(201).str("id")
	h.owner("POST", "/v1/staff/"+id+"/invite", nil).want(200)
	h.choose(h.staffLink(id))
	return id
}

// staffLink is the token of the newest link that a member of the team was sent, ""
// for none.
func (h *harness) staffLink(id string) string {
	h.t.Helper()
	member := must(wireid.Parse(wireid.Staff, id))
	links := must(onetime.New(must(h.vault.SecretVersions(vault.SecretToken))))
	token := ""
	for _, record := range h.facts() {
		var issued events.LoginLinkIssued
		if record.Type != events.TypeLoginLinkIssued {
			continue
		}
		if err := json.Unmarshal(record.Data, &issued); err != nil {
			h.t.Fatal(err)
		}
		if issued.StaffID == member {
			token = must(links.Token(onetime.Link{
				Purpose: string(issued.Purpose), StoreID: h.store, HolderID: issued.LoginID, ID: issued.LinkID, Version: issued.KeyVersion,
			})).Reveal()
		}
	}
	return token
}

// react lets the reaction that sends links see everything that happened.
func (h *harness) react() {
	h.t.Helper()
	reaction := api.Logins(h.engine, must(onetime.New(must(h.vault.SecretVersions(vault.SecretToken)))), h.now.now)
	for _, record := range h.facts() {
		env := must(events.Decode(record))
		if !reaction.Wants(env.Event) {
			continue
		}
		if err := reaction.Handle(h.t.Context(), nil, env); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *harness) redeem(token string) *reply {
	h.t.Helper()
	return h.send("POST", "/v1/links/redeem", map[string]any{"token": token})
}

// choose follows a link and chooses the good password.
func (h *harness) choose(token string) {
	h.t.Helper()
	session := h.redeem(token).want(200)
	h.as(session, "POST", "/v1/staff/me/set-password", map[string]any{"new_password": goodPassword}).want(200)
}

// tryStaff tries to sign in as a member of the team.
func (h *harness) tryStaff(name, password string, headers ...string) *reply {
	h.t.Helper()
	return h.visit("/v1/staff/sign-in", map[string]any{"email": name + "@team.example", "password": password}, headers...)
}

func (h *harness) signInStaff(name string) *reply {
	h.t.Helper()
	return h.tryStaff(name, goodPassword).want(200)
}

func TestStaffInvitation_S0_03_FromTheLinkToTheWork(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	created := h.owner("POST", "/v1/staff", map[string]any{"email": "grace@team.example", "name": "Grace", "role": "admin"}).want(201)
	id := created.str("id")
	h.react()
	first := h.staffLink(id)
	h.unchanged(h.react) // once, however often it is seen
	h.owner("POST", "/v1/staff/"+id+"/invite", nil).want(200)
	second := h.staffLink(id)
	if first == "" || first == second {
		t.Fatal("no link was issued, or the same again")
	}
	h.redeem(first).refused(410, "link_over") // R4: the newest wins
	begun := h.redeem(second).want(200)
	if begun.str("next") != "set_password" || begun.str("staff_id") != id || begun.str("customer_id") != "" {
		t.Fatalf("the link leads to %s", begun.raw)
	}
	h.redeem(second).refused(410, "link_over")
	for _, line := range h.server.Table() {
		if line.Permission == "public" || line.Path == "/v1/staff/me/set-password" || line.Path == "/v1/sign-out" {
			continue
		}
		path := strings.ReplaceAll(line.Path, "{id}", unknown(idKindOf(line.Path)))
		h.as(begun, line.Method, path, bodyFor(line.Path), "If-Match", `"r0"`).refused(403, "forbidden")
	}
	set := "/v1/staff/me/set-password"
	h.as(begun, "POST", set, map[string]any{"new_password": "short"}).refused(422, "password_too_short", "new_password")
	h.as(begun, "POST", set, map[string]any{"new_password": "grace@team.example"}).refused(422, "password_personal", "new_password")
	h.as(begun, "POST", set, map[string]any{"new_password": goodPassword, "repeat_password": "other"}).refused(422, "passwords_differ", "repeat_password")
	h.as(begun, "POST", set, map[string]any{"new_password": goodPassword}).want(200)
	h.as(begun, "POST", set, map[string]any{"new_password": goodPassword}).want(401)
	h.owner("POST", "/v1/staff/"+id+"/invite", nil).refused(409, "password_chosen")

	session := h.signInStaff("grace")
	if session.str("next") != "signed_in" || session.str("staff_id") != id {
		t.Fatalf("the sign-in is %s", session.raw)
	}
	me := h.as(session, "GET", "/v1/staff/me", nil).want(200)
	if me.str("id") != id || me.str("email") != "grace@team.example" || me.str("role") != "admin" || me.str("session_id") != session.str("session_id") || len(me.texts("permissions")) < 10 {
		t.Errorf("she is %s", me.raw)
	}
	// One session is an operator's and a support agent's.
	customer, _ := h.customer("ada")
	h.as(session, "POST", "/v1/stores/"+h.storeID()+"/rename", map[string]any{"name": "Domain Shop"}).want(200)
	done := h.as(session, "POST", "/v1/customers/"+customer+"/suspend", nil).want(200)
	_, md := h.newest()
	if a := md.Actor; a.Kind != events.ActorReseller || wireid.Format(wireid.Staff, a.StaffID) != id || wireid.Format(wireid.Session, a.SessionID) != session.str("session_id") || a.APIKeyID != uuid.Nil {
		t.Errorf("S0-06: the actor is %+v", a)
	}
	line := h.read("/v1/customers/"+customer+"/log?type=customer.suspended", done).list("items")[0]
	if by := line["by"].(map[string]any); by["label"] != "Reseller" || line["session_id"] != session.str("session_id") {
		t.Errorf("S0-06: the log says %v", line)
	}
	h.as(session, "GET", "/v1/customers/me", nil).refused(400, "bad_id") // she is no customer
}

func TestStaffInvitation_OnlyWhoMay(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	quiet := h.owner("POST", "/v1/staff", map[string]any{"email": "quiet@team.example", "role": "support", "invite": false}).want(201).str("id")
	h.react()
	if h.staffLink(quiet) != "" {
		t.Error("somebody was invited who was not to be")
	}
	h.do(events.RoleAdmin, "POST", "/v1/staff/"+h.staffID(events.RoleOwner)+"/invite", nil).refused(403, "role_above_own")
	h.do(events.RoleSupport, "POST", "/v1/staff/"+quiet+"/invite", nil).refused(403, "forbidden")
	for name, steps := range map[string][]string{
		"deactivated": {"deactivate"}, "let back in": {"deactivate", "reactivate"}, "of another address": {"change-email"},
	} {
		h.owner("POST", "/v1/staff/"+quiet+"/reactivate", nil).want(200)
		h.owner("POST", "/v1/staff/"+quiet+"/invite", nil).want(200)
		for _, step := range steps {
			h.owner("POST", "/v1/staff/"+quiet+"/"+step, bodyFor("/"+step)).want(200)
		}
		h.redeem(h.staffLink(quiet)).refused(410, "link_over")
		t.Log("R4: somebody", name)
	}
	h.owner("POST", "/v1/staff/"+quiet+"/deactivate", nil).want(200)
	h.owner("POST", "/v1/staff/"+quiet+"/invite", nil).refused(409, "staff_inactive")
}

// R8, R9, R10: always 202; the link leads to another password, and all sessions end.
func TestStaffForgotPassword_R8_R9_R10(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.member("grace", events.RoleSupport)
	gone := h.member("gone", events.RoleSupport)
	h.owner("POST", "/v1/staff/"+gone+"/deactivate", nil).want(200)
	old := h.signInStaff("grace")
	before, beforeGone := h.staffLink(id), h.staffLink(gone)
	var answers []string
	for _, email := range []string{"GRACE@team.example", "gone@team.example", "nobody@team.example", "no address"} {
		written := len(h.facts())
		r := h.visit("/v1/staff/forgot-password", map[string]any{"email": email}, "X-Request-Id", "5a3e5a3e").want(202)
		if got := len(h.facts()) - written; got != 1 {
			t.Errorf("%s led to %d events", email, got)
		}
		r.header.Del("Date")
		answers = append(answers, fmt.Sprint(r.header, string(r.raw)))
	}
	for _, answer := range answers[1:] {
		if answer != answers[0] {
			t.Errorf("one answer is %s, another %s", answers[0], answer)
		}
	}
	link := h.staffLink(id)
	if link == before || h.staffLink(gone) != beforeGone {
		t.Fatal("the link is not for who may follow it")
	}
	session := h.redeem(link).want(200)
	h.as(session, "POST", "/v1/staff/me/set-password", map[string]any{"new_password": "another long evening"}).want(200)
	h.as(old, "GET", "/v1/staff/me", nil).want(401)
	h.tryStaff("grace", goodPassword).refused(401, "invalid_credentials")
	h.tryStaff("grace", "another long evening").want(200)
}

// The owner whom an installation began with has no password: they ask for one.
func TestStaffForgotPassword_K5_TheFirstOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	attempt := map[string]any{"email": "olivia@example.com", "password": goodPassword}
	h.visit("/v1/staff/sign-in", attempt).refused(401, "invalid_credentials")
	h.visit("/v1/staff/forgot-password", map[string]any{"email": "olivia@example.com"}).want(202)
	h.choose(h.staffLink(h.staffID(events.RoleOwner)))
	if in := h.visit("/v1/staff/sign-in", attempt).want(200); in.str("staff_id") != h.staffID(events.RoleOwner) {
		t.Errorf("she is %s", in.raw)
	}
}

// L4, L5: unknown, wrong, without a password, deactivated: one answer, and one call of
// the key derivation. Customers and the team are apart.
func TestStaffSignIn_L4_L5_NothingTellsWhoIsInTheTeam(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its calls are counted
	h := s.newStore(t)
	h.member("grace", events.RoleSupport)
	gone := h.member("gone", events.RoleSupport)
	h.owner("POST", "/v1/staff/"+gone+"/deactivate", nil).want(200)
	h.owner("POST", "/v1/staff", map[string]any{"email": "new@team.example", "role": "support"}).want(201)
	h.visit("/v1/register", map[string]any{"email": "ada@team.example", "username": "ada", "password": goodPassword}).want(202)
	want := ""
	for name, attempt := range map[string][2]string{
		"unknown": {"nobody", goodPassword}, "wrong password": {"grace", "not this one at all"}, "deactivated": {"gone", goodPassword},
		"no password": {"new", goodPassword}, "a customer": {"ada", goodPassword}, "odd": {"\u202ename\u0000", goodPassword},
	} {
		before, written := s.hasher.Calls(), len(h.facts())
		r := h.tryStaff(attempt[0], attempt[1], "X-Request-Id", "5a3e5a3e").refused(401, "invalid_credentials")
		if calls := s.hasher.Calls() - before; calls != 1 {
			t.Errorf("%s: %d calls of the key derivation", name, calls)
		}
		if got := len(h.facts()) - written; got != 1 {
			t.Errorf("%s: %d events", name, got)
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
	h.visit("/v1/sign-in", map[string]any{"name": "grace@team.example", "password": goodPassword}).refused(401, "invalid_credentials")
	outcome := func(name string) (all []string) {
		for range 10 {
			r := h.tryStaff(name, "not this one at all")
			all = append(all, fmt.Sprint(r.status, r.header.Get("Retry-After")))
		}
		return all
	}
	h.member("victim", events.RoleSupport)
	known, unheard := outcome("victim"), outcome("unheard-of")
	if fmt.Sprint(known) != fmt.Sprint(unheard) || !strings.HasPrefix(known[9], "429") {
		t.Errorf("a known name %v, an unknown one %v", known, unheard)
	}
	if r := h.tryStaff("victim", goodPassword); r.status != 429 {
		t.Errorf("L1: the right password is looked at: %d", r.status)
	}
}

// P13, X3, I4: the cookie of the team is Strict, and lives beside a customer's.
func TestStaffSignIn_P13_X3_CookiesOfTwo(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	staffID := h.member("grace", events.RoleSupport)
	customerID := h.register("ada")
	r := h.visit("/v1/staff/sign-in", map[string]any{"email": "grace@team.example", "password": goodPassword, "cookie": true}).want(200)
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	if err != nil || cookie.Name != "__Host-steward_staff" || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" ||
		cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 0 || !cookie.Expires.IsZero() || r.str("token") != "" {
		t.Fatalf("the cookie is %v, %v", cookie, err)
	}
	own := cookie.Name + "=" + cookie.Value
	other := must(http.ParseSetCookie(h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword, "cookie": true}).want(200).header.Get("Set-Cookie")))
	both := own + "; " + other.Name + "=" + other.Value
	h.send("GET", "/v1/staff/me", nil, "Cookie", own).want(200)
	h.send("GET", "/v1/staff/me", nil, "Cookie", both).refused(400, "session_ambiguous", "Steward-Session") // it is never guessed
	h.send("GET", "/v1/staff/me", nil, "Cookie", own, "Steward-Session", "other").refused(400, "bad_session", "Steward-Session")
	if me := h.send("GET", "/v1/staff/me", nil, "Cookie", both, "Steward-Session", "staff").want(200); me.str("id") != staffID {
		t.Errorf("she is %s", me.raw)
	}
	if me := h.send("GET", "/v1/customers/me", nil, "Cookie", both, "Steward-Session", "customer").want(200); me.str("id") != customerID {
		t.Errorf("she is %s", me.raw)
	}
	h.send("GET", "/v1/staff/me", nil, "Cookie", own, "Steward-Session", "customer").want(401)
	suspend := "/v1/customers/" + customerID + "/suspend"
	h.send("POST", suspend, nil, "Cookie", own).refused(403, "cross_site_request")
	h.send("POST", suspend, nil, "Cookie", own, "Sec-Fetch-Site", "cross-site").refused(403, "cross_site_request")
	h.send("POST", suspend, nil, "Cookie", own, "Sec-Fetch-Site", "same-origin").want(200)
}

// S0-24 for the team: what proves who they are is nowhere.
func TestStaffSignIn_S0_24_R1_SecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	h := s.newStore(t)
	id := h.member("grace", events.RoleSupport)
	session := h.signInStaff("grace")
	h.tryStaff("strangers-name", "another secret word").want(401)
	h.visit("/v1/staff/forgot-password", map[string]any{"email": "grace@team.example"}).want(202)
	link := h.staffLink(id)
	token := session.str("token")
	everything := map[string]string{
		"events": string(h.owner("GET", "/v1/events?limit=200", nil).want(200).raw),
		"log":    string(h.owner("GET", "/v1/log?limit=200", nil).want(200).raw), "logs": s.logs.String(),
	}
	for _, record := range h.stored() {
		everything["the log of events"] += string(record.Data) + string(record.Metadata) + record.Stream
	}
	for name, text := range everything {
		for _, canary := range []string{goodPassword, "another secret word", token[len(token)-52 : len(token)-9], link[len(link)-52 : len(link)-9], "$argon2"} {
			if strings.Contains(text, canary) {
				t.Errorf("%s hold %q", name, canary)
			}
		}
		if (name == "logs" || name == "the log of events") && (strings.Contains(text, "strangers-name") || strings.Contains(text, "grace@team")) {
			t.Errorf("%s hold an address", name)
		}
	}
}

// The mails of the team: to the address of the member, and nobody else's.
func TestStaffMails_InvitationAndReset(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.owner("POST", "/v1/staff", map[string]any{"email": "grace@team.example", "name": "Grace", "role": "support"}).want(201)
	m.owner("POST", "/v1/staff", map[string]any{"email": "quiet@team.example", "role": "support", "invite": false}).want(201)
	invited := m.link("grace@team.example", "Invitation to the team of Shop")
	m.harness.choose(invited)
	m.visit("/v1/staff/forgot-password", map[string]any{"email": "grace@team.example"}).want(202)
	session := m.redeem(m.link("grace@team.example", "Reset your password")).want(200)
	m.as(session, "POST", "/v1/staff/me/set-password", map[string]any{"new_password": newPassword}).want(200)
	m.mail("grace@team.example", "password")
	in := m.tryStaff("grace", newPassword).want(200)
	m.as(in, "POST", "/v1/staff/me/change-password", map[string]any{"current_password": newPassword, "new_password": goodPassword}).want(200)
	m.mail("grace@team.example", "password")
	created := 0
	for _, record := range m.facts() {
		if record.Type != events.TypeMailCreated {
			continue
		}
		created++
		e := must(events.Decode(record)).Event.(events.MailCreated)
		if e.CustomerID != uuid.Nil || e.StaffID == uuid.Nil || !e.To.IsZero() || e.StaffTo.IsZero() {
			t.Errorf("a mail is %+v", e)
		}
	}
	if created != 4 {
		t.Errorf("%d mails were created", created)
	}
	marker := m.owner("POST", "/v1/stores/"+m.storeID()+"/rename", map[string]any{"name": "Marker"}).want(200)
	for _, entry := range m.read("/v1/log?type=mail.created", marker).list("items") {
		if changes := fmt.Sprint(entry["changes"]); !strings.Contains(changes, "grace@team.example") || !strings.Contains(changes, "staff_id") {
			t.Errorf("the log says %s", changes)
		}
	}
}
