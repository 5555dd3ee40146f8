package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
)

// marked returns an answer whose position is after everything so far.
func (h *harness) marked(username string) *reply {
	h.t.Helper()
	_, marker := h.customer(username)
	return marker
}

func TestSignIns_S0_12_S1_27_LastSignIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	visit := func(name, password, ip string) *reply {
		return h.visit("/v1/sign-in", map[string]any{"name": name, "password": password}, "X-Forwarded-For", ip)
	}
	for _, name := range []string{"first", "second", "third"} {
		h.register(name)
	}
	id := ""
	for _, name := range []string{"third", "first", "second"} {
		id = visit(name, goodPassword, "203.0.113.7").want(200).str("customer_id")
	}
	visit("first", "not this one at all", "198.51.100.1").want(401)
	visit("nobody", goodPassword, "198.51.100.2").want(401)
	last := h.marked("never")
	list := h.read("/v1/customers", last)
	if diff := cmp.Diff([]any{"second", "first", "third", "never"}, list.column("username")); diff != "" {
		t.Errorf("S0-12: the order without asking for one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"203.0.113.7", "203.0.113.7", "203.0.113.7", nil}, list.column("last_sign_in_ip")); diff != "" {
		t.Errorf("S1-27: %s", diff)
	}
	row, detail := list.list("items")[0], h.read("/v1/customers/"+id, last)
	if detail.str("login.last_sign_in_ip") != "203.0.113.7" || detail.at("login.last_sign_in_at") != row["last_sign_in_at"] || row["last_sign_in_at"] == nil {
		t.Errorf("S1-27: the list shows %v, the detail %v", row["last_sign_in_at"], detail.at("login"))
	}
	// What is personal stands sealed in the tables.
	var found int
	if err := h.direct.QueryRow(t.Context(), `SELECT count(*) FROM read_core.customers AS c WHERE c::text LIKE '%203.0.113.7%'`).Scan(&found); err != nil || found > 0 {
		t.Errorf("%d rows of customers hold the address in the clear: %v", found, err)
	}
	if err := h.direct.QueryRow(t.Context(), `SELECT count(*) FROM read_core.event_log AS l WHERE l::text LIKE '%203.0.113.7%'`).Scan(&found); err != nil || found > 0 {
		t.Errorf("%d rows of the event log do: %v", found, err)
	}
}

func TestSignIns_S0_87_S3_61_CRE_09_History(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	id := h.register("ada")
	session := h.signIn("ada")
	d, _ := h.enrol(session)
	h.now.advance(time.Minute)
	code := d.code(h.now.now())
	h.answer(h.challenged("ada"), "code", code).want(200)
	used, wrong := h.answer(h.challenged("ada"), "code", code), h.answer(h.challenged("ada"), "code", "000000")
	if used.status != wrong.status || used.str("code") != wrong.str("code") || used.str("detail") != wrong.str("detail") {
		t.Errorf("S3-61: a used code answers %s, a wrong one %s", used.raw, wrong.raw)
	}
	h.visit("/v1/sign-in", map[string]any{"name": "eve", "password": goodPassword}, "X-Forwarded-For", "198.51.100.1", "User-Agent", "curl/8").want(401)
	h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": "not this one at all"}, "X-Forwarded-For", "198.51.100.2").want(401)
	last := h.marked("marker")

	columns := func(r *reply, names ...string) (rows [][]any) {
		for _, item := range r.list("items") {
			var row []any
			for _, name := range names {
				row = append(row, item[name])
			}
			rows = append(rows, row)
		}
		return rows
	}
	pwd, otp := []any{"pwd"}, []any{"otp"}
	all := [][]any{
		{"failed", "wrong_password", pwd, id, nil},
		{"failed", "unknown_name", pwd, nil, "eve"},
		{"failed", "wrong_code", otp, id, nil},
		{"failed", "already_used", otp, id, nil},
		{"succeeded", nil, []any{"pwd", "otp"}, id, nil},
		{"succeeded", nil, pwd, id, nil},
		{"succeeded", nil, pwd, id, nil},
	}
	for path, want := range map[string][][]any{
		"/v1/sign-ins":                                        all,
		"/v1/sign-ins?outcome=succeeded":                      all[4:],
		"/v1/sign-ins?reason=already_used":                    all[3:4],
		"/v1/sign-ins?reason=unknown_name&outcome=failed":     all[1:2],
		"/v1/sign-ins?customer=" + id + "&outcome=failed":     {all[0], all[2], all[3]},
		"/v1/customers/" + id + "/sign-ins?reason=wrong_code": all[2:3],
	} {
		if diff := cmp.Diff(want, columns(h.read(path, last), "outcome", "reason", "methods", "customer_id", "name")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	stranger := h.read("/v1/sign-ins?reason=unknown_name", last).list("items")[0]
	if stranger["ip"] != "198.51.100.1" || stranger["user_agent"] != "curl/8" {
		t.Errorf("an unknown name came from %v", stranger)
	}
	first := h.read("/v1/sign-ins?limit=4", last)
	if rest := h.read("/v1/sign-ins?limit=4&cursor="+first.str("next_cursor"), last); len(rest.list("items")) != 3 || rest.at("has_more") != false {
		t.Errorf("the second page: %s", rest.raw)
	}
	h.owner("GET", "/v1/sign-ins?outcome=failed&cursor="+first.str("next_cursor"), nil).refused(400, "bad_cursor")
	h.owner("GET", "/v1/sign-ins?reason=nonsense", nil).refused(422, "invalid")
	if got := h.newStore(t).owner("GET", "/v1/sign-ins", nil).want(200).list("items"); len(got) > 0 {
		t.Errorf("another store sees %v", got)
	}

	detail := h.read("/v1/customers/"+id, last)
	if detail.str("login.last_failed_sign_in.reason") != "wrong_password" || detail.str("login.last_failed_sign_in.ip") != "198.51.100.2" ||
		detail.at("login.lockout.locked") != false || detail.num("login.lockout.attempts") != 3 {
		t.Errorf("S0-87: %v", detail.at("login"))
	}
	for range 5 {
		h.visit("/v1/sign-in", map[string]any{"name": "ada@example.com", "password": "not this one at all"})
	}
	detail = h.owner("GET", "/v1/customers/"+id, nil).want(200)
	if until, err := time.Parse(time.RFC3339Nano, detail.str("login.lockout.locked_until")); err != nil || !until.After(h.now.now()) || detail.at("login.lockout.locked") != true {
		t.Errorf("S0-87: %v, %v", detail.at("login.lockout"), err)
	}

	// What the customer sees of it: no reason, on no way.
	mine := func(path string) *reply {
		return h.as(session, "GET", path, nil, "Steward-Min-Position", last.str("position")).want(200)
	}
	own := mine("/v1/customers/me/sign-ins")
	if len(own.list("items")) < 6 || own.list("items")[0]["ip"] == "" {
		t.Errorf("her own sign-ins: %s", own.raw)
	}
	h.as(session, "GET", "/v1/customers/me/sign-ins?reason=already_used", nil).refused(403, "staff_only")
	h.as(session, "GET", "/v1/sign-ins", nil).refused(403, "forbidden")
	account := mine("/v1/customers/me")
	if account.at("login.lockout") != nil || account.at("login.last_failed_sign_in.reason") != nil || account.at("login.last_failed_sign_in.time") == nil {
		t.Errorf("her own account: %v", account.at("login"))
	}
	for name, r := range map[string]*reply{"sign-ins": own, "account": account, "log": mine("/v1/customers/me/log?limit=200")} {
		for _, reason := range []events.RefusalReason{events.RefusedUsedCode, events.RefusedCode, events.RefusedPassword} {
			if strings.Contains(string(r.raw), string(reason)) {
				t.Errorf("her %s tell of %s", name, reason)
			}
		}
	}
	if text := string(h.read("/v1/customers/"+id+"/log?limit=200", last).raw); !strings.Contains(text, `"already_used"`) {
		t.Errorf("S3-61: the log for the team lacks the reason: %s", text)
	}
}

func TestReports_S1_46_PasswordSchemes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	h.register("bob")
	last := h.marked("nopassword")
	got := h.read("/v1/reports/password-schemes", last)
	if got.num("customers") != 3 || got.num("without_password") != 1 || got.num("unreadable") != 0 {
		t.Errorf("the report: %s", got.raw)
	}
	if diff := cmp.Diff([]map[string]any{{"scheme": "argon2id", "customers": 2.0, "unreadable": 0.0}}, got.list("schemes")); diff != "" {
		t.Error(diff)
	}
}
