package api_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

var update = flag.Bool("update", false, "write golden files anew")

// idKindOf says what the id in a path is the id of.
func idKindOf(path string) wireid.Kind {
	for prefix, kind := range map[string]wireid.Kind{
		"/v1/customers/": wireid.Customer, "/v1/domains/": wireid.Domain, "/v1/staff/": wireid.Staff,
		"/v1/stores/": wireid.Store, "/v1/api-keys/": wireid.APIKey, "/v1/mails/": wireid.Mail,
		"/v1/impersonations/": wireid.Impersonation,
	} {
		if strings.HasPrefix(path, prefix) {
			return kind
		}
	}
	return ""
}

// bodyFor is a body that gets a request past its checks.
func bodyFor(path string) any {
	switch {
	case strings.HasSuffix(path, "/push"), strings.HasSuffix(path, "/push-preview"):
		return map[string]any{"new_customer": map[string]any{"email": "new@example.com", "username": "newbie"}}
	case strings.HasSuffix(path, "/set-nameservers"):
		return map[string]any{"nameservers": []string{}}
	case strings.HasSuffix(path, "/set-policies"):
		return map[string]any{"preset": "pantry"}
	case strings.HasSuffix(path, "/set-password"):
		return map[string]any{"new_password": goodPassword}
	case strings.HasSuffix(path, "/change-mail"):
		return map[string]any{"mail": map[string]any{}}
	case strings.HasSuffix(path, "/mails"):
		return map[string]any{"subject": "a", "body": "b"}
	case strings.HasSuffix(path, "/send-link"):
		return map[string]any{"purpose": "reset"}
	case strings.HasSuffix(path, "/request-email-change"):
		return map[string]any{"email": "new@example.com", "password": "x"}
	case path == "/v1/forgot-password":
		return map[string]any{"email": "x@example.com"}
	case strings.HasSuffix(path, "/impersonate"):
		return map[string]any{"reason": "x"}
	case path == "/v1/impersonations/redeem":
		return map[string]any{"grant": "x"}
	case path == "/v1/links/redeem":
		return map[string]any{"token": "x"}
	case strings.HasSuffix(path, "/set-tags"):
		return map[string]any{"tags": []string{"vip"}}
	case strings.HasSuffix(path, "/notes"):
		return map[string]any{"text": "x"}
	case strings.HasSuffix(path, "/export"):
		return map[string]any{"purpose": "x"}
	case strings.HasSuffix(path, "/staff/sign-in"):
		return map[string]any{"email": "x@example.com", "password": "y"}
	case path == "/v1/staff/forgot-password":
		return map[string]any{"email": "x@example.com"}
	case strings.HasSuffix(path, "/rotate"):
		return map[string]any{}
	case strings.Contains(path, "/set-"):
		return map[string]any{"value": true}
	case strings.HasSuffix(path, "/change-email"):
		return map[string]any{"email": "new@example.com"}
	case strings.HasSuffix(path, "/change-username"):
		return map[string]any{"username": "newbie"}
	case strings.HasSuffix(path, "/change-external-id"):
		return map[string]any{"external_id": "x"}
	case strings.HasSuffix(path, "/change-role"):
		return map[string]any{"role": "analyst"}
	case strings.HasSuffix(path, "/change-hosts"):
		return map[string]any{"hosts": []string{"new.example.com"}}
	case strings.HasSuffix(path, "/change-branding"):
		return map[string]any{"branding": map[string]any{}}
	case strings.HasSuffix(path, "/change-password"):
		return map[string]any{"current_password": "x", "new_password": "y"}
	case strings.HasSuffix(path, "/two-factor/confirm"):
		return map[string]any{"code": "000000"}
	case path == "/v1/staff/me/two-factor/disable":
		return map[string]any{"password": "x"}
	case strings.HasSuffix(path, "/two-factor/disable"):
		return map[string]any{"confirm": true}
	case strings.Contains(path, "/two-factor/"):
		return map[string]any{"password": "x"}
	case path == "/v1/sign-in/second-factor":
		return map[string]any{"challenge": "x", "code": "000000"}
	case path == "/v1/sign-in":
		return map[string]any{"name": "x", "password": "y"}
	case path == "/v1/register":
		return map[string]any{"email": "x", "password": "y"}
	case strings.HasSuffix(path, "/rename"):
		return map[string]any{"name": "New"}
	case path == "/v1/customers/{id}":
		return map[string]any{"profile": map[string]any{"city": "Paris"}}
	}
	return nil
}

func TestPermissions_K1_S0_03_S0_11_MatrixOfRolesAndRoutes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var matrix strings.Builder
	fmt.Fprintf(&matrix, "%-7s%-44s%-23s%s\n", "method", "route", "permission", "owner admin support auditor analyst customer")
	for _, line := range h.server.Table() {
		fmt.Fprintf(&matrix, "%-7s%-44s%-23s", line.Method, line.Path, line.Permission)
		if line.Permission == "" {
			t.Errorf("%s %s names no permission", line.Method, line.Path)
		}
		path := strings.ReplaceAll(line.Path, "{id}", unknown(idKindOf(line.Path)))
		for _, role := range events.Roles {
			// Asked with a dry run about something that does not exist: whoever may
			// gets past the guard, and nothing happens.
			if line.Method != "GET" {
				path, _, _ = strings.Cut(path, "?")
				path += "?dry_run=true"
			}
			word := "yes"
			switch r := h.do(role, line.Method, path, bodyFor(line.Path), "If-Match", `"r0"`); {
			case r.status == 403 && r.str("code") == "forbidden":
				word = "-"
			case r.status >= 500 && !strings.HasPrefix(line.Path, "/readyz"):
				t.Errorf("%s %s as %s: %d %s", line.Method, line.Path, role, r.status, r.raw)
			}
			fmt.Fprintf(&matrix, "%-*s", len(role)+1, word)
		}
		if line.Customer {
			matrix.WriteString("own")
		} else {
			matrix.WriteString("-")
		}
		matrix.WriteString("\n")
	}
	compareGolden(t, "permissions.txt", matrix.String())
}

func TestPermissions_EveryRouteNeedsACredential(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, line := range h.server.Table() {
		path := strings.ReplaceAll(line.Path, "{id}", unknown(idKindOf(line.Path)))
		if r := h.send(line.Method, path, bodyFor(line.Path)); (r.str("code") == "unauthorized") != (line.Permission != "public") {
			t.Errorf("%s %s without a credential: %d", line.Method, line.Path, r.status)
		}
	}
}

// TestTenancy_N1 asks every route about a foreign store's ids and about ids that
// nobody has: the answers are the same, byte for byte.
func TestTenancy_N1_ForeignIDsAnswerAsUnknown(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	customer, _ := other.customer("foreign")
	domain, _ := other.domain("foreign.com", customer)
	key := other.owner("POST", "/v1/api-keys", map[string]any{}).want(201)
	granted := other.owner("POST", "/v1/customers/"+customer+"/impersonate", bodyFor("/impersonate")).want(201)
	other.read("/v1/log", granted)
	foreign := map[wireid.Kind]string{
		wireid.Customer: customer, wireid.Domain: domain, wireid.Staff: other.staffID(events.RoleSupport),
		wireid.Store: other.storeID(), wireid.APIKey: key.str("id"), wireid.Mail: unknown(wireid.Mail),
		wireid.Impersonation: granted.str("id"),
	}
	routes := 0
	before, otherBefore := len(h.facts()), len(other.facts())
	for _, line := range h.server.Table() {
		kind := idKindOf(line.Path)
		if !strings.Contains(line.Path, "{id}") {
			continue
		}
		routes++
		ask := func(id string) string {
			r := h.owner(line.Method, strings.ReplaceAll(line.Path, "{id}", id), bodyFor(line.Path), "If-Match", `"r0"`, "X-Request-Id", "5a3e5a3e")
			want := 404
			switch {
			case strings.HasSuffix(line.Path, "/push"):
				want = 428
			case strings.HasSuffix(line.Path, "/change-password"), strings.HasSuffix(line.Path, "/request-email-change"), strings.HasSuffix(line.Path, "/review-details"), strings.Contains(line.Path, "/two-factor/") && !strings.HasSuffix(line.Path, "/disable"):
				want = 403 // not for staff at all
			}
			if r.status != want {
				t.Errorf("%s %s of %s: %d %s", line.Method, line.Path, id, r.status, r.raw)
			}
			r.header.Del("Date")
			return fmt.Sprint(r.status, r.header, string(r.raw))
		}
		if diff := cmp.Diff(ask(unknown(kind)), ask(foreign[kind])); diff != "" {
			t.Errorf("%s %s: %s", line.Method, line.Path, diff)
		}
	}
	if routes < 25 || len(h.facts()) != before || len(other.facts()) != otherBefore {
		t.Errorf("%d routes, %d and %d events", routes, len(h.facts())-before, len(other.facts())-otherBefore)
	}
	for name, ask := range map[string]func(id string) *reply{
		"owner of a new domain": func(id string) *reply {
			return h.owner("POST", "/v1/domains", map[string]any{"name": "x.com", "customer_id": id, "registered_at": "2024-01-01", "expires_at": "2027-01-01"}, "X-Request-Id", "5a3e5a3e")
		},
		"domains of a customer": func(id string) *reply {
			return h.owner("GET", "/v1/domains?customer="+id, nil, "X-Request-Id", "5a3e5a3e")
		},
	} {
		if a, b := ask(unknown(wireid.Customer)), ask(customer); a.status != b.status || string(a.raw) != string(b.raw) {
			t.Errorf("%s: %s, %s", name, a.raw, b.raw)
		}
	}
	for name, ask := range map[string]func(id string) *reply{
		"key for a team member": func(id string) *reply {
			return h.owner("POST", "/v1/api-keys", map[string]any{"staff_id": id}, "X-Request-Id", "5a3e5a3e")
		},
		"log of a team member": func(id string) *reply { return h.owner("GET", "/v1/log?staff="+id, nil, "X-Request-Id", "5a3e5a3e") },
	} {
		if a, b := ask(unknown(wireid.Staff)), ask(foreign[wireid.Staff]); a.status != b.status || string(a.raw) != string(b.raw) {
			t.Errorf("%s: %s, %s", name, a.raw, b.raw)
		}
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update if that is meant: %s", path, diff)
	}
}
