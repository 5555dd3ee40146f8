package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// browser is one that keeps its cookies.
type browser struct {
	m       *mailing
	cookies map[string]string
}

func (b *browser) signIn(name, password string) *reply {
	b.m.t.Helper()
	var kept []string
	for name, value := range b.cookies {
		kept = append(kept, name+"="+value)
	}
	r := b.m.visit("/v1/sign-in", map[string]any{"name": name, "password": password, "cookie": true}, "Cookie", strings.Join(kept, "; "))
	for _, line := range r.header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err != nil {
			b.m.t.Fatal(err)
		}
		b.cookies[cookie.Name] = cookie.Value
		if cookie.Name == "__Host-steward_device" && (!cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge <= 0) {
			b.m.t.Errorf("the cookie is %v", cookie)
		}
	}
	return r
}

func (m *mailing) browser() *browser { return &browser{m, map[string]string{}} }

// A sign-in in another browser than before is told to the owner of the account.
func TestDevices_ANewBrowserIsNews(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	first, second := m.browser(), m.browser()
	first.signIn("ada", goodPassword).want(200)
	first.signIn("ada@example.com", goodPassword).want(200)
	second.signIn("ada", goodPassword).want(200)
	second.signIn("ada", goodPassword).want(200)
	m.signIn("ada") // a program has no browser
	m.mail("ada@example.com", "device")
	added := m.read("/v1/customers/"+id+"/log?type=login.device_added", m.owner("POST", "/v1/customers/"+id+"/set-tags", map[string]any{"tags": []string{"x"}}).want(200))
	if rows := added.list("items"); len(rows) != 2 {
		t.Errorf("the log says %v", rows)
	}
	if device := first.cookies["__Host-steward_device"]; device == second.cookies["__Host-steward_device"] || device == "" {
		t.Error("both browsers are one device")
	}
	m.eventually("the mail is shown", func() bool { return m.templates("/v1/customers/" + id)["new_device"] == "sent" })
	// The cookie opens nothing.
	m.send("GET", "/v1/customers/me", nil, "Cookie", "__Host-steward_device="+first.cookies["__Host-steward_device"]).want(401)
}

// L7: strangers who guess do not shut out whose browser is known, and knowing one
// browser does not help with another name.
func TestDevices_L7_StrangersDoNotShutTheOwnerOut(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.register("ada")
	m.register("eve")
	hers, thief := m.browser(), m.browser()
	hers.signIn("ada", goodPassword).want(200)
	thief.signIn("eve", goodPassword).want(200)
	shut := false
	for range 10 {
		shut = m.visit("/v1/sign-in", map[string]any{"name": "ada", "password": "not her password"}, "X-Forwarded-For", uuidIP()).status == 429
	}
	if !shut {
		t.Fatal("ten failures shut nobody out")
	}
	m.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword}).refused(429, "too_many_attempts")
	thief.signIn("ada", goodPassword).refused(429, "too_many_attempts")
	forged := m.browser()
	forged.cookies["__Host-steward_device"] = strings.Repeat("A", 80)
	forged.signIn("ada", goodPassword).refused(429, "too_many_attempts")
	hers.signIn("ada", goodPassword).want(200)
	// Her browser has a limit of its own.
	limited := false
	for range 8 {
		limited = hers.signIn("ada", "not her password").status == 429
	}
	if !limited {
		t.Error("in a known browser anybody may guess for ever")
	}
}
