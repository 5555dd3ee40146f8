package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
)

// patience bounds every wait of a test for something to recover.
const patience = 20 * time.Second

// eventually repeats fn until it is content.
func eventually(t *testing.T, what string, fn func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !fn() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s took longer than %s", what, patience)
		}
	}
}

func (h *harness) ready() string {
	r := h.send("GET", "/readyz", nil)
	if r.status == 200 {
		return "ready"
	}
	names := []string{}
	for _, check := range r.list("checks") {
		names = append(names, check["name"].(string))
	}
	return strings.Join(names, " ")
}

func TestHealth_ReadyVerboseAndDraining(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	h.send("GET", "/livez", nil).want(200)
	if got := h.send("GET", "/readyz", nil).want(200); len(got.list("checks")) != 0 || got.str("status") != "ready" {
		t.Errorf("ready %s", got.raw)
	}
	if got := h.send("GET", "/readyz?verbose", nil).want(200); len(got.list("checks")) != 5 {
		t.Errorf("verbose %s", got.raw)
	}
	h.server.Drain()
	if got := h.ready(); got != "shutdown" {
		t.Errorf("draining: %s", got)
	}
	h.send("GET", "/livez", nil).want(200)
	h.owner("GET", "/v1/store", nil).want(200)
}

func TestFault_EventStoreAway_2_9(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	ada, _ := h.customer("ada")
	domain, last := h.domain("outage.com", ada)
	h.read("/v1/customers", last)
	acknowledged := h.owner("POST", "/v1/domains/"+domain+"/set-privacy", map[string]any{"value": true}).want(200)
	h.read("/v1/log", acknowledged)

	h.events.Refuse()
	for path, body := range map[string]any{
		"/v1/customers":                           map[string]any{"email": "bob@example.com", "username": "bob"},
		"/v1/domains/" + domain + "/set-lock":     map[string]any{"value": false},
		"/v1/customers/" + ada + "/suspend":       nil,
		"/v1/domains/import":                      importRow("x.com", "x@example.com", "xavier"),
		"/v1/domains/" + domain + "/push-preview": to("customer_id", ada),
	} {
		r := h.owner("POST", path, body)
		if r.status != 503 || r.str("code") != "event_store_unavailable" || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	for _, path := range []string{
		"/v1/customers", "/v1/customers/" + ada, "/v1/domains", "/v1/domains/" + domain, "/v1/log", "/v1/customers/" + ada + "/log",
		"/v1/domains/" + domain + "/log", "/v1/customers/" + ada + "/domains", "/v1/store", "/v1/stores", "/v1/staff", "/v1/staff/" + h.staffID(events.RoleAdmin), "/v1/api-keys",
	} {
		r := h.owner("GET", path, nil, "Steward-Min-Position", acknowledged.str("position"))
		if r.status != 200 || r.header.Get("X-Data-As-Of") == "" || r.at("available_actions") != nil {
			t.Errorf("%s: %d, as of %q: %s", path, r.status, r.header.Get("X-Data-As-Of"), r.raw)
		}
	}
	if got := h.owner("GET", "/v1/domains/"+domain, nil).want(200); got.at("settings.privacy") != true || got.header.Get("ETag") != acknowledged.header.Get("ETag") {
		t.Errorf("detail from the read model: %s", got.raw)
	}
	h.owner("GET", "/v1/customers/"+unknownCustomer(), nil).refused(404, "customer_not_found")
	h.send("GET", "/v1/store", nil, "Authorization", "Bearer "+rewriteSecret(h.keys[events.RoleOwner])).want(401)
	h.do(events.RoleAnalyst, "GET", "/v1/staff", nil).refused(403, "forbidden")
	if got := h.ready(); !strings.HasPrefix(got, "event_store") {
		t.Errorf("ready says %q", got)
	}
	h.send("GET", "/livez", nil).want(200)

	if err := h.events.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { return h.ready() == "ready" })
	eventually(t, "reads from the log", func() bool {
		return h.owner("GET", "/v1/customers/"+ada, nil).want(200).header.Get("X-Data-As-Of") == ""
	})
	if got := h.owner("GET", "/v1/domains/"+domain, nil).want(200).at("settings.privacy"); got != true {
		t.Error("what was acknowledged is lost")
	}
	done := h.owner("POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": false}).want(200)
	h.read("/v1/log", done)
}

func TestFault_PostgresAway_2_9(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	ada, created := h.customer("ada")
	h.read("/v1/customers", created)
	h.database.Refuse()
	for _, path := range []string{"/v1/customers", "/v1/domains", "/v1/log", "/v1/staff", "/v1/api-keys"} {
		r := h.owner("GET", path, nil)
		if r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	// A new person needs a key, and keys are in the database.
	h.owner("POST", "/v1/customers", map[string]any{"email": "bob@example.com", "username": "bob"}).want(503)
	// However often it is repeated meanwhile, it can still be done afterwards.
	carl := map[string]any{"email": "carl@example.com", "username": "carl"}
	for range 20 {
		h.owner("POST", "/v1/customers", carl, "Idempotency-Key", "carl").want(503)
	}
	if got := h.ready(); !strings.Contains(got, "postgres") {
		t.Errorf("ready says %q", got)
	}
	h.send("GET", "/livez", nil).want(200)
	if err := h.database.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { return h.ready() == "ready" })
	h.owner("POST", "/v1/customers", map[string]any{"email": "bob@example.com", "username": "bob"}).want(201)
	last := h.owner("POST", "/v1/customers", carl, "Idempotency-Key", "carl").want(201)
	if got := h.read("/v1/customers", last).column("id"); len(got) != 3 {
		t.Errorf("customers %v, one is %s", got, ada)
	}
}

func TestFault_BothAway(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	h.events.Refuse()
	h.database.Refuse()
	for _, path := range []string{"/v1/customers", "/v1/store"} {
		if r := h.owner("GET", path, nil); r.status != 503 {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	if r := h.owner("POST", "/v1/customers", map[string]any{"email": "bob@example.com", "username": "bob"}); r.status != 503 {
		t.Errorf("a command: %d %s", r.status, r.raw)
	}
	if err := h.events.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := h.database.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { return h.ready() == "ready" })
	h.customer("bob")
}

func TestFault_TheReadModelsAreBehind(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	h := s.newStore(t)
	_, first := h.customer("ada")
	h.read("/v1/customers", first)
	// Somebody holds the checkpoint: the projector waits, and so do reads.
	tx, err := s.direct.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM read_core.checkpoint FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	_, second := h.customer("bob")
	r := h.owner("GET", "/v1/customers", nil, "Steward-Min-Position", second.str("position")).refused(503, "read_model_behind")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if got := h.owner("GET", "/v1/customers", nil).want(200).column("id"); len(got) != 1 {
		t.Errorf("customers %v", got)
	}
	if got := h.ready(); got != "projections" {
		t.Errorf("ready says %q", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.read("/v1/customers", second).column("id"); len(got) != 2 {
		t.Errorf("customers %v", got)
	}
}

func TestFault_EventStoreSilent_2_9(t *testing.T) {
	t.Parallel()
	h := startStack(t).newStore(t)
	ada, created := h.customer("ada")
	h.read("/v1/customers", created)
	h.events.Freeze()
	for range 2 {
		if r := h.owner("GET", "/v1/customers/"+ada, nil).want(200); r.header.Get("X-Data-As-Of") == "" {
			t.Errorf("answered as current: %s", r.raw)
		}
	}
	if r := h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).refused(503, "event_store_unavailable"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if err := h.events.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { return h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).status == 200 })
}
