package api_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

func TestStaff_CommandsAndReads(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	created := h.owner("POST", "/v1/staff", map[string]any{"email": "grace@example.com", "name": "Grace", "role": "support"}).want(201)
	id := created.str("id")
	path := "/v1/staff/" + id
	if created.header.Get("Location") != path {
		t.Errorf("Location %q", created.header.Get("Location"))
	}
	h.unchanged(func() {
		h.owner("POST", "/v1/staff", map[string]any{"email": "GRACE@example.com", "role": "support"}).refused(409, "name_taken", "email")
		h.owner("POST", "/v1/staff", map[string]any{"email": "x@example.com", "role": "king"}).refused(422, "invalid", "role")
		h.owner("POST", "/v1/staff", map[string]any{"email": "x", "role": "support"}).refused(422, "invalid", "email")
	})
	h.owner("POST", path+"/rename", map[string]any{"name": "Grace H."}).want(200)
	h.owner("POST", path+"/change-email", map[string]any{"email": "hopper@example.com"}).want(200)
	h.owner("POST", path+"/change-role", map[string]any{"role": "auditor"}).want(200)
	h.owner("POST", path+"/deactivate", nil).want(200)
	h.unchanged(func() {
		h.owner("POST", path+"/deactivate", nil).want(200)
		h.owner("POST", path+"/rename", map[string]any{"name": "Grace H."}).want(200)
		h.owner("POST", path+"/change-email", map[string]any{"email": "hopper@example.com"}).want(200)
		h.owner("POST", path+"/change-role", map[string]any{"role": "auditor"}).want(200)
		h.owner("POST", path+"/rename", map[string]any{"name": "a\u202eb"}).refused(422, "invalid", "name")
	})
	last := h.owner("POST", path+"/reactivate", nil).want(200)
	detail := h.owner("GET", path, nil).want(200)
	if detail.str("name") != "Grace H." || detail.str("email") != "hopper@example.com" || detail.str("role") != "auditor" || detail.at("active") != true || detail.header.Get("ETag") != `"r5"` {
		t.Errorf("detail %s", detail.raw)
	}
	if got := h.read("/v1/staff", last).column("id"); len(got) != 6 || !slices.Contains(got, any(id)) {
		t.Errorf("team %v", got)
	}
}

func TestStaff_K1_NobodyReachesAboveThemselves(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	admin := func(method, path string, body any) *reply { return h.do(events.RoleAdmin, method, path, body) }
	owner := "/v1/staff/" + h.staffID(events.RoleOwner)
	ownerKey := h.owner("POST", "/v1/api-keys", map[string]any{}).want(201)
	h.unchanged(func() {
		admin("POST", "/v1/staff", map[string]any{"email": "x@example.com", "role": "owner"}).refused(403, "role_above_own", "role")
		admin("POST", owner+"/change-role", map[string]any{"role": "analyst"}).refused(403, "role_above_own")
		admin("POST", owner+"/deactivate", nil).refused(403, "role_above_own")
		admin("POST", owner+"/change-email", map[string]any{"email": "mine@example.com"}).refused(403, "role_above_own")
		admin("POST", owner+"/rename", map[string]any{"name": "Fool"}).refused(403, "role_above_own")
		admin("POST", "/v1/staff/"+h.staffID(events.RoleSupport)+"/change-role", map[string]any{"role": "owner"}).refused(403, "role_above_own")
		admin("POST", "/v1/api-keys", map[string]any{"staff_id": h.staffID(events.RoleOwner)}).refused(403, "role_above_own", "staff_id")
		admin("POST", "/v1/api-keys/"+ownerKey.str("id")+"/revoke", nil).refused(403, "role_above_own")
		admin("POST", "/v1/staff/"+h.staffID(events.RoleAdmin)+"/change-role", map[string]any{"role": "support"}).refused(409, "not_yourself")
		h.owner("POST", owner+"/deactivate", nil).refused(409, "not_yourself")
		h.owner("POST", owner+"/change-role", map[string]any{"role": "admin"}).refused(409, "not_yourself")
	})
	admin("POST", "/v1/api-keys", map[string]any{"staff_id": h.staffID(events.RoleSupport)}).want(201)
}

func TestAPIKeys_CreateListRevoke_P20(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	year := time.Now().Add(365 * 24 * time.Hour)
	created := h.owner("POST", "/v1/api-keys", map[string]any{"label": "billing", "staff_id": h.staffID(events.RoleSupport), "source": "cli"}).want(201)
	if created.header.Get("Cache-Control") != "no-store" || created.str("key") == "" {
		t.Errorf("answer %s", created.raw)
	}
	h.unchanged(func() {
		h.owner("POST", "/v1/api-keys", map[string]any{"expires_at": year.Add(48 * time.Hour)}).refused(422, "invalid", "expires_at")
		h.owner("POST", "/v1/api-keys", map[string]any{"expires_at": "2001-01-01T00:00:00Z"}).refused(422, "invalid", "expires_at")
		h.owner("POST", "/v1/api-keys", map[string]any{"source": "reaction"}).refused(422, "invalid", "source")
		h.owner("POST", "/v1/api-keys", map[string]any{"label": "a\u0007b"}).refused(422, "invalid", "label")
		h.owner("POST", "/v1/api-keys", map[string]any{"staff_id": "x"}).refused(422, "invalid", "staff_id")
		h.owner("POST", "/v1/api-keys", map[string]any{"staff_id": unknown(wireid.Staff)}).refused(404, "staff_not_found")
		if dry := h.owner("POST", "/v1/api-keys?dry_run=true", map[string]any{}).want(200); dry.str("key") != "" {
			t.Errorf("a dry run shows a key: %s", dry.raw)
		}
	})
	for _, row := range h.read("/v1/api-keys", created).list("items") {
		if row["id"] == created.str("id") && (row["label"] != "billing" || row["source"] != "cli" || row["valid"] != true || row["staff_id"] != h.staffID(events.RoleSupport)) {
			t.Errorf("row %v", row)
		}
	}
	revoked := h.owner("POST", "/v1/api-keys/"+created.str("id")+"/revoke", nil).want(200)
	h.unchanged(func() { h.owner("POST", "/v1/api-keys/"+created.str("id")+"/revoke", nil).want(200) })
	for _, row := range h.read("/v1/api-keys", revoked).list("items") {
		if row["id"] == created.str("id") && (row["valid"] != false || row["revoked_at"] == nil) {
			t.Errorf("row %v", row)
		}
	}
}

func TestAPIKeys_AtMostTwenty(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for n := len(h.keys); n < 20; n++ {
		created := h.owner("POST", "/v1/api-keys", map[string]any{"label": strconv.Itoa(n)}).want(201)
		h.read("/v1/api-keys", created)
	}
	h.unchanged(func() { h.owner("POST", "/v1/api-keys", map[string]any{}).refused(409, "too_many_api_keys") })
}

func TestStore_CommandsAndReads(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	path := "/v1/stores/" + h.storeID()
	taken := other.owner("GET", "/v1/store", nil).want(200).texts("hosts")[0]
	host := h.owner("GET", "/v1/store", nil).want(200).texts("hosts")[0]
	h.unchanged(func() {
		h.owner("POST", path+"/rename", map[string]any{"name": ""}).refused(422, "invalid", "name")
		h.owner("POST", path+"/rename", map[string]any{"name": "Shop"}).want(200)
		h.owner("POST", path+"/change-hosts", map[string]any{"hosts": []string{}}).refused(422, "invalid", "hosts")
		h.owner("POST", path+"/change-hosts", map[string]any{"hosts": []string{host, "no host"}}).refused(422, "invalid", "hosts[1]")
		h.owner("POST", path+"/change-hosts", map[string]any{"hosts": []string{host, taken}}).refused(409, "name_taken")
		h.owner("POST", path+"/change-branding", map[string]any{"branding": map[string]any{"color": "red", "logo_url": "http://x"}}).
			refused(422, "invalid", "branding.color", "branding.logo_url")
	})
	h.owner("POST", path+"/rename", map[string]any{"name": "Domain Shop"}).want(200)
	h.owner("POST", path+"/change-hosts", map[string]any{"hosts": []string{host, "www." + host}}).want(200)
	h.owner("POST", path+"/change-branding", map[string]any{"branding": map[string]any{"color": "#1F6FEB"}}).want(200)
	store := h.owner("GET", "/v1/store", nil).want(200)
	if store.str("name") != "Domain Shop" || store.str("branding.color") != "#1f6feb" || !cmp.Equal(store.texts("hosts"), []string{host, "www." + host}) || store.header.Get("ETag") != `"r3"` {
		t.Errorf("store %s", store.raw)
	}
	if same := h.owner("GET", path, nil).want(200); string(same.raw) != string(store.raw) {
		t.Errorf("%s\n%s", same.raw, store.raw)
	}
}
