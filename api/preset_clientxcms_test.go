package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
)

func TestPreset_clientxcms(t *testing.T) {
	t.Parallel()
	mail := func(more ...any) map[string]any {
		body := ada(more...)
		delete(body, "username")
		return body
	}
	join := func(m *mailing) string {
		m.t.Helper()
		m.visit("/v1/register", map[string]any{"email": "ada@example.com", "password": goodPassword}).want(202)
		return m.signInWith("ada@example.com", goodPassword).want(200).str("customer_id")
	}
	kept(t, "clientxcms", []promise{
		{"S1-01 S1-05 customers sign in and reach what is theirs", func(t *testing.T, m *mailing) {
			id := join(m)
			m.domain("hers.com", id)
			session := m.signInWith("ada@example.com", goodPassword).want(200)
			m.as(session, "GET", "/v1/customers/me", nil).want(200)
			m.as(session, "GET", "/v1/customers", nil).refused(403, "forbidden")
		}},
		{"S1-07 the team opens accounts", func(t *testing.T, m *mailing) {
			_, path := m.opened(mail())
			got := m.owner("GET", path, nil).want(200)
			if got.str("origin") != "staff" || got.str("email") != "ada@example.com" {
				t.Errorf("S1-18: it is %s", got.raw)
			}
		}},
		{"S1-22 S1-24 S1-25 S1-28 the profile leads to everything", func(t *testing.T, m *mailing) {
			_, path := m.opened(mail("send", "welcome"))
			m.link("ada@example.com", "")
			tag := m.owner("GET", path, nil).want(200).header.Get("ETag")
			edited := m.owner("PATCH", path, map[string]any{"profile": map[string]any{"city": "Lyon"}}, "If-Match", tag).want(200)
			if log := m.read(path+"/log?setting=profile", edited).list("items"); len(log) != 1 {
				t.Errorf("the action history is %v", log)
			}
			if got := m.templates(path); got["welcome"] == nil {
				t.Errorf("the mails are %v", got)
			}
			for name, link := range m.owner("GET", path, nil).want(200).at("links").(map[string]any) {
				if answer := m.owner("GET", link.(string), nil); answer.status != http.StatusOK {
					t.Errorf("the link %s answers %d", name, answer.status)
				}
			}
		}},
		{"S1-31 S1-45 a reset repairs an account", func(t *testing.T, m *mailing) {
			_, path := m.opened(mail())
			m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset"}).want(200)
			m.choose(m.redeem(m.link("ada@example.com", "")).want(200)).want(200)
			m.signInWith("ada@example.com", newPassword).want(200)
		}},
		{"S1-40 a security question that was brought along is removed", func(t *testing.T, m *mailing) {
			_, path := m.opened(mail("security_question", "First pet?"))
			state := func(want bool) {
				t.Helper()
				detail := m.owner("GET", path, nil).want(200)
				if detail.at("security_question") != want || slices.Contains(detail.texts("available_actions"), "remove_security_question") != want {
					t.Errorf("the detail says %s", detail.raw)
				}
			}
			state(true)
			m.do(events.RoleAnalyst, "POST", path+"/remove-security-question", nil).refused(403, "forbidden")
			m.do(events.RoleSupport, "POST", path+"/remove-security-question", nil).want(200)
			state(false)
			m.owner("POST", path+"/remove-security-question", nil).refused(409, "no_security_question")
		}},
		{"S1-32 the team writes a mail", func(t *testing.T, m *mailing) {
			_, path := m.opened(mail())
			written := m.owner("POST", path+"/mails", map[string]any{"subject": "Your invoice", "body": "Dear Ada,\n<b>it</b> is here."}).want(200)
			got := m.mail("ada@example.com", "it")
			if !strings.Contains(got.Subject, "Your invoice") || !strings.Contains(got.Text, "<b>it</b> is here.") || strings.Contains(got.HTML, "<b>it</b>") {
				t.Errorf("it reads %s, %s, %s", got.Subject, got.Text, got.HTML)
			}
			if md := m.newestOf("customer.mail_requested"); md.Actor.Kind != events.ActorReseller {
				t.Errorf("written by %+v", md.Actor)
			}
			var row map[string]any
			m.eventually("it is in the list", func() bool {
				rows := m.read(path+"/mails", written).list("items")
				if len(rows) == 1 {
					row = rows[0]
				}
				return row != nil && row["state"] == "sent"
			})
			if row["subject"] != "Your invoice" || row["to"] != "ada@example.com" {
				t.Errorf("the list shows %v", row)
			}
			newMailing(t).owner("POST", "/v1/mails/"+row["id"].(string)+"/resend", nil).refused(404, "mail_not_found")
			m.owner("POST", "/v1/mails/"+row["id"].(string)+"/resend", nil).want(200)
			m.mail("ada@example.com", "it")
			m.owner("POST", path+"/mails", map[string]any{"subject": "a\r\nBcc: x@example.com", "body": "b"}).refused(422, "invalid", "subject")
			m.owner("POST", path+"/mails", map[string]any{"subject": "a", "body": " "}).refused(422, "invalid", "body")
		}},
	})
}
