package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
)

func TestPreset_pantry(t *testing.T) {
	t.Parallel()
	const fits = "Steamboat7willie"
	kept(t, "pantry", []promise{
		{"S4-03 S4-04 who registers signs in at once", func(t *testing.T, m *mailing) {
			m.visit("/v1/register", map[string]any{"email": "ada@example.com", "username": "ada", "password": fits}).want(202)
			id := m.signInWith("ada", fits).want(200).str("customer_id")
			detail := m.owner("GET", "/v1/customers/"+id, nil).want(200)
			if detail.str("login.id") == "" || detail.str("username") != "ada" || detail.str("email") != "ada@example.com" || detail.str("status.value") != "active" {
				t.Errorf("S4-24 S4-26: the login block is %s", detail.raw)
			}
			if strings.Contains(string(detail.raw), "argon2") || strings.Contains(string(detail.raw), "hash") {
				t.Errorf("the detail tells of the hash: %s", detail.raw)
			}
		}},
		{"S4-05 found by a particular, seen with the login", func(t *testing.T, m *mailing) {
			_, _ = m.opened(ada("profile", map[string]any{"first_name": "Augusta"}))
			last := m.owner("POST", "/v1/stores/"+m.storeID()+"/rename", map[string]any{"name": "Pantry"}).want(200)
			found := m.read("/v1/customers?q=august", last).list("items")
			if len(found) != 1 || found[0]["username"] != "ada" {
				t.Errorf("found %v", found)
			}
		}},
		{"S4-01 S4-07 S4-25 S4-27 S4-28 support looks after logins", func(t *testing.T, m *mailing) {
			_, path := m.opened(ada())
			m.opened(map[string]any{"email": "taken@example.com", "username": "taken"})
			support := func(what string, body map[string]any) *reply {
				return m.do(events.RoleSupport, "POST", path+what, body)
			}
			support("/change-email", map[string]any{"email": "taken@example.com"}).refused(409, "name_taken", "email")
			support("/change-username", map[string]any{"username": "taken"}).refused(409, "name_taken", "username")
			support("/change-email", map[string]any{"email": "lovelace@example.com"}).want(200)
			support("/change-username", map[string]any{"username": "lovelace"}).want(200)
			m.opened(ada()) // both are free again
		}},
		{"S4-08 S4-14 S4-15 S4-22 an email address is all that is needed", func(t *testing.T, m *mailing) {
			m.owner("POST", "/v1/customers", map[string]any{"username": "ada"}).refused(422, "invalid", "email")
			m.opened(ada())
		}},
		{"S4-09 an address that does not exist is seen", func(t *testing.T, m *mailing) {
			_, path := m.opened(map[string]any{"email": "bounce@example.com", "username": "ada", "send": "set_password"})
			m.eventually("the account warns of it", func() bool {
				return m.owner("GET", path, nil).want(200).at("login.undeliverable") == true
			})
			if got := m.templates(path)["set_password"]; got != "failed" {
				t.Errorf("S0-98: the mail is %v", got)
			}
			m.owner("POST", path+"/change-email", map[string]any{"email": "ada@example.com"}).want(200)
			if m.owner("GET", path, nil).want(200).at("login.undeliverable") != nil {
				t.Error("another address is warned of too")
			}
		}},
		{"S4-10 S4-13 forgotten by somebody with an alias", func(t *testing.T, m *mailing) {
			m.opened(map[string]any{"email": "test+01@example.com", "username": "one"})
			m.opened(map[string]any{"email": "test@example.com", "username": "none"})
			m.visit("/v1/forgot-password", map[string]any{"email": "test+01@example.com"}).want(202)
			got := m.mail("test+01@example.com", "#stw_link_")
			if to := fmt.Sprint(got.To); !strings.Contains(to, "test+01@example.com") {
				t.Errorf("it went to %s", to)
			}
		}},
		{"S4-18 S4-19 S4-30 the team enters a password that fits", func(t *testing.T, m *mailing) {
			_, path := m.opened(ada())
			for bad, code := range map[string]string{
				"steamboat7willie": "password_needs_capital", "Steamboatwillie": "password_needs_number", "Ste7amb": "password_too_short",
			} {
				m.owner("POST", path+"/set-password", map[string]any{"new_password": bad}).refused(422, code, "new_password")
			}
			set := m.owner("POST", path+"/set-password", map[string]any{"new_password": fits, "repeat_password": fits}).want(200)
			if strings.Contains(string(set.raw), fits) {
				t.Error("it is echoed")
			}
			m.signInWith("ada", fits).want(200)
		}},
		{"S4-20 S4-21 S4-23 or a mail to set it", func(t *testing.T, m *mailing) {
			m.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "!", "send": "set_password"}).refused(422, "invalid", "username")
			m.opened(ada("send", "set_password"))
			session := m.redeem(m.link("ada@example.com", "")).want(200)
			m.as(session, "POST", "/v1/customers/me/set-password", map[string]any{"new_password": fits}).want(200)
			_, silent := m.opened(map[string]any{"email": "eve@example.com", "username": "eve"})
			m.signInWith("eve", fits).refused(401, "invalid_credentials")
			m.eventually("the first mail is shown", func() bool { return len(m.templates(silent)) == 0 })
		}},
		{"C9 S4-33 S4-40 whose account is disabled is told so, after the right password", func(t *testing.T, m *mailing) {
			_, path := m.opened(ada())
			m.owner("POST", path+"/set-password", map[string]any{"new_password": fits}).want(200)
			session := m.signInWith("ada", fits).want(200)
			m.owner("POST", path+"/suspend", nil).want(200)
			m.as(session, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
			if told := m.signInWith("ada", fits).refused(403, "account_disabled"); told.str("detail") != "Account is Disabled" {
				t.Errorf("told %s", told.raw)
			}
			m.signInWith("ada", "Another7password").refused(401, "invalid_credentials")
			if label := m.owner("GET", path, nil).want(200).str("status.label"); label != "Disabled" {
				t.Errorf("it is called %q", label)
			}
			m.owner("POST", "/v1/customers", ada()).refused(409, "name_taken", "email", "username") // S4-39
		}},
	})
}
