package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

func TestPreset_opensrs(t *testing.T) {
	t.Parallel()
	kept(t, "opensrs", []promise{
		{"S0-04 the customer and the team see one record", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			session := m.signIn("ada")
			tag := m.as(session, "GET", "/v1/customers/me", nil).want(200).header.Get("ETag")
			m.as(session, "PATCH", "/v1/customers/me", map[string]any{"profile": map[string]any{"city": "London"}}, "If-Match", tag).want(200)
			seen := m.owner("GET", "/v1/customers/"+id, nil).want(200)
			if seen.str("profile.city") != "London" {
				t.Errorf("the team sees %v", seen.at("profile.city"))
			}
			m.owner("PATCH", "/v1/customers/"+id, map[string]any{"profile": map[string]any{"city": "Paris"}}, "If-Match", seen.header.Get("ETag")).want(200)
			if got := m.as(session, "GET", "/v1/customers/me", nil).want(200).str("profile.city"); got != "Paris" {
				t.Errorf("S0-85 S0-80: the customer sees %q", got)
			}
		}},
		{"S0-29 mails have the store's logo and colour", func(t *testing.T, m *mailing) {
			m.owner("POST", "/v1/stores/"+m.storeID()+"/change-branding", map[string]any{"branding": map[string]any{
				"logo_url": "https://cdn.example/logo.png", "color": "#a1b2c3",
			}}).want(200)
			m.opened(ada("send", "welcome"))
			got := m.mail("ada@example.com", "")
			if !strings.Contains(got.HTML, "https://cdn.example/logo.png") || !strings.Contains(got.HTML, "#a1b2c3") {
				t.Errorf("the mail is %s", got.HTML)
			}
			other := newMailing(t)
			other.opened(ada("send", "welcome"))
			if plain := other.mail("ada@example.com", ""); strings.Contains(plain.HTML, "cdn.example") || strings.Contains(plain.HTML, "#a1b2c3") {
				t.Error("another store's mail has the same branding")
			}
		}},
		{"S0-34 S0-89 a reset goes to the stored address and nowhere else", func(t *testing.T, m *mailing) {
			_, path := m.opened(ada())
			m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset", "email": "thief@example.com"}).refused(422, "unknown_field")
			sent := m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset"}).want(200)
			got := m.mail("ada@example.com", "#stw_link_")
			if to := fmt.Sprint(got.To); strings.Count(to, "@") != 1 {
				t.Errorf("it went to %s", to)
			}
			if strings.Contains(string(sent.raw), "stw_link_") {
				t.Error("S0-49: the team sees the token")
			}
		}},
		{"S0-69 a push to a new account welcomes it if asked to", func(t *testing.T, m *mailing) {
			seller, _ := m.opened(ada())
			domain, _ := m.domain("sold.com", seller)
			push := func(body map[string]any) {
				t.Helper()
				body["confirm_token"] = m.owner("POST", "/v1/domains/"+domain+"/push-preview", body).want(200).str("confirm_token")
				m.owner("POST", "/v1/domains/"+domain+"/push", body).want(200)
			}
			push(map[string]any{"new_customer": map[string]any{"email": "first@example.com", "username": "first"}})
			push(map[string]any{"new_customer": map[string]any{"email": "second@example.com", "username": "second", "send": "welcome"}})
			m.link("second@example.com", "")
			for _, row := range m.owner("GET", "/v1/customers", nil).want(200).list("items") {
				if row["email"] == "first@example.com" && len(m.templates("/v1/customers/"+row["id"].(string))) > 0 {
					t.Error("the first was welcomed without being asked")
				}
			}
		}},
		{"S0-77 a customer sees when their domains expire and renew", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			_, last := m.domain("hers.com", id)
			got := m.as(m.signIn("ada"), "GET", "/v1/customers/me/domains", nil, "Steward-Min-Position", last.str("position")).want(200).list("items")
			if len(got) != 1 || got[0]["expires_at"] == nil || got[0]["auto_renew"] == nil {
				t.Errorf("she sees %v", got)
			}
		}},
		{"S0-88 S4-32 S1-35 reactivated, the old password is good", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			m.owner("POST", "/v1/customers/"+id+"/suspend", nil).want(200)
			m.signInWith("ada", goodPassword).refused(403, "account_disabled")
			m.owner("POST", "/v1/customers/"+id+"/reactivate", nil).want(200)
			m.signInWith("ada", goodPassword).want(200)
			m.mail("ada@example.com", "") // suspended
			m.mail("ada@example.com", "") // reactivated
		}},
		{"S0-98 what became of a mail is seen", func(t *testing.T, m *mailing) {
			_, path := m.opened(ada("send", "welcome"))
			m.link("ada@example.com", "")
			m.eventually("the mail is shown as sent", func() bool { return m.templates(path)["welcome"] == "sent" })
		}},
	})
}

func TestPreset_opensrs_two_factor(t *testing.T) {
	t.Parallel()
	confirm := map[string]any{"confirm": true}
	kept(t, "opensrs", []promise{
		{"T10 S3-03 S3-04 S3-21 S3-44 only the customer sets it up, if at all", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			m.owner("POST", "/v1/customers/"+id+"/two-factor/start", map[string]any{"password": goodPassword}).want(403)
			session := m.signIn("ada")
			m.enrol(session)
			m.as(session, "GET", "/v1/customers/me", nil).want(200) // stays signed in
		}},
		{"S3-08 S3-24 S3-58 codes have six digits, and five attempts", func(t *testing.T, m *mailing) {
			m.register("ada")
			m.enrol(m.signIn("ada"))
			in := m.signIn("ada")
			if got := fmt.Sprint(in.texts("alternatives")); in.str("next") != "second_factor" || got != "[code recovery_code]" {
				t.Errorf("asked for %s", in.raw)
			}
			for _, code := range []string{"12345", "1234567", "12345678", "12345a"} {
				m.answer(in.str("challenge"), "code", code).refused(401, "invalid_code")
			}
			m.answer(in.str("challenge"), "code", "000000").want(401)
			m.answer(in.str("challenge"), "code", "000000").refused(429, "too_many_attempts")
		}},
		{"S3-09 there is no SMS", func(t *testing.T, m *mailing) {
			m.register("ada")
			m.as(m.signIn("ada"), "POST", "/v1/customers/me/two-factor/start", map[string]any{"password": goodPassword, "method": "sms"}).refused(422, "unknown_field")
		}},
		{"T8 S3-22 S3-29 S3-53 S3-54 S3-56 a reset does not get around it", func(t *testing.T, m *mailing) {
			m.register("ada")
			_, codes := m.enrol(m.signIn("ada"))
			m.visit("/v1/forgot-password", map[string]any{"email": "ada@example.com"}).want(202)
			session := m.redeem(m.link("ada@example.com", "")).want(200)
			m.as(session, "POST", "/v1/customers/me/two-factor/disable", confirm).refused(403, "forbidden")
			if set := m.choose(session).want(200); strings.Contains(string(set.raw), "stw_ses_") || set.header.Get("Set-Cookie") != "" {
				t.Errorf("the reset signed in: %s", set.raw)
			}
			in := m.signInWith("ada", newPassword).want(200)
			if in.str("next") != "second_factor" {
				t.Fatalf("after a reset: %s", in.raw)
			}
			m.answer(in.str("challenge"), "recovery_code", codes[0]).want(200)
		}},
		{"S3-27 a wrong code says to check the clock", func(t *testing.T, m *mailing) {
			m.register("ada")
			d, _ := m.enrol(m.signIn("ada"))
			refused := m.answer(m.challenged("ada"), "code", d.code(m.now.now().Add(-time.Hour))).refused(401, "invalid_code", "code")
			if !strings.Contains(string(refused.raw), "clock") {
				t.Errorf("it says %s", refused.raw)
			}
		}},
		{"C21 S3-33 S3-35 recovery codes end, two-factor stays", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			_, codes := m.enrol(m.signIn("ada"))
			for _, code := range codes {
				m.answer(m.challenged("ada"), "recovery_code", code).want(200)
			}
			challenge := m.challenged("ada")
			m.answer(challenge, "recovery_code", codes[0]).refused(401, "invalid_code")
			if got := m.owner("GET", "/v1/customers/"+id, nil).want(200); got.str("two_factor") != "Enabled" || got.num("recovery_codes_left") != 0 {
				t.Errorf("the team sees %s", got.raw)
			}
		}},
		{"S3-06 S3-42 S3-46 S3-47 S3-48 S3-51 S3-59 S1-39 the team disables it for who lost the device", func(t *testing.T, m *mailing) {
			id := m.register("ada")
			path := "/v1/customers/" + id
			m.owner("POST", path+"/two-factor/disable", confirm).refused(409, "two_factor_disabled")
			first, codes := m.enrol(m.signIn("ada"))
			if m.owner("GET", path, nil).want(200).str("two_factor") != "Enabled" {
				t.Error("the detail does not say that it is enabled")
			}
			m.do(events.RoleSupport, "POST", path+"/two-factor/disable", map[string]any{}).want(428)
			m.do(events.RoleSupport, "POST", path+"/two-factor/disable", confirm).want(200)
			if md := m.newestOf("login.two_factor_disabled"); md.Actor.Kind != events.ActorReseller || md.Actor.StaffID != m.staff[events.RoleSupport] {
				t.Errorf("done by %+v", md.Actor)
			}
			m.mail("ada@example.com", "")
			again := m.signIn("ada") // the password alone
			second, fresh := m.enrol(again)
			if second == first || fresh[0] == codes[0] {
				t.Error("the secret or the codes are the old ones")
			}
			m.answer(m.challenged("ada"), "recovery_code", codes[1]).refused(401, "invalid_code")
		}},
		{"S3-37 S3-60 switching the device takes the password", func(t *testing.T, m *mailing) {
			m.register("ada")
			session := m.signIn("ada")
			first, _ := m.enrol(session)
			m.as(session, "POST", "/v1/customers/me/two-factor/disable", map[string]any{"confirm": true, "password": "not this one"}).refused(403, "wrong_password")
			m.as(session, "POST", "/v1/customers/me/two-factor/disable", map[string]any{"confirm": true, "password": goodPassword}).want(200)
			second, codes := m.enrol(m.signIn("ada"))
			if second == first {
				t.Error("the new app has the old secret")
			}
			m.answer(m.challenged("ada"), "recovery_code", codes[0]).want(200)
		}},
	})
}
