package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

func TestExport_EverythingThatIsKnown(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	from := []string{"X-Forwarded-For", "203.0.113.9", "User-Agent", "Browser/1"}
	h.visit("/v1/register", map[string]any{
		"email": "ada@example.com", "username": "ada", "password": goodPassword, "profile": map[string]any{"first_name": "Ada", "phone": "+44 20 7946 0000"},
	}, from...).want(202)
	session := h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": goodPassword}, from...).want(200)
	id := session.str("customer_id")
	path := "/v1/customers/" + id + "/export"
	other, _ := h.customer("bob")
	held, _ := h.domain("held.com", id)
	gone, _ := h.domain("gone.com", id)
	h.push(gone, map[string]any{"to": map[string]any{"customer_id": other}}).want(200)
	h.owner("POST", "/v1/domains/"+gone+"/set-lock", map[string]any{"value": false}).want(200)
	h.visit("/v1/sign-in", map[string]any{"name": "ada", "password": "wrong"}, from...).refused(401, "invalid_credentials")

	t.Run("to the team", func(t *testing.T) {
		h.unchanged(func() {
			h.owner("POST", path, map[string]any{}).refused(422, "invalid", "purpose")
			h.owner("POST", path, map[string]any{"purpose": " "}).refused(422, "invalid", "purpose")
			h.do(events.RoleSupport, "POST", path, map[string]any{"purpose": "x"}).refused(403, "forbidden")
			h.owner("POST", "/v1/customers/"+unknownCustomer()+"/export", map[string]any{"purpose": "x"}).refused(404, "customer_not_found")
			if r := h.owner("POST", path+"?dry_run=true", map[string]any{"purpose": "x"}).want(200); strings.Contains(string(r.raw), "ada@") {
				t.Errorf("a dry run gives out %s", r.raw)
			}
		})
		r := h.owner("POST", path, map[string]any{"purpose": "access request 17"}).want(200)
		if r.str("customer.email") != "ada@example.com" || r.str("customer.profile.phone") != "+44 20 7946 0000" {
			t.Errorf("the customer: %s", r.raw)
		}
		sessions := r.list("sessions")
		if len(sessions) != 2 || sessions[0]["ip"] != "203.0.113.9" || sessions[0]["id"] != session.str("session_id") || sessions[1]["user_agent"] != "Browser/1" {
			t.Errorf("the sessions: %v", sessions)
		}
		if domains := r.list("domains"); len(domains) != 1 || domains[0]["id"] != held {
			t.Errorf("the domains: %v", domains)
		}
		log := r.list("log")
		types := make([]string, len(log))
		for i, e := range log {
			types[i], _ = e["type"].(string)
		}
		if types[0] != "customer.created" || types[len(types)-1] != "customer.exported" || log[len(log)-1]["id"] != r.str("event_id") {
			t.Errorf("the log: %v", types)
		}
		for want, n := range map[string]int{"domain.registered": 2, "domain.pushed": 1, "domain.lock_set": 0, "session.started": 1, "session.refused": 1, "login.password_set": 1} {
			if got := count(types, want); got != n {
				t.Errorf("the log has %s %d times, want %d: %v", want, got, n, types)
			}
		}
		last, md := h.newest()
		if last.Type != events.TypeCustomerExported || md.Actor.StaffID != h.staff[events.RoleOwner] || strings.Contains(string(last.Data), "access request") {
			t.Errorf("the event: %s by %+v", last.Data, md.Actor)
		}
		if strings.Contains(string(r.raw), "argon2id$") {
			t.Error("a password's hash is in it")
		}
	})
	t.Run("by a link", func(t *testing.T) {
		r := h.owner("POST", path, map[string]any{"purpose": "x"}, "Steward-Reason", "our own words").want(200)
		link := r.str("link.path")
		got := h.send("GET", link, nil).want(200)
		if got.str("event_id") != r.str("event_id") || got.str("customer.email") != "ada@example.com" || len(got.list("log")) != len(r.list("log")) || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("the link leads to %s", got.raw)
		}
		if strings.Contains(string(got.raw), "Olivia") || strings.Contains(string(got.raw), "our own words") || !strings.Contains(string(r.raw), "our own words") {
			t.Error("the link shows what the team sees")
		}
		h.send("GET", link+"x", nil).refused(404, "export_over")
		h.send("GET", link[:len(link)-1], nil).refused(404, "export_over")
		if strings.Contains(h.logs.String(), strings.TrimPrefix(link, "/v1/exports/")) {
			t.Error("the link was logged")
		}
	})
	t.Run("to the customer", func(t *testing.T) {
		h.as(session, "POST", path, map[string]any{"purpose": "mine"}).refused(403, "wrong_password")
		h.as(session, "POST", "/v1/customers/"+other+"/export", map[string]any{"purpose": "x", "password": goodPassword}).refused(404, "customer_not_found")
		r := h.as(session, "POST", "/v1/customers/me/export", map[string]any{"purpose": "mine", "password": goodPassword}).want(200)
		if r.str("customer.username") != "ada" || len(r.list("log")) < 8 {
			t.Errorf("she gets %s", r.raw)
		}
		if strings.Contains(string(r.raw), "Olivia") {
			t.Error("she sees who is behind Reseller")
		}
	})
}

// A link is good for ten minutes, and not for somebody who was erased since.
func TestExport_TheLinkEnds(t *testing.T) {
	t.Parallel()
	e := newErasing(t)
	e.owner("POST", "/v1/stores/"+e.storeID()+"/set-policies", map[string]any{"preset": "pantry"}).want(200)
	id, _ := e.customer("ada")
	link := func() string {
		return e.owner("POST", "/v1/customers/"+id+"/export", map[string]any{"purpose": "x"}).want(200).str("link.path")
	}
	old := link()
	e.now.advance(10 * time.Minute)
	e.send("GET", old, nil).refused(404, "export_over")
	last := link()
	e.send("GET", last, nil).want(200)
	e.owner("POST", "/v1/customers/"+id+"/delete", nil).want(200)
	e.send("GET", last, nil).want(200)
	e.sweep()
	e.send("GET", last, nil).refused(404, "export_over")
}
