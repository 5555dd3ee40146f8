package api_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/mail/mailbox"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/projections"
)

// mailing is a harness whose mails are sent, to a mailbox.
type mailing struct {
	*harness
	box  *mailbox.Mailbox
	host string
	seen map[string]bool // tokens and mails that the test has used
}

// newMailing makes a store of its own in the stack whose mails are sent.
func newMailing(t *testing.T) *mailing {
	t.Helper()
	s := mailingStack()
	h := s.newStore(t)
	host := h.owner("GET", "/v1/store", nil).want(200).texts("hosts")[0]
	return &mailing{harness: h, box: s.box, host: host, seen: make(map[string]bool)}
}

// stackWithMail is a stack with the reactions and jobs that lead to mails.
type stackWithMail struct {
	*stack
	box *mailbox.Mailbox
}

// startMailing starts what makes and sends mails; it ends with tb.
func startMailing(tb testing.TB, s *stack) *stackWithMail {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	box, err := mailbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	links := must(onetime.New(must(s.vault.SecretVersions(vault.SecretToken))))
	mailer := &api.Mailer{Engine: s.engine, Links: links, Sender: must(mail.NewSender(box.URL())), Now: s.now.now, Logger: s.logger()}
	if err := jobs.Migrate(ctx, s.pool); err != nil {
		tb.Fatal(err)
	}
	mailer.Done = s.receipts().Done
	queue := must(jobs.New(jobs.Config{Pool: s.pool, SendMail: mailer.Send, EndImpersonation: mailer.EndImpersonation, Logger: s.logger()}))
	checkpoints := reactions.NewCheckpoints(s.pool, s.vault.LogID())
	router := must(reactions.NewRouter(reactions.Config{
		Log: s.engine.Log, Checkpoints: checkpoints, Logger: s.logger(),
		Reactions: []reactions.Reaction{api.Logins(s.engine, links, s.now.now), api.Mails(s.engine, queue, s.now.now)},
	}))
	ended := make(chan error, 2)
	go func() { ended <- router.Run(ctx) }()
	go func() { ended <- queue.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				tb.Error(err)
			}
		}
		if err := box.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &stackWithMail{s, box}
}

var mailingStack = sync.OnceValue(func() *stackWithMail { return startMailing(shared, startStack(shared)) })

// receipts reads what was done in sessions as a customer.
func (s *stack) receipts() api.Receipts {
	return api.Receipts{Queries: projections.NewQueries(s.pool), Opener: s.engine.Sealer, Waiter: projector.NewWaiter(s.pool, s.group(), nil)}
}

// mail waits for a mail of the store to an address that the test has not seen yet and
// that holds a text.
func (m *mailing) mail(to, holds string) mailbox.Message {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	got, err := m.box.Await(ctx, func(msg mailbox.Message) bool {
		return strings.Contains(fmt.Sprint(msg.To), to) && strings.Contains(fmt.Sprint(msg.From), m.host) && !m.seen[msg.ID] &&
			strings.Contains(msg.Subject+"\n"+msg.Text, holds)
	})
	if err != nil {
		m.t.Fatalf("no mail to %s with %q: %v", to, holds, err)
	}
	m.seen[got.ID] = true
	return got
}

var linkPattern = regexp.MustCompile(`https://([^/\s]+)/links#(stw_link_[A-Za-z0-9_-]+)`)

// link waits for a mail with a link and returns its token.
func (m *mailing) link(to, holds string) string {
	m.t.Helper()
	got := m.mail(to, holds)
	found := linkPattern.FindStringSubmatch(got.Text)
	if found == nil || found[1] != m.host {
		m.t.Fatalf("no link of the store in %q", got.Text)
	}
	return found[2]
}

func (m *mailing) redeem(token string) *reply {
	m.t.Helper()
	return m.visit("/v1/links/redeem", map[string]any{"token": token})
}

const newPassword = "another long and quiet evening"

// choose sets a password in the session that a link led to.
func (m *mailing) choose(session *reply) *reply {
	m.t.Helper()
	return m.as(session, "POST", "/v1/customers/me/set-password", map[string]any{"new_password": newPassword})
}

func (m *mailing) signInWith(name, password string) *reply {
	m.t.Helper()
	return m.visit("/v1/sign-in", map[string]any{"name": name, "password": password})
}

func (m *mailing) policies(set map[string]any) {
	m.t.Helper()
	m.owner("POST", "/v1/stores/"+m.storeID()+"/set-policies", map[string]any{"policies": set}).want(200)
}

func TestWelcome_S0_22_S0_23_S0_26_S0_27_S0_28_S0_30_C6(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.owner("POST", "/v1/customers", map[string]any{"email": "ada@example.com", "username": "ada", "send": "welcome"}).want(201).str("id")
	stage := func(want string) {
		t.Helper()
		if got := m.owner("GET", "/v1/customers/"+id, nil).want(200).str("onboarding"); got != want {
			t.Errorf("the customer is at %q, not at %q", got, want)
		}
	}
	stage("password_required")
	token := m.link("ada@example.com", "")
	session := m.redeem(token).want(200)
	if session.str("next") != "set_password" || session.str("customer_id") != id {
		t.Fatalf("the link leads to %s", session.raw)
	}
	m.redeem(token).refused(410, "link_over")
	// Nothing else can be done in the session.
	for _, path := range []string{"/v1/customers/me", "/v1/customers/me/domains", "/v1/customers/me/log"} {
		m.as(session, "GET", path, nil).refused(403, "forbidden")
	}
	m.as(session, "POST", "/v1/customers/me/set-password", map[string]any{"new_password": "short"}).refused(422, "password_too_short", "new_password")
	m.as(session, "POST", "/v1/customers/me/set-password", map[string]any{"new_password": newPassword, "repeat_password": "x"}).refused(422, "passwords_differ")
	m.choose(session).want(200)
	m.choose(session).refused(401, "unauthorized")
	signedIn := m.signInWith("ada", newPassword).want(200)
	m.as(signedIn, "GET", "/v1/customers/me", nil).want(200)
	stage("review_details")
	m.as(signedIn, "POST", "/v1/customers/me/review-details", nil).want(200)
	stage("ready")
	m.as(signedIn, "POST", "/v1/customers/me/set-password", map[string]any{"new_password": newPassword}).refused(403, "link_needed")
	// A further welcome makes no sense.
	m.owner("POST", "/v1/customers/"+id+"/send-link", map[string]any{"purpose": "welcome"}).refused(409, "password_chosen")
}

func TestWelcome_S0_26_S0_31_S0_100_LaterByAReset(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.owner("POST", "/v1/customers", map[string]any{"email": "eve@example.com", "username": "eve"}).want(201).str("id")
	m.owner("POST", "/v1/customers/"+id+"/send-link", map[string]any{"purpose": "reset"}).want(200)
	token := m.link("eve@example.com", "")
	m.choose(m.redeem(token).want(200)).want(200)
	m.signInWith("eve@example.com", newPassword).want(200)
	m.mail("eve@example.com", "") // that it worked
	// Nothing was sent when the account was opened, and nothing but the reset later.
	var templates map[any]any
	m.eventually("both mails are shown as sent", func() bool {
		templates = m.templates("/v1/customers/" + id)
		return templates["password_reset_successful"] == "sent"
	})
	if diff := cmp.Diff(map[any]any{"password_reset": "sent", "password_reset_successful": "sent"}, templates); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func TestReset_S2_07_S2_08_S2_09_S2_10_S2_11_S3_53_S3_55_R9_R10_C20(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.register("ada")
	old := m.signIn("ada")
	known := m.visit("/v1/forgot-password", map[string]any{"email": "ADA@example.com"}, "X-Request-Id", "5a3e5a3e").want(202)
	unknown := m.visit("/v1/forgot-password", map[string]any{"email": "nobody@example.com"}, "X-Request-Id", "5a3e5a3e").want(202)
	if string(known.raw) != string(unknown.raw) {
		t.Errorf("%s for somebody, %s for nobody", known.raw, unknown.raw)
	}
	token := m.link("ada@example.com", "")
	session := m.redeem(token).want(200)
	m.choose(session).want(200)
	m.as(old, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
	m.as(session, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
	m.signInWith("ada", goodPassword).refused(401, "invalid_credentials")
	m.signInWith("ada", newPassword).want(200)
	m.mail("ada@example.com", "")
	m.redeem(token).refused(410, "link_over")
}

// R2, R3: looking at a link uses nothing up, and of many who follow it one gets through.
func TestLink_R2_R3_OneOfMany(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.register("ada")
	m.visit("/v1/forgot-password", map[string]any{"email": "ada@example.com"}).want(202)
	token := m.link("ada@example.com", "")
	for range 50 {
		m.send("GET", "/links", nil).want(200)
		m.send("GET", "/v1/links/redeem", nil).want(405)
	}
	statuses := make(chan int, 64)
	var ready sync.WaitGroup
	ready.Add(64)
	for range 64 {
		go func() {
			ready.Done()
			ready.Wait()
			r, err := m.request(context.WithoutCancel(t.Context()), "POST", "/v1/links/redeem", map[string]any{"token": token}, "Steward-Store", m.storeID(), "X-Forwarded-For", uuidIP())
			if err != nil {
				statuses <- 0
				return
			}
			answer, err := m.http.Client().Do(r)
			if err != nil {
				statuses <- 0
				return
			}
			_ = answer.Body.Close()
			statuses <- answer.StatusCode
		}()
	}
	got := map[int]int{}
	for range 64 {
		got[<-statuses]++
	}
	if diff := cmp.Diff(map[int]int{200: 1, 410: 63}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// uuidIP is an address of a network of its own, which no throttle knows.
func uuidIP() string {
	id := uuid.New()
	return fmt.Sprintf("2001:db8:%x:%x::1", id[:2], id[2:4])
}

func TestLink_R4_S0_99_DeadLinks(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	path := "/v1/customers/" + id
	ask := func(address string) string {
		t.Helper()
		m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset"}).want(200)
		return m.link(address, "#stw_link_")
	}
	var bodies []string
	dead := func(name, token string) {
		t.Helper()
		r := m.visit("/v1/links/redeem", map[string]any{"token": token}, "X-Request-Id", "5a3e5a3e").refused(410, "link_over")
		bodies = append(bodies, string(r.raw))
		if bodies[0] != bodies[len(bodies)-1] {
			t.Errorf("%s answers %s", name, r.raw)
		}
	}
	const address = "ada@example.com"
	first := ask(address)
	second := ask(address)
	dead("superseded", first)
	m.owner("POST", path+"/suspend", nil).want(200)
	dead("of somebody suspended", second)
	m.owner("POST", path+"/send-link", map[string]any{"purpose": "reset"}).refused(409, "customer_shut_out")
	m.owner("POST", path+"/reactivate", nil).want(200)
	dead("from before a suspension", second)
	third := ask(address)
	m.owner("POST", path+"/change-email", map[string]any{"email": "new@example.com"}).want(200)
	dead("to another address", third)
	fourth := ask("new@example.com")
	m.as(m.signIn("ada"), "POST", "/v1/customers/me/change-password", map[string]any{"current_password": goodPassword, "new_password": newPassword}).want(200)
	dead("from before another password", fourth)
	dead("damaged", fourth[:len(fourth)-1]+"0")
	dead("no token", "x")
	dead("of nobody", must(must(onetime.New(must(m.vault.SecretVersions(vault.SecretToken)))).Token(onetime.Link{
		Purpose: "reset", StoreID: m.store, HolderID: uuid.New(), ID: uuid.New(), Version: 1,
	})).Reveal())
}

func TestActivation_C7_S1_29_S1_30_S2_02_S2_03_S2_04_S2_05_S2_06_S2_13_S2_14_S2_15(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	m.owner("POST", "/v1/stores/"+m.storeID()+"/set-policies", map[string]any{"preset": "bss"}).want(200)
	out := m.visit("/v1/register", map[string]any{"email": "ada@example.com", "password": goodPassword}).want(202)
	if out.str("next") != "follow_link" {
		t.Errorf("registered: %s", out.raw)
	}
	first := m.link("ada@example.com", "")
	m.signInWith("ada@example.com", goodPassword).refused(403, "account_disabled")
	list := m.read("/v1/customers?q=ada@example.com", m.owner("POST", "/v1/stores/"+m.storeID()+"/rename", map[string]any{"name": "Other"}).want(200))
	id, _ := list.list("items")[0]["id"].(string)
	path := "/v1/customers/" + id
	m.owner("POST", path+"/send-link", map[string]any{"purpose": "activate"}).want(200)
	second := m.link("ada@example.com", "")
	m.redeem(first).refused(410, "link_over")
	if next := m.redeem(second).want(200).str("next"); next != "sign_in" {
		t.Errorf("next is %q", next)
	}
	m.redeem(second).refused(410, "link_over") // a second click does no harm
	m.signInWith("ada@example.com", goodPassword).want(200)
	m.mail("ada@example.com", "")
	m.owner("POST", path+"/send-link", map[string]any{"purpose": "activate"}).refused(409, "already_active")

	// Of an account that the team opened: the password comes first.
	staffed := m.owner("POST", "/v1/customers", map[string]any{"email": "eve@example.com"}).want(201).str("id")
	m.owner("POST", "/v1/customers/"+staffed+"/set-password", map[string]any{"new_password": goodPassword}).refused(422, "staff_password_never")
	session := m.redeem(m.link("eve@example.com", "")).want(200)
	if got := m.owner("GET", "/v1/customers/"+staffed, nil).want(200).at("status.value"); got != "pending" {
		t.Errorf("a link without a password made the account %v", got)
	}
	m.choose(session).want(200)
	m.signInWith("eve@example.com", newPassword).want(200)
	var order []string
	for _, r := range m.facts() {
		if r.Type == "customer.activated" || r.Type == "login.password_set" {
			order = append(order, r.Type)
		}
	}
	if n := len(order); n < 2 || order[n-2] != "login.password_set" || order[n-1] != "customer.activated" {
		t.Errorf("in the order %v", order)
	}
}

func TestEmailChange_CRE14_ByTheCustomerAndBack(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	session := m.signIn("ada")
	ask := func(body map[string]any) *reply {
		return m.as(session, "POST", "/v1/customers/me/request-email-change", body)
	}
	ask(map[string]any{"email": "thief@example.org", "password": "wrong"}).refused(403, "wrong_password")
	ask(map[string]any{"email": "thief", "password": goodPassword}).refused(422, "invalid")
	ask(map[string]any{"email": "thief@example.org", "password": goodPassword}).want(200)
	confirm := m.link("thief@example.org", "")
	m.signInWith("ada@example.com", goodPassword).want(200) // nothing has changed yet
	m.redeem(confirm).want(200)
	m.signInWith("ada@example.com", goodPassword).refused(401, "invalid_credentials")
	thief := m.signInWith("thief@example.org", goodPassword).want(200)
	undo := m.link("ada@example.com", "")
	// Going on to another address does not close the way back.
	m.owner("POST", "/v1/customers/"+id+"/change-email", map[string]any{"email": "thief2@example.org"}).want(200)
	m.redeem(undo).want(200)
	m.as(thief, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
	m.signInWith("ada@example.com", goodPassword).want(200)
	m.redeem(undo).refused(410, "link_over")
}

func TestStaffPassword_S1_42_S4_18_S4_29_C4(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	path := "/v1/customers/" + id + "/set-password"
	m.owner("POST", path, map[string]any{"new_password": newPassword}).refused(422, "staff_password_never")
	old := m.signIn("ada")
	m.policies(map[string]any{"staff_password": "set"})
	m.owner("POST", path, map[string]any{"new_password": newPassword, "repeat_password": "other"}).refused(422, "passwords_differ")
	m.owner("POST", path, map[string]any{"new_password": "short"}).refused(422, "password_too_short", "new_password")
	set := m.owner("POST", path, map[string]any{"new_password": newPassword, "repeat_password": newPassword}).want(200)
	m.as(old, "GET", "/v1/customers/me", nil).refused(401, "unauthorized")
	m.mail("ada@example.com", "")
	m.as(m.signInWith("ada", newPassword).want(200), "GET", "/v1/customers/me", nil).want(200)
	if e := m.read("/v1/customers/"+id+"/log?setting=password", set).list("items")[0]; e["by"].(map[string]any)["kind"] != "reseller" || strings.Contains(fmt.Sprint(e), newPassword) {
		t.Errorf("the log says %v", e)
	}
	m.policies(map[string]any{"staff_password": "set_temporary"})
	m.owner("POST", path, map[string]any{"new_password": goodPassword}).want(200)
	once := m.signIn("ada")
	if once.str("next") != "set_password" {
		t.Fatalf("signed in with a temporary password: %s", once.raw)
	}
	m.as(once, "GET", "/v1/customers/me", nil).refused(403, "forbidden")
	m.choose(once).want(200)
	m.as(m.signInWith("ada", newPassword).want(200), "GET", "/v1/customers/me", nil).want(200)
}
