package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

// promise is a row of a document that Steward is made after, and the steps that show
// it, in a store of its own under the preset of the document.
type promise struct {
	row  string
	show func(t *testing.T, m *mailing)
}

// kept shows that promises are kept under a preset.
func kept(t *testing.T, preset string, promises []promise) {
	t.Helper()
	for _, p := range promises {
		t.Run(p.row, func(t *testing.T) {
			t.Parallel()
			m := newMailing(t)
			m.owner("POST", "/v1/stores/"+m.storeID()+"/set-policies", map[string]any{"preset": preset}).want(200)
			p.show(t, m)
		})
	}
}

// opened opens an account as the team does, and returns its id and path.
func (m *mailing) opened(body map[string]any) (id, path string) {
	m.t.Helper()
	id = m.owner("POST", "/v1/customers", body).want(201).str("id")
	return id, "/v1/customers/" + id
}

func ada(more ...any) map[string]any {
	body := map[string]any{"email": "ada@example.com", "username": "ada"}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

// newestOf is the actor of the newest event of a type.
func (m *mailing) newestOf(eventType string) events.Metadata {
	m.t.Helper()
	facts := m.facts()
	for i := len(facts) - 1; i >= 0; i-- {
		if facts[i].Type == eventType {
			return must(events.DecodeMetadata(facts[i].Metadata))
		}
	}
	m.t.Fatalf("nothing of %s", eventType)
	return events.Metadata{}
}

// mails lists the templates of the mails to a customer, once what after led to is there.
func (m *mailing) templates(path string) map[any]any {
	m.t.Helper()
	states := make(map[any]any)
	for _, row := range m.owner("GET", path+"/mails", nil).want(200).list("items") {
		states[row["template"]] = row["state"]
	}
	return states
}

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

// eventually waits for something that follows from the read models, which catch up by
// themselves.
func (m *mailing) eventually(what string, is func() bool) {
	m.t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			m.t.Fatalf("it never came to be that %s", what)
		}
		// A command's position is what the read models are waited for.
		m.read("/v1/log?limit=1", m.owner("POST", "/v1/stores/"+m.storeID()+"/rename", map[string]any{"name": "Shop " + time.Now().Format(time.RFC3339Nano)}).want(200))
	}
}

func TestPreset_opensrs_two_factor(t *testing.T) {
	t.Parallel()
	confirm := map[string]any{"confirm": true}
	kept(t, "opensrs", []promise{
		{"S3-03 S3-04 S3-21 S3-44 only the customer sets it up, if at all", func(t *testing.T, m *mailing) {
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
		{"S3-22 S3-29 S3-53 S3-54 S3-56 a reset does not get around it", func(t *testing.T, m *mailing) {
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
		{"S3-33 S3-35 recovery codes end, two-factor stays", func(t *testing.T, m *mailing) {
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
		{"S4-33 S4-40 whose account is disabled is told so, after the right password", func(t *testing.T, m *mailing) {
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

// S4-11, S4-17: where names are unique on the whole platform, another store's are taken
// too, in whatever case they are written, and of many who want one one gets it.
func TestIdentityScope_S4_11_S4_17_C13(t *testing.T) {
	t.Parallel()
	s := startStackOf(t, events.ScopePlatform)
	a, b := s.newStore(t), s.newStore(t)
	a.customer("ada")
	b.owner("POST", "/v1/customers", map[string]any{"email": "ADA@example.com", "username": "other"}).refused(409, "name_taken", "email")
	b.owner("POST", "/v1/customers", map[string]any{"email": "other@example.com", "username": "Ada"}).refused(409, "name_taken", "username")
	b.owner("POST", "/v1/customers", map[string]any{"email": "ada+1@example.com", "username": "ada1"}).want(201)
	got := map[int]int{}
	for _, r := range a.together(50, func(i int) *reply {
		h := []*harness{a, b}[i%2]
		return h.owner("POST", "/v1/customers", map[string]any{"email": "one@example.com", "username": fmt.Sprintf("one%d", i)})
	}) {
		got[r.status]++
	}
	if got[201] != 1 || got[201]+got[409] != 50 {
		t.Errorf("answers %v", got)
	}
}

// C8: what somebody shut out is told.
func TestRevealStatus_C8(t *testing.T) {
	t.Parallel()
	for value, told := range map[string][2]string{
		"after_correct_password": {"account_disabled", "invalid_credentials"},
		"never":                  {"invalid_credentials", "invalid_credentials"},
		"always":                 {"account_disabled", "account_disabled"},
	} {
		m := newMailing(t)
		m.policies(map[string]any{"reveal_status": value})
		id := m.register("ada")
		m.signInWith("ada", "wrong one altogether").refused(401, "invalid_credentials")
		m.owner("POST", "/v1/customers/"+id+"/suspend", nil).want(200)
		for i, password := range []string{goodPassword, "wrong one altogether"} {
			if got := m.signInWith("ada", password).str("code"); got != told[i] {
				t.Errorf("%s: attempt %d is told %s", value, i, got)
			}
		}
		m.signInWith("nobody", goodPassword).refused(401, "invalid_credentials")
	}
}

// C23: a notice follows from what the team does, unless it says otherwise.
func TestNotify_C23(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	_, path := m.opened(ada())
	m.owner("POST", path+"/suspend", nil, "Steward-Notify", "false").want(200)
	m.owner("POST", path+"/reactivate", nil).want(200)
	m.eventually("the second is shown", func() bool { return m.templates(path)["account_reactivated"] == "sent" })
	if got := m.templates(path); got["account_suspended"] != nil {
		t.Errorf("the mails are %v", got)
	}
	// Who has taken an account over cannot keep that from its owner.
	m.register("eve")
	change := map[string]any{"current_password": goodPassword, "new_password": newPassword}
	m.as(m.signIn("eve"), "POST", "/v1/customers/me/change-password", change, "Steward-Notify", "false").want(200)
	m.mail("eve@example.com", "password")
}

// CRE-10: somebody shut out by failed attempts is let in again by the team.
func TestUnlock_CRE10(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	refused := 0
	for range 8 {
		if m.signInWith("ada", "wrong one altogether").status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("nothing shut her out")
	}
	m.do(events.RoleAnalyst, "POST", "/v1/customers/"+id+"/unlock", nil).refused(403, "forbidden")
	unlocked := m.do(events.RoleSupport, "POST", "/v1/customers/"+id+"/unlock", nil).want(200)
	m.signInWith("ada", goodPassword).want(200)
	if rows := m.read("/v1/customers/"+id+"/log?type=login.unlocked", unlocked).list("items"); len(rows) != 1 {
		t.Errorf("the log says %v", rows)
	}
}
