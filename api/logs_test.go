package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

func TestLog_LOG_01_to_LOG_04_S0_90_S0_91_S0_93(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("logged.com", ada)
	h.do(events.RoleSupport, "POST", "/v1/domains/"+id+"/set-lock", map[string]any{"value": false},
		"X-Forwarded-For", "203.0.113.7", "User-Agent", "curl/8", "X-Request-Id", "5eed-0001",
		"Steward-Reason", "customer called\u00e9", "Steward-Ticket", "HD-4711").want(200)
	last := h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).want(200)

	entry := h.read("/v1/domains/"+id+"/log?setting=lock", last).list("items")[0]
	for field, want := range map[string]any{
		"category": "Settings", "event": "Domain unlocked", "type": "domain.lock_set", "setting": "lock", "ip": "203.0.113.7",
		"user_agent": "curl/8", "request_id": "5eed-0001", "reason": "customer calledé", "ticket": "HD-4711", "source": "api",
		"session_id": nil, "impersonation_id": nil, "customer_id": ada, "domain_id": id,
	} {
		if entry[field] != want {
			t.Errorf("%s is %v, want %v", field, entry[field], want)
		}
	}
	if diff := cmp.Diff([]any{map[string]any{"field": "lock", "before": true, "after": false}}, entry["changes"]); diff != "" {
		t.Error(diff)
	}
	by := entry["by"].(map[string]any)
	staff := by["staff"].(map[string]any)
	if by["label"] != "Reseller" || staff["name"] != "Support" || staff["id"] != h.staffID(events.RoleSupport) {
		t.Errorf("by %v", by)
	}
	if self := staff["self"].(string); h.owner("GET", self, nil).status != 200 {
		t.Errorf("%s does not lead anywhere", self)
	}
	count := func(query string, want int) {
		t.Helper()
		if got := h.read("/v1/log?limit=200&"+query, last).list("items"); len(got) != want {
			t.Errorf("%s: %d lines, want %d", query, len(got), want)
		}
	}
	count("staff="+h.staffID(events.RoleSupport), 1)
	count("actor=reseller", 4)
	count("actor=customer", 0)
	count("actor=system", len(h.facts())-4) // what the store began with
	count("type=domain.lock_set", 1)
	count("setting=status", 1)
	count("from="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 0)
	count("to="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), 0)
	h.owner("GET", "/v1/log?staff=cus_x", nil).refused(400, "bad_id", "staff")
	h.owner("GET", "/v1/log?from=yesterday", nil).refused(422, "invalid", "from")
	h.owner("GET", "/v1/log?actor=nobody", nil).refused(422, "invalid", "actor")

	newest := h.read("/v1/log", last).list("items")[0]
	if newest["type"] != "customer.suspended" {
		t.Errorf("the newest line is %v", newest["type"])
	}
	if got := h.read("/v1/customers/"+ada+"/log", last).column("type"); !cmp.Equal(got, []any{"customer.suspended", "domain.lock_set", "domain.registered", "customer.created"}) {
		t.Errorf("the customer's log %v", got)
	}
}

func TestLog_PagesNewestFirst(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("pages.com", ada)
	var last *reply
	for i := range 7 {
		last = h.owner("POST", "/v1/domains/"+id+"/set-privacy", map[string]any{"value": i%2 == 0}).want(200)
	}
	path := "/v1/domains/" + id + "/log?limit=3"
	seen := []any{}
	for cursor := ""; ; {
		page := h.read(path+cursor, last)
		seen = append(seen, page.column("id")...)
		if page.at("has_more") == false {
			break
		}
		cursor = "&cursor=" + page.str("next_cursor")
	}
	if len(seen) != 8 {
		t.Errorf("%d lines", len(seen))
	}
	one := h.read("/v1/domains/"+id+"/log?limit=200", last).column("id")
	if diff := cmp.Diff(one, seen); diff != "" {
		t.Error(diff)
	}
}

func TestEvents_LOG_05_ReplayEqualsTheStore(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("replay.com", ada)
	other.customer("stranger")
	h.owner("POST", "/v1/domains/"+id+"/set-lock", map[string]any{"value": false}, "Steward-Reason", "told so").want(200)
	want := h.stored()
	replay := func(query string) []map[string]any {
		t.Helper()
		var all []map[string]any
		cursor := ""
		for {
			page := h.do(events.RoleAuditor, "GET", "/v1/events?limit=7&stored=true"+query+cursor, nil).want(200)
			all = append(all, page.list("items")...)
			if page.str("next_cursor") == "" {
				t.Fatal("there is no cursor to go on with")
			}
			cursor = "&cursor=" + page.str("next_cursor")
			if page.at("has_more") == false {
				return all
			}
		}
	}
	got := replay("")
	if len(got) != len(want) {
		t.Fatalf("%d events, the store has %d", len(got), len(want))
	}
	for i, r := range want {
		stored := got[i]["stored"].(map[string]any)
		if got[i]["type"] != r.Type || got[i]["stream"] != r.Stream || got[i]["revision"] != float64(r.Revision) || stored["id"] != r.ID.String() {
			t.Fatalf("event %d is %v, want %s %s@%d", i, got[i], r.Type, r.Stream, r.Revision)
		}
		for name, bytes := range map[string][]byte{"data": r.Data, "metadata": r.Metadata} {
			var wanted any
			if err := json.Unmarshal(bytes, &wanted); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted, stored[name]); diff != "" {
				t.Fatalf("%s of event %d: %s", name, i, diff)
			}
		}
	}
	// Byte for byte, not only value for value.
	raw := h.do(events.RoleAuditor, "GET", "/v1/events?limit=200&stored=true", nil).want(200).raw
	for _, r := range want {
		if !bytes.Contains(raw, r.Data) || !bytes.Contains(raw, r.Metadata) {
			t.Fatalf("the bytes of %s %s@%d are not in the answer", r.Type, r.Stream, r.Revision)
		}
	}
	locks := replay("&type=domain.lock_set")
	if len(locks) != 1 {
		t.Fatalf("%d lock events", len(locks))
	}
	data := locks[0]["data"].(map[string]any)
	if data["domain_id"] != id || data["customer_id"] != ada || data["before"] != true || locks[0]["reason"] != "told so" {
		t.Errorf("event %v", locks[0])
	}
	if created := replay("&type=customer.created")[0]["data"].(map[string]any); created["email"] != "ada@example.com" {
		t.Errorf("customer.created shows %v", created["email"])
	}
	if got := replay("&category=domain"); len(got) != 2 {
		t.Errorf("%d events of domains", len(got))
	}
	if got := replay("&actor=customer"); len(got) != 0 {
		t.Errorf("%d events of customers", len(got))
	}
	cursor := h.owner("GET", "/v1/events?limit=1", nil).want(200).str("next_cursor")
	h.owner("GET", "/v1/events?type=domain.pushed&cursor="+cursor, nil).refused(400, "bad_cursor")
	other.owner("GET", "/v1/events?cursor="+cursor, nil).refused(400, "bad_cursor")
}

func TestEvents_EmptyPageGoesOn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	empty := h.owner("GET", "/v1/events?type=domain.registered", nil).want(200)
	if len(empty.list("items")) != 0 || empty.str("next_cursor") == "" || empty.at("has_more") != false || empty.header.Get("Link") != "" {
		t.Errorf("empty page %s", empty.raw)
	}
	id, _ := h.domain("later.com", ada)
	next := h.owner("GET", "/v1/events?type=domain.registered&cursor="+empty.str("next_cursor"), nil).want(200).list("items")
	if len(next) != 1 || next[0]["data"].(map[string]any)["domain_id"] != id {
		t.Errorf("later %v", next)
	}
}

func TestEventTypes_LOG_05_SchemasFitTheEvents(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("schema.com", ada)
	h.owner("POST", "/v1/domains/"+id+"/set-lock", map[string]any{"value": false}).want(200)
	types := h.owner("GET", "/v1/event-types", nil).want(200).list("items")
	known, err := events.Types()
	if err != nil || len(types) != len(known) {
		t.Fatalf("%d types, %d are known: %v", len(types), len(known), err)
	}
	schemas := map[string]map[string]any{}
	for _, e := range types {
		schemas[e["type"].(string)] = e["schema"].(map[string]any)
	}
	for _, e := range h.owner("GET", "/v1/events?limit=200", nil).want(200).list("items") {
		schema := schemas[e["type"].(string)]
		properties, data := schema["properties"].(map[string]any), e["data"].(map[string]any)
		for field := range data {
			if properties[field] == nil {
				t.Errorf("%s: the schema lacks %s", e["type"], field)
			}
		}
		for _, field := range schema["required"].([]any) {
			if _, ok := data[fmt.Sprint(field)]; !ok {
				t.Errorf("%s: %v is required and missing in %v", e["type"], field, data)
			}
		}
	}
}

func TestLog_OfSomethingUnknown(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.owner("GET", "/v1/customers/"+unknown(wireid.Customer)+"/log", nil).refused(404, "customer_not_found")
	h.owner("GET", "/v1/domains/"+unknown(wireid.Domain)+"/log", nil).refused(404, "domain_not_found")
	h.owner("GET", "/v1/customers/"+unknown(wireid.Customer)+"/suspensions", nil).refused(404, "customer_not_found")
	h.owner("GET", "/v1/customers/"+unknown(wireid.Customer)+"/domains", nil).refused(404, "customer_not_found")
}
