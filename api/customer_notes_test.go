package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

func TestNotes_S1_26_CUS_11_NeverForTheCustomer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	path := "/v1/customers/" + id
	h.owner("POST", path+"/notes", map[string]any{"text": "canary-one"}, "Idempotency-Key", "n1").want(200)
	again := h.owner("POST", path+"/notes", map[string]any{"text": "canary-one"}, "Idempotency-Key", "n1").want(200)
	last := h.do(events.RoleSupport, "POST", path+"/notes", map[string]any{"text": "canary-two\nlines"}).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/notes", map[string]any{"text": " "}).refused(422, "invalid", "text")
		h.owner("POST", "/v1/customers/"+unknown(wireid.Customer)+"/notes", map[string]any{"text": "x"}).refused(404, "customer_not_found")
	})
	notes := h.read(path+"/notes", last)
	if diff := cmp.Diff([]any{"canary-two\nlines", "canary-one"}, notes.column("text")); diff != "" {
		t.Errorf("the notes (-want +got):\n%s", diff)
	}
	by, _ := notes.list("items")[1]["by"].(map[string]any)["staff"].(map[string]any)
	if by["id"] != h.staffID(events.RoleOwner) || by["name"] != "Olivia Owner" || notes.list("items")[1]["id"] != again.texts("event_ids")[0] {
		t.Errorf("the first note: %v", notes.list("items")[1])
	}
	tagged := h.owner("POST", path+"/set-tags", map[string]any{"tags": []string{"canary-tag"}}).want(200)
	for _, record := range h.stored() {
		if strings.Contains(string(record.Data), "canary-one") {
			t.Errorf("%s holds a note in the clear", record.Type)
		}
	}

	session := h.signIn("ada")
	for _, line := range h.server.Table() {
		if !line.Customer || line.Method != "GET" || !strings.HasPrefix(line.Path, "/v1/customers/{id}") {
			continue
		}
		r := h.as(session, "GET", strings.ReplaceAll(line.Path, "{id}", "me"), nil, "Steward-Min-Position", tagged.str("position")).want(200)
		for _, hidden := range []string{"canary", "note", "tags"} {
			if strings.Contains(string(r.raw), hidden) {
				t.Errorf("%s shows her %q: %s", line.Path, hidden, r.raw)
			}
		}
	}
	h.as(session, "GET", "/v1/customers/me/notes", nil).refused(403, "forbidden")
	for _, kind := range []string{events.TypeCustomerNoteAdded, events.TypeCustomerTagsChanged} {
		if got := h.as(session, "GET", "/v1/customers/me/log?type="+kind, nil, "Steward-Min-Position", tagged.str("position")).want(200).list("items"); len(got) > 0 {
			t.Errorf("her log shows %v", got)
		}
		if got := h.read(path+"/log?type="+kind, tagged).list("items"); len(got) == 0 {
			t.Errorf("the team's log lacks %s", kind)
		}
	}
}

func TestTags_CUS_12(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	path := "/v1/customers/" + ada
	h.owner("POST", path+"/set-tags", map[string]any{"tags": []string{"vip", "reseller"}}).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/set-tags", map[string]any{"tags": []string{"reseller", "vip"}}).want(200)
		h.owner("POST", path+"/set-tags", map[string]any{"tags": []string{"ada@example.com"}}).refused(422, "invalid", "tags[0]")
		h.do(events.RoleAnalyst, "POST", path+"/set-tags", map[string]any{"tags": []string{}}).refused(403, "forbidden")
	})
	last := h.owner("POST", "/v1/customers/"+bob+"/set-tags", map[string]any{"tags": []string{"vip"}}).want(200)
	if got := h.read("/v1/customers?tag=vip&order=username", last).column("username"); len(got) != 2 || got[0] != "ada" {
		t.Errorf("tag=vip finds %v", got)
	}
	found := h.read("/v1/customers?tag=reseller&q=ada", last).list("items")
	if len(found) != 1 || !cmp.Equal(found[0]["tags"], []any{"reseller", "vip"}) {
		t.Errorf("tag=reseller finds %v", found)
	}
	if got := h.owner("GET", path, nil).want(200).texts("tags"); !cmp.Equal(got, []string{"reseller", "vip"}) {
		t.Errorf("the detail shows %v", got)
	}
	entry := h.read(path+"/log?setting=tags", last).list("items")[0]["changes"].([]any)[0].(map[string]any)
	if !cmp.Equal(entry["before"], []any{}) || !cmp.Equal(entry["after"], []any{"reseller", "vip"}) {
		t.Errorf("the log shows %v", entry)
	}
}

func TestCustomer_S3_05_S4_16_Filters(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.register("ada")
	h.enrol(h.signIn("ada"))
	h.customer("bob")
	created := h.owner("POST", "/v1/customers", map[string]any{"email": "someone@invalid.example", "username": "carl", "email_provisional": true}).want(201)
	names := func(query string, after *reply) []any {
		return h.read("/v1/customers?order=username&"+query, after).column("username")
	}
	for query, want := range map[string][]any{
		"two_factor=enabled":               {"ada"},
		"two_factor=disabled":              {"bob", "carl"},
		"needs_email=true":                 {"carl"},
		"needs_email=false":                {"ada", "bob", "carl"},
		"needs_email=true&q=someone":       {"carl"},
		"two_factor=enabled&q=example.com": {"ada"},
	} {
		if diff := cmp.Diff(want, names(query, created)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	if row := h.read("/v1/customers?q=ada", created).list("items")[0]; row["two_factor"] != "Enabled" || row["email_provisional"] != false {
		t.Errorf("the row of ada: %v", row)
	}
	h.owner("GET", "/v1/customers?two_factor=maybe", nil).refused(422, "invalid")
	path := "/v1/customers/" + created.str("id")
	if h.owner("GET", path, nil).want(200).at("email_provisional") != true {
		t.Error("the detail does not say that the address is a stand-in")
	}
	changed := h.owner("POST", path+"/change-email", map[string]any{"email": "carl@example.com"}).want(200)
	if got := names("needs_email=true", changed); len(got) > 0 || h.owner("GET", path, nil).want(200).at("email_provisional") != false {
		t.Errorf("with an address of their own: %v", got)
	}
	h.visit("/v1/register", map[string]any{"email": "eve@example.com", "username": "eve", "password": goodPassword, "email_provisional": true}).refused(422, "unknown_field")
}
