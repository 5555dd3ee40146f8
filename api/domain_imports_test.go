package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
)

func importRow(name, email, username string) map[string]any {
	return map[string]any{
		"name": name, "registered_at": "2021-06-05", "expires_at": "2027-12-31", "auto_renew": true, "locked": false, "privacy": true,
		"nameservers": []string{"ns1.elsewhere.example", "ns2.elsewhere.example"},
		"owner":       map[string]any{"email": email, "username": username, "first_name": "Ada", "last_name": "Lovelace"},
	}
}

func TestImport_S0_19_MatchesOrCreatesTheOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	first := h.owner("POST", "/v1/domains/import", importRow("match.com", "ADA@example.com", "ignored")).want(200)
	if first.str("outcome") != "accepted" || first.str("customer_id") != ada || first.at("owner_created") != false {
		t.Errorf("import for a known owner: %s", first.raw)
	}
	second := h.owner("POST", "/v1/domains/import", importRow("create.com", "bob@example.com", "bob")).want(200)
	if second.str("outcome") != "accepted" || second.at("owner_created") != true {
		t.Errorf("import for a new owner: %s", second.raw)
	}
	if got := h.owner("GET", "/v1/customers/"+second.str("customer_id"), nil).want(200); got.str("origin") != "import" || got.str("name") != "Ada Lovelace" {
		t.Errorf("the owner is %s", got.raw)
	}
	h.unchanged(func() {
		again := h.owner("POST", "/v1/domains/import", importRow("CREATE.com.", "bob@example.com", "bob")).want(200)
		if again.str("outcome") != "unchanged" || again.at("owner_created") != false || again.str("id") != second.str("id") {
			t.Errorf("the same row again: %s", again.raw)
		}
		h.owner("POST", "/v1/domains/import", importRow("create.com", "ada@example.com", "ada")).refused(409, "domain_held_by_other", "name")
	})
}

func TestImport_ARefusedRowCreatesNoOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.customer("taken")
	h.owner("POST", "/v1/domains/import", importRow("held.com", "holder@example.com", "holder")).want(200)
	h.unchanged(func() {
		for name, c := range map[string]struct {
			change func(row, owner map[string]any)
			status int
			code   string
			field  string
		}{
			"held by another":     {func(row, _ map[string]any) { row["name"] = "HELD.com" }, 409, "domain_held_by_other", "name"},
			"bad name":            {func(row, _ map[string]any) { row["name"] = "-bad.com" }, 422, "invalid", "name"},
			"a suffix":            {func(row, _ map[string]any) { row["name"] = "com" }, 422, "invalid", "name"},
			"bad date":            {func(row, _ map[string]any) { row["registered_at"] = "31.12.2020" }, 422, "invalid", "registered_at"},
			"expiry too early":    {func(row, _ map[string]any) { row["expires_at"] = "2020-01-01" }, 422, "invalid", "expires_at"},
			"one nameserver":      {func(row, _ map[string]any) { row["nameservers"] = []string{"ns1.example.net"} }, 422, "invalid", "nameservers"},
			"no email":            {func(_, owner map[string]any) { owner["email"] = "" }, 422, "invalid", "owner.email"},
			"bad email":           {func(_, owner map[string]any) { owner["email"] = "a@b" }, 422, "invalid", "owner.email"},
			"bad username":        {func(_, owner map[string]any) { owner["username"] = "a b" }, 422, "invalid", "owner.username"},
			"no username":         {func(_, owner map[string]any) { owner["username"] = "" }, 422, "invalid", "owner.username"},
			"username taken":      {func(_, owner map[string]any) { owner["username"] = "taken" }, 409, "name_taken", "owner.username"},
			"bidi in the name":    {func(_, owner map[string]any) { owner["last_name"] = "a\u202eb" }, 422, "invalid", "owner.last_name"},
			"a boolean as a text": {func(row, _ map[string]any) { row["locked"] = "true" }, 422, "invalid", "locked"},
		} {
			row := importRow("new.com", "new@example.com", "newcomer")
			c.change(row, row["owner"].(map[string]any))
			if got := h.owner("POST", "/v1/domains/import", row); got.status != c.status || got.str("code") != c.code || !strings.Contains(string(got.raw), `"field":"`+c.field+`"`) {
				t.Errorf("%s: %d %s", name, got.status, got.raw)
			}
		}
	})
	ok := h.owner("POST", "/v1/domains/import?dry_run=true", importRow("new.com", "new@example.com", "newcomer")).want(200)
	if ok.at("owner_created") != true || ok.str("outcome") != "accepted" || ok.at("dry_run") != true {
		t.Errorf("dry run %s", ok.raw)
	}
	h.owner("POST", "/v1/domains/import", importRow("new.com", "new@example.com", "newcomer")).want(200)
}

func TestImport_RepeatedWithItsKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	row := importRow("repeat.com", "ada@example.com", "ada")
	before := len(h.facts())
	first := h.owner("POST", "/v1/domains/import", row, "Idempotency-Key", "row 1").want(200)
	again := h.owner("POST", "/v1/domains/import", row, "Idempotency-Key", "row 1").want(200)
	if string(first.raw) != string(again.raw) || again.at("owner_created") != true || len(h.facts()) != before+2 {
		t.Errorf("first %s\nagain %s\n%d events", first.raw, again.raw, len(h.facts())-before)
	}
}

func TestImport_ManyAtOnceForOneOwner(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	const rows = 24
	created := map[string]int{}
	owners := map[string]bool{}
	for _, r := range h.together(rows, func(i int) *reply {
		return h.owner("POST", "/v1/domains/import", importRow(fmt.Sprintf("race%d.com", i), "Ada@example.com", "ada"))
	}) {
		r.want(200)
		created[fmt.Sprint(r.at("owner_created"))]++
		owners[r.str("customer_id")] = true
	}
	if len(owners) != 1 || created["true"] != 1 {
		t.Errorf("%d owners, created by %d requests", len(owners), created["true"])
	}
}

func TestImport_Batch(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	rows := []any{
		importRow("one.com", "ada@example.com", "ada"), importRow("two.com", "ADA@example.com", "ada"),
		importRow("ONE.com.", "ada@example.com", "ada"), importRow("one.com", "bob@example.com", "bob"),
		importRow("-bad.com", "carl@example.com", "carl"), importRow("three.com", "dora@example.com", "dora"),
	}
	done := h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": rows}).want(200)
	got := []string{}
	for _, r := range done.list("rows") {
		got = append(got, fmt.Sprintf("%v %v %v %v %v", r["status"], r["outcome"], r["owner_created"], r["code"], r["field"]))
	}
	want := []string{
		"200 accepted true <nil> <nil>", "200 accepted false <nil> <nil>", "200 unchanged false <nil> <nil>",
		"409 <nil> false domain_held_by_other name", "422 <nil> false invalid name", "200 accepted true <nil> <nil>",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: %s, want %s", i, got[i], want[i])
		}
	}
	if list := h.read("/v1/customers?order=username", done); len(list.list("items")) != 2 {
		t.Errorf("customers %v", list.column("username"))
	}
	h.unchanged(func() {
		again := h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": rows}).want(200)
		for i, r := range again.list("rows") {
			if r["outcome"] == "accepted" || r["owner_created"] == true {
				t.Errorf("row %d again: %v", i, r)
			}
		}
		h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": []any{}}).refused(422, "invalid", "rows")
		many := make([]any, 101)
		for i := range many {
			many[i] = map[string]any{"name": "a.com", "registered_at": "", "expires_at": "", "owner": map[string]any{"email": ""}}
		}
		h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": many}).refused(422, "invalid", "rows")
		broken := importRow("four.com", "e@example.com", "emil")
		broken["colour"] = "red"
		h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": []any{broken}}).refused(422, "unknown_field", "rows[0].colour")
	})
}

func TestImport_BatchRowsHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	row := importRow("keyed.com", "ada@example.com", "ada")
	row["idempotency_key"] = "line 17"
	send := func(rows ...any) []map[string]any {
		return h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": rows}).want(200).list("rows")
	}
	first := send(row)[0]
	again := send(importRow("other.com", "bob@example.com", "bob"), row)[1]
	if first["outcome"] != "accepted" || again["outcome"] != "accepted" || again["owner_created"] != true {
		t.Errorf("first %v, again in another batch %v", first, again)
	}
	changed := importRow("keyed2.com", "ada@example.com", "ada")
	changed["idempotency_key"] = "line 17"
	if got := send(changed)[0]; got["outcome"] != "accepted" && got["code"] != "idempotency_key_reused" {
		t.Errorf("another row with the key: %v", got)
	}
}

func TestImport_SourceOfTheKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	key := h.owner("POST", "/v1/api-keys", map[string]any{"source": "import", "label": "importer"}).want(201).str("key")
	h.send("POST", "/v1/domains/import", importRow("source.com", "ada@example.com", "ada"), "Authorization", "Bearer "+key).want(200)
	_, md := h.newest()
	if md.Source != events.SourceImport || md.Actor.StaffID != h.staff[events.RoleOwner] {
		t.Errorf("metadata %+v", md)
	}
}
