package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/wireid"
)

func TestDomain_RegisterAndDetail_S0_53_to_S0_55(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, created := h.domain("Bücher.example.com.", ada)
	if created.header.Get("Location") != "/v1/domains/"+id || created.header.Get("ETag") != `"r0"` {
		t.Errorf("headers %v", created.header)
	}
	detail := h.owner("GET", "/v1/domains/"+id, nil).want(200)
	if detail.str("name") != "xn--bcher-kva.example.com" || detail.str("unicode_name") != "bücher.example.com" ||
		detail.str("owner.id") != ada || detail.str("owner.email") != "ada@example.com" || detail.at("settings.locked") != true ||
		detail.str("links.log") != "/v1/domains/"+id+"/log" {
		t.Errorf("detail %s", detail.raw)
	}
	want := []string{"set_auto_renew", "set_lock", "set_privacy", "set_nameservers", "push"}
	if diff := cmp.Diff(want, detail.texts("available_actions")); diff != "" {
		t.Error(diff)
	}
	row := h.read("/v1/customers/"+ada+"/domains", created).list("items")[0]
	for field, want := range map[string]any{"id": id, "expires_at": "2027-05-01T00:00:00Z", "auto_renew": false, "privacy": false} {
		if row[field] != want {
			t.Errorf("row: %s is %v, want %v", field, row[field], want)
		}
	}
	if self, _ := row["links"].(map[string]any)["self"].(string); h.owner("GET", self, nil).status != 200 {
		t.Errorf("the row's link %q does not lead anywhere", self)
	}
	h.unchanged(func() {
		again := map[string]any{"name": "XN--BCHER-KVA.example.com", "customer_id": ada, "registered_at": "2024-05-01", "expires_at": "2027-05-01"}
		h.owner("POST", "/v1/domains", again).refused(409, "domain_exists", "name")
	})
}

func TestDomain_BadInput(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	with := func(field string, value any) map[string]any {
		body := map[string]any{"name": "example.com", "customer_id": ada, "registered_at": "2024-05-01", "expires_at": "2027-05-01"}
		body[field] = value
		return body
	}
	h.unchanged(func() {
		for _, name := range []string{
			"", "com", "co.uk", "example", "-a.com", "a-.com", "a..com", "a b.com", "a_b.com", "example.nosuchtld", "127.0.0.1",
			strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "com", "a\u202eb.com", "a\u0000b.com", "☃.com", "xn--a.com", "*.com",
		} {
			if r := h.owner("POST", "/v1/domains", with("name", name)); r.status != 422 {
				t.Errorf("%q: %d", name, r.status)
			}
		}
		for _, date := range []string{"", "yesterday", "2024-13-01", "01.05.2024", "1984-12-31", "3000-01-01", "2024-05-01T00:00:00"} {
			h.owner("POST", "/v1/domains", with("registered_at", date)).refused(422, "invalid", "registered_at")
		}
		h.owner("POST", "/v1/domains", with("expires_at", "2024-05-01")).refused(422, "invalid", "expires_at")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net"})).refused(422, "invalid", "nameservers")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net", "ns1.example.net."})).refused(422, "invalid", "nameservers[1]")
		h.owner("POST", "/v1/domains", with("nameservers", []string{"ns1.example.net", "no name"})).refused(422, "invalid", "nameservers[1]")
		h.owner("POST", "/v1/domains", with("customer_id", "cus_x")).refused(422, "invalid", "customer_id")
		h.owner("POST", "/v1/domains", with("customer_id", unknown(wireid.Customer))).refused(404, "customer_not_found")
		h.owner("POST", "/v1/domains", with("auto_renew", "yes")).refused(422, "invalid", "auto_renew")
		all := map[string]any{"name": "-", "customer_id": "x", "registered_at": "x", "expires_at": "x", "nameservers": []string{"x"}}
		h.owner("POST", "/v1/domains", all).refused(422, "invalid", "name", "customer_id", "registered_at", "expires_at", "nameservers")
	})
	h.owner("POST", "/v1/customers/"+ada+"/suspend", nil).want(200)
	h.unchanged(func() {
		h.owner("POST", "/v1/domains", with("name", "example.com")).refused(409, "customer_not_eligible")
	})
}

func TestDomain_S0_56_S0_59_S0_64_Settings(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("settings.com", ada)
	path := "/v1/domains/" + id
	for setting, route := range map[string]string{"auto_renew": "set-auto-renew", "lock": "set-lock", "privacy": "set-privacy"} {
		for _, value := range []bool{true, false, true} {
			h.owner("POST", path+"/"+route, map[string]any{"value": value}).want(200)
		}
		h.unchanged(func() {
			if got := h.owner("POST", path+"/"+route, map[string]any{"value": true}).want(200).texts("event_ids"); len(got) != 0 {
				t.Errorf("%s: the same value again wrote %v", setting, got)
			}
			h.owner("POST", path+"/"+route, map[string]any{}).refused(422, "invalid", "value")
			h.owner("POST", path+"/"+route, map[string]any{"value": "true"}).refused(422, "invalid", "value")
		})
	}
	last := h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"NS1.other.example.", "ns2.other.example"}}).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"ns1.other.example", "ns2.other.example"}}).want(200)
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": []string{"ns1.other.example"}}).refused(422, "invalid", "nameservers")
		h.owner("POST", path+"/set-nameservers", map[string]any{"nameservers": nil}).refused(422, "invalid", "nameservers")
	})
	for setting, want := range map[string]int{"auto_renew": 3, "lock": 2, "privacy": 3, "nameservers": 1} {
		if got := len(h.read(path+"/log?setting="+setting, last).list("items")); got != want {
			t.Errorf("%d lines for %s, want %d", got, setting, want)
		}
	}
	detail := h.owner("GET", path, nil).want(200)
	if diff := cmp.Diff([]string{"ns1.other.example", "ns2.other.example"}, detail.texts("settings.nameservers")); diff != "" {
		t.Error(diff)
	}
	// A stale If-Match is refused, the right one is not.
	h.unchanged(func() {
		h.owner("POST", path+"/set-lock", map[string]any{"value": false}, "If-Match", `"r0"`).refused(412, "stale")
	})
	h.owner("POST", path+"/set-lock", map[string]any{"value": false}, "If-Match", detail.header.Get("ETag")).want(200)
}

func TestDomain_ListFiltersAndOrders(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	bob, _ := h.customer("bob")
	h.domain("alpha.com", ada)
	beta, _ := h.domain("beta.com", bob)
	h.domain("gamma.net", ada)
	h.owner("POST", "/v1/domains/"+beta+"/set-auto-renew", map[string]any{"value": true}).want(200)
	last := h.owner("POST", "/v1/domains/"+beta+"/set-lock", map[string]any{"value": false}).want(200)
	for query, want := range map[string][]any{
		"": {"alpha.com", "beta.com", "gamma.net"}, "customer=" + ada: {"alpha.com", "gamma.net"}, "q=mma": {"gamma.net"},
		"q=" + url.QueryEscape("BETA.com."): {"beta.com"}, "auto_renew=true": {"beta.com"}, "auto_renew=false&customer=" + bob: {},
		"locked=true": {"alpha.com", "gamma.net"}, "privacy=true": {}, "expires_before=2027-05-02T00:00:00Z": {"alpha.com", "beta.com", "gamma.net"},
		"expires_before=2027-05-01T00:00:00Z": {}, "order=expires&limit=200": {"alpha.com", "beta.com", "gamma.net"},
	} {
		got := h.read("/v1/domains?"+query, last).column("name")
		if strings.HasPrefix(query, "order") {
			slices.SortFunc(got, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	first := h.read("/v1/domains?limit=2", last)
	if got := h.read("/v1/domains?limit=2&cursor="+first.str("next_cursor"), last).column("name"); !cmp.Equal(got, []any{"gamma.net"}) {
		t.Errorf("second page %v", got)
	}
	h.owner("GET", "/v1/domains?customer=dom_x", nil).refused(400, "bad_id", "customer")
	h.owner("GET", "/v1/domains?locked=perhaps", nil).refused(422, "invalid", "locked")
	h.owner("GET", "/v1/domains?expires_before=soon", nil).refused(422, "invalid", "expires_before")
	h.owner("GET", "/v1/domains?colour=red", nil).refused(422, "unknown_field", "colour")
}
