package api_test

import (
	"fmt"
	"net/http"
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
