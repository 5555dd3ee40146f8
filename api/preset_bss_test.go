package api_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
)

func TestPreset_bss(t *testing.T) {
	t.Parallel()
	kept(t, "bss", []promise{
		{"S2-01 it is known where an account comes from", func(t *testing.T, m *mailing) {
			_, path := m.opened(map[string]any{"email": "staff@example.com"})
			if got := m.owner("GET", path, nil).want(200).str("origin"); got != "staff" {
				t.Errorf("opened by the team: %s", got)
			}
			last := m.visit("/v1/register", map[string]any{"email": "self@example.com", "password": goodPassword}).want(202)
			_ = last
			m.redeem(m.link("self@example.com", "")).want(200)
			self := m.signInWith("self@example.com", goodPassword).want(200).str("customer_id")
			if got := m.owner("GET", "/v1/customers/"+self, nil).want(200).str("origin"); got != "self" {
				t.Errorf("opened by themself: %s", got)
			}
		}},
		{"S2-12 S4-02 a login is given to a customer who is there already", func(t *testing.T, m *mailing) {
			imported := m.owner("POST", "/v1/domains/import", map[string]any{
				"name": "contact.com", "registered_at": "2024-01-01", "expires_at": "2027-01-01", "owner": map[string]any{"email": "contact@example.com"},
			}).want(200)
			found := m.read("/v1/customers?q=contact@example.com", imported).list("items")
			if len(found) != 1 {
				t.Fatalf("found %v", found)
			}
			id, _ := found[0]["id"].(string)
			m.owner("POST", "/v1/customers/"+id+"/send-link", map[string]any{"purpose": "welcome"}).want(200)
			m.choose(m.redeem(m.link("contact@example.com", "")).want(200)).want(200)
			if got := m.signInWith("contact@example.com", newPassword).want(200).str("customer_id"); got != id {
				t.Errorf("signed in as %s, not %s", got, id)
			}
		}},
		{"S2-16 the team starts a reset", func(t *testing.T, m *mailing) {
			_, path := m.opened(map[string]any{"email": "ada@example.com"})
			m.link("ada@example.com", "")
			m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset"}).want(200)
			if md := m.newestOf("login.link_issued"); md.Actor.Kind != events.ActorReseller {
				t.Errorf("asked for by %+v", md.Actor)
			}
			m.link("ada@example.com", "")
		}},
		{"S2-17 the four notifications have their names, and a preview", func(t *testing.T, m *mailing) {
			names := map[any]string{}
			for _, row := range m.owner("GET", "/v1/mail-templates", nil).want(200).list("items") {
				names[row["name"]] = row["preview"].(string)
			}
			for _, name := range []string{"Storefront account activation", "Activation was successful", "Storefront user password reset", "Reset Password Was Successful"} {
				if names[name] == "" {
					t.Errorf("there is no %q", name)
					continue
				}
				if shown := m.owner("GET", names[name], nil).want(200); !strings.Contains(shown.str("from"), m.host) || shown.str("html") == "" {
					t.Errorf("%q looks like %s", name, shown.raw)
				}
			}
			m.owner("GET", "/v1/mail-templates/none/preview", nil).refused(404, "mail_template_not_found")
		}},
	})
}
