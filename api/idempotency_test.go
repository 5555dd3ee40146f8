package api_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
)

func TestIdempotency_INT_01_S0_22_SameKeySameAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	body := map[string]any{"email": "ada@example.com", "username": "ada"}
	before := len(h.facts())
	first := h.owner("POST", "/v1/customers", body, "Idempotency-Key", "order 1").want(201)
	again := h.owner("POST", "/v1/customers", `{ "username":"ada",`+"\n"+`"email":"ada@example.com"}`, "Idempotency-Key", "order 1").want(201)
	if string(first.raw) != string(again.raw) || len(h.facts()) != before+1 {
		t.Errorf("first %s, again %s", first.raw, again.raw)
	}
	for _, name := range []string{"Location", "ETag", "Steward-Position"} {
		if first.header.Get(name) != again.header.Get(name) || first.header.Get(name) == "" {
			t.Errorf("%s: %q, then %q", name, first.header.Get(name), again.header.Get(name))
		}
	}
	id := first.str("id")
	h.owner("POST", "/v1/customers/"+id+"/change-username", map[string]any{"username": "countess"}).want(200)
	later := h.owner("POST", "/v1/customers", body, "Idempotency-Key", "order 1").want(201)
	if string(first.raw) != string(later.raw) {
		t.Errorf("after another change the answer is %s", later.raw)
	}
}

func TestIdempotency_SameKeyOtherRequest(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	path := "/v1/customers/" + ada + "/suspend"
	h.owner("POST", path, map[string]any{"reason_code": "fraud"}, "Idempotency-Key", "k").want(200)
	h.unchanged(func() {
		h.owner("POST", path, map[string]any{"reason_code": "other"}, "Idempotency-Key", "k").refused(422, "idempotency_key_reused", "Idempotency-Key")
		h.owner("POST", path, map[string]any{"reason_code": "fraud"}, "Idempotency-Key", "k", "Steward-Reason", "x").refused(422, "idempotency_key_reused")
		h.owner("POST", path, map[string]any{"reason_code": "fraud"}, "Idempotency-Key", "k", "Steward-Ticket", "x").refused(422, "idempotency_key_reused")
		// The version that the first attempt led to means the same command.
		h.owner("POST", path, map[string]any{"reason_code": "fraud"}, "Idempotency-Key", "k", "If-Match", `"r1"`).want(200)
		h.owner("POST", path, map[string]any{"reason_code": "fraud"}, "Idempotency-Key", "k", "If-Match", `"r0"`).want(200)
	})
	// Keys belong to a person and an address.
	h.owner("POST", "/v1/customers/"+ada+"/reactivate", nil, "Idempotency-Key", "k").want(200)
	h.do(events.RoleAdmin, "POST", path, map[string]any{"reason_code": "other"}, "Idempotency-Key", "k").want(200)
}

// A key stands for one request also where the body decides which stream is
// written, at once and after a restart.
func TestIdempotency_SameKeyOtherDomain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	dates := map[string]any{"registered_at": "2024-01-01", "expires_at": "2027-01-01"}
	registration := func(name string) map[string]any {
		return mergedWith(dates, map[string]any{"name": name, "customer_id": ada})
	}
	row := func(name string) map[string]any {
		return mergedWith(dates, map[string]any{"name": name, "owner": map[string]any{"email": "ada@example.com", "username": "ada"}})
	}
	batch := func(names ...string) map[string]any {
		var rows []any
		for _, name := range names {
			rows = append(rows, mergedWith(row(name), map[string]any{"idempotency_key": "row"}))
		}
		return map[string]any{"rows": rows}
	}
	// One is refused, the others mend what was refused under the same key.
	h.owner("POST", "/v1/domains", registration("not a name"), "Idempotency-Key", "k").want(422)
	h.owner("POST", "/v1/domains", registration("a-register.com"), "Idempotency-Key", "k").want(201)
	h.owner("POST", "/v1/domains/import", row("a-import.com"), "Idempotency-Key", "k").want(200)
	first := h.owner("POST", "/v1/domains/import-batch", batch("a-batch.com", "b-batch.com")).want(200)
	if second := first.list("rows")[1]; second["code"] != "idempotency_key_reused" {
		t.Errorf("a key used twice in one batch: %v", second)
	}
	h.read("/v1/domains", first).want(200)
	for range 2 {
		h.unchanged(func() {
			h.owner("POST", "/v1/domains", registration("b-register.com"), "Idempotency-Key", "k").refused(422, "idempotency_key_reused", "Idempotency-Key")
			h.owner("POST", "/v1/domains/import", row("b-import.com"), "Idempotency-Key", "k").refused(422, "idempotency_key_reused")
			h.owner("POST", "/v1/domains", registration("a-register.com"), "Idempotency-Key", "k").want(201)
		})
		h.server.ForgetRepeats()
	}
}

func mergedWith(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestIdempotency_BadKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.unchanged(func() {
		for _, key := range []string{strings.Repeat("k", 256), "k\u00e9y", "tab\tkey"} {
			h.owner("POST", "/v1/customers", map[string]any{"email": "a@example.com", "username": "ada"}, "Idempotency-Key", key).
				refused(400, "bad_idempotency_key", "Idempotency-Key")
		}
		h.owner("POST", "/v1/api-keys", map[string]any{}, "Idempotency-Key", "k").refused(400, "idempotency_key_not_allowed", "Idempotency-Key")
	})
	h.owner("POST", "/v1/customers", map[string]any{"email": "a@example.com", "username": "ada"}, "Idempotency-Key", strings.Repeat("k", 255)).want(201)
}

func TestIdempotency_32AtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("together.com", ada)
	for name, c := range map[string]struct {
		path   string
		body   map[string]any
		events int
	}{
		"create":  {"/v1/customers", map[string]any{"email": "bob@example.com", "username": "bob"}, 1},
		"suspend": {"/v1/customers/" + ada + "/suspend", map[string]any{"reason_code": "fraud"}, 1},
		"unlock":  {"/v1/domains/" + id + "/set-lock", map[string]any{"value": false}, 1},
		"import":  {"/v1/domains/import", importRow("imported.com", "carl@example.com", "carl"), 2},
		"staff":   {"/v1/staff", map[string]any{"email": "dora@example.com", "role": "support"}, 1},
	} {
		before := len(h.facts())
		answers := map[string]int{}
		for _, r := range h.together(32, func(int) *reply {
			return h.owner("POST", c.path, c.body, "Idempotency-Key", name, "X-Request-Id", "5a3e5a3e")
		}) {
			answers[fmt.Sprint(r.status, " ", string(r.raw))]++
		}
		if got := len(h.facts()) - before; got != c.events || len(answers) != 1 {
			t.Errorf("%s: %d events and %d different answers: %v", name, got, len(answers), answers)
		}
		for range 3 {
			r := h.owner("POST", c.path, c.body, "Idempotency-Key", name, "X-Request-Id", "5a3e5a3e")
			if answers[fmt.Sprint(r.status, " ", string(r.raw))] == 0 {
				t.Errorf("%s: a retry answers %d %s", name, r.status, r.raw)
			}
		}
	}
}

func TestCommand_OneOf64ClientsGetsTheEmail(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	before := len(h.facts())
	won := 0
	for _, r := range h.together(64, func(i int) *reply {
		return h.owner("POST", "/v1/customers", map[string]any{"email": "Wanted@example.com", "username": fmt.Sprintf("client%d", i)})
	}) {
		switch {
		case r.status == 201:
			won++
		case r.status == 409 && (r.str("code") == "name_taken" || r.str("code") == "name_reserved" || r.str("code") == "name_contended"):
		default:
			t.Errorf("%d %s", r.status, r.raw)
		}
	}
	created := 0
	for _, fact := range h.facts()[before:] {
		if fact.Type == events.TypeCustomerCreated {
			created++
		}
	}
	if won != 1 || created != 1 {
		t.Errorf("%d won, %d customers were created", won, created)
	}
}

func TestCommand_DryRunWritesNothing(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	h.unchanged(func() {
		dry := h.owner("POST", "/v1/customers?dry_run=true", map[string]any{"email": "bob@example.com", "username": "bob"}).want(200)
		written := dry.list("events")
		if len(written) != 1 || written[0]["type"] != "customer.created" || written[0]["data"].(map[string]any)["email"] != "bob@example.com" || dry.header.Get("Location") != "" {
			t.Errorf("dry run of a creation: %s", dry.raw)
		}
		for _, query := range []string{"dry_run=true", "dry_run=1", "dry_run=T", "dry_run"} {
			h.owner("POST", "/v1/customers/"+ada+"/delete?"+query, nil).want(200)
		}
		h.owner("POST", "/v1/customers/"+ada+"/delete?dry_run=perhaps", nil).refused(422, "invalid", "dry_run")
		h.owner("POST", "/v1/customers?dry_run=true", map[string]any{"email": "ada@example.com", "username": "bob"}).refused(409, "name_taken", "email")
		noop := h.owner("POST", "/v1/customers/"+ada+"/reactivate?dry_run=true", nil).want(200)
		if len(noop.list("events")) != 0 || noop.at("dry_run") != true {
			t.Errorf("dry run of a no-op: %s", noop.raw)
		}
		h.owner("POST", "/v1/customers/"+ada+"/delete?dry_run=true", nil, "Idempotency-Key", "k").want(200)
	})
	if got := h.owner("POST", "/v1/customers/"+ada+"/delete", nil, "Idempotency-Key", "k").want(200).texts("event_ids"); len(got) != 1 {
		t.Errorf("after a dry run with the key the command wrote %v", got)
	}
}

func TestCommand_RemarksAreKept(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	path := "/v1/customers/" + ada + "/suspend"
	h.unchanged(func() {
		h.owner("POST", path, nil, "Steward-Ticket", "no spaces").refused(400, "bad_ticket", "Steward-Ticket")
		h.owner("POST", path, nil, "Steward-Ticket", strings.Repeat("x", 65)).refused(400, "bad_ticket")
		h.owner("POST", path, nil, "Steward-Notify", "maybe").want(422)
		h.owner("POST", path, nil, "Steward-Reason", "a\u202eb").refused(400, "bad_reason", "Steward-Reason")
		h.owner("POST", path, nil, "Steward-Reason", strings.Repeat("x", 1001)).refused(400, "bad_reason")
		h.owner("POST", path, nil, "Steward-Reason", "a\xffb").refused(400, "bad_reason")
	})
	h.owner("POST", path, nil, "Steward-Reason", "on the phone", "Steward-Ticket", "HD#1/2.3_4-5", "Steward-Notify", "false").want(200)
	_, md := h.newest()
	if md.Ticket != "HD#1/2.3_4-5" || md.Notify == nil || *md.Notify {
		t.Errorf("metadata %+v", md)
	}
	if _, _, sealed := md.Reason.Ciphertext(); !sealed {
		t.Error("the reason is not sealed")
	}
	if _, _, sealed := md.Net.Ciphertext(); !sealed {
		t.Error("where it came from is not sealed")
	}
}
