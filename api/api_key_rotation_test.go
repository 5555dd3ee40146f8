package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/wireid"
)

// with sends a request with an API key.
func (h *harness) with(key, method, path string, body any) *reply {
	h.t.Helper()
	return h.send(method, path, body, "Authorization", "Bearer "+key)
}

func TestAPIKeys_K1_K3_ScopesNeverGrow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	support := h.staffID(events.RoleSupport)
	narrow := h.owner("POST", "/v1/api-keys", map[string]any{"scopes": []string{"customers:read", "api_keys:write"}}).want(201)
	key := narrow.str("key")
	h.with(key, "GET", "/v1/customers", nil).want(200)
	h.with(key, "GET", "/v1/domains", nil).refused(403, "forbidden")
	h.with(key, "GET", "/v1/api-keys", nil).refused(403, "forbidden")
	if me := h.with(key, "GET", "/v1/staff/me", nil).want(200); !slices.Equal(me.texts("permissions"), []string{"api_keys:write", "customers:read"}) {
		t.Errorf("it may do %s", me.raw)
	}
	h.unchanged(func() {
		h.with(key, "POST", "/v1/api-keys", map[string]any{"scopes": []string{"domains:read"}}).refused(422, "invalid", "scopes")
		h.owner("POST", "/v1/api-keys", map[string]any{"scopes": []string{"all"}}).refused(422, "invalid", "scopes")
		h.owner("POST", "/v1/api-keys", map[string]any{"staff_id": support, "scopes": []string{"staff:write"}}).refused(422, "invalid", "scopes")
	})
	// By default it has what both have, and what it makes has no more.
	child := h.with(key, "POST", "/v1/api-keys", map[string]any{}).want(201)
	h.with(child.str("key"), "GET", "/v1/customers", nil).want(200)
	h.with(child.str("key"), "GET", "/v1/domains", nil).refused(403, "forbidden")

	// What the person loses the key loses; what they gain it does not gain.
	ofSupport := h.do(events.RoleAdmin, "POST", "/v1/api-keys", map[string]any{"staff_id": support}).want(201)
	theirs := ofSupport.str("key")
	h.with(theirs, "GET", "/v1/domains", nil).want(200)
	h.owner("POST", "/v1/staff/"+support+"/change-role", map[string]any{"role": "auditor"}).want(200)
	h.with(theirs, "GET", "/v1/domains", nil).want(200)
	h.with(theirs, "POST", "/v1/customers", map[string]any{"email": "x@example.com", "username": "x"}).refused(403, "forbidden")
	h.with(theirs, "GET", "/v1/events", nil).refused(403, "forbidden")
	h.owner("POST", "/v1/staff/"+support+"/change-role", map[string]any{"role": "owner"}).want(200)
	h.with(theirs, "GET", "/v1/staff", nil).refused(403, "forbidden")

	// An admin who made a key for another admin is no owner when that one becomes it.
	admin := h.staffID(events.RoleAdmin)
	ofAdmin := h.do(events.RoleAdmin, "POST", "/v1/api-keys", map[string]any{}).want(201).str("key")
	h.owner("POST", "/v1/staff/"+admin+"/change-role", map[string]any{"role": "owner"}).want(200)
	h.with(ofAdmin, "POST", "/v1/staff", map[string]any{"email": "x@example.com", "role": "owner"}).refused(403, "role_above_own", "role")

	for _, row := range h.read("/v1/api-keys", child).list("items") {
		if row["id"] == narrow.str("id") {
			if diff := cmp.Diff([]any{"api_keys:write", "customers:read"}, row["scopes"]); diff != "" {
				t.Errorf("the list shows (-want +got) %s", diff)
			}
		}
	}
}

func TestAPIKeys_K3_Rotation(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	created := h.owner("POST", "/v1/api-keys", map[string]any{"scopes": []string{"store:read", "api_keys:write"}}).want(201)
	first, path := created.str("key"), "/v1/api-keys/"+created.str("id")+"/rotate"
	h.unchanged(func() {
		h.owner("POST", path, map[string]any{"grace_minutes": 1441}).refused(422, "invalid", "grace_minutes")
		h.owner("POST", path, map[string]any{"grace_minutes": -1}).refused(422, "invalid", "grace_minutes")
		h.send("POST", path, map[string]any{}, "Authorization", "Bearer "+h.keys[events.RoleOwner], "Idempotency-Key", "k").refused(400, "idempotency_key_not_allowed")
		if dry := h.owner("POST", path+"?dry_run=true", map[string]any{}).want(200); dry.str("key") != "" {
			t.Errorf("a dry run shows a key: %s", dry.raw)
		}
	})
	rotated := h.with(first, "POST", path, map[string]any{}).want(200) // by itself: it needs nothing but the scope
	second := rotated.str("key")
	if second[:secretBegins] != first[:secretBegins] || second == first || rotated.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the new key is %s", rotated.raw)
	}
	works := func(key string, status int) {
		t.Helper()
		h.with(key, "GET", "/v1/store", nil).want(status)
	}
	works(first, 200)
	works(second, 200)
	for _, row := range h.read("/v1/api-keys", rotated).list("items") {
		if row["id"] == created.str("id") && row["previous_until"] == nil {
			t.Errorf("the row is %v", row)
		}
	}
	s.now.advance(59 * time.Minute)
	works(first, 200)
	s.now.advance(2 * time.Minute)
	works(first, 401)
	works(second, 200)
	third := h.owner("POST", path, map[string]any{"grace_minutes": 0}).want(200).str("key")
	works(second, 401)
	works(third, 200)
	h.owner("POST", path, map[string]any{"grace_minutes": 1440}).want(200)
	works(third, 200)
	last := h.owner("POST", path, map[string]any{}).want(200)
	works(third, 401) // one secret before, not two
	h.owner("POST", strings.Replace(path, "rotate", "revoke", 1), nil).want(200)
	works(last.str("key"), 401)
	h.owner("POST", path, map[string]any{}).refused(409, "api_key_over")
	for _, record := range h.stored() {
		if strings.Contains(string(record.Data), third[secretBegins:secretEnds]) {
			t.Error("the log holds a secret")
		}
	}
}

// K1: whoever rotates a key learns it.
func TestAPIKeys_K1_NobodyLearnsAKeyAboveTheirs(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	wide := h.do(events.RoleAdmin, "POST", "/v1/api-keys", map[string]any{}).want(201)
	narrow := h.do(events.RoleAdmin, "POST", "/v1/api-keys", map[string]any{"scopes": []string{"api_keys:write"}}).want(201)
	ofOwner := h.owner("POST", "/v1/api-keys", map[string]any{"scopes": []string{"api_keys:write"}}).want(201)
	h.unchanged(func() {
		h.with(narrow.str("key"), "POST", "/v1/api-keys/"+wide.str("id")+"/rotate", map[string]any{}).refused(403, "api_key_above_own")
		h.do(events.RoleAdmin, "POST", "/v1/api-keys/"+ofOwner.str("id")+"/rotate", map[string]any{}).refused(403, "role_above_own")
		h.do(events.RoleSupport, "POST", "/v1/api-keys/"+narrow.str("id")+"/rotate", map[string]any{}).refused(403, "forbidden")
	})
	h.with(wide.str("key"), "POST", "/v1/api-keys/"+narrow.str("id")+"/rotate", map[string]any{}).want(200)
}

// P15: a session makes and rotates keys with the password only.
func TestAPIKeys_P15_SessionsProveThemselvesAnew(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.member("grace", events.RoleAdmin)
	session := h.signInStaff("grace")
	h.unchanged(func() {
		h.as(session, "POST", "/v1/api-keys", map[string]any{}).refused(403, "wrong_password", "password")
		h.as(session, "POST", "/v1/api-keys", map[string]any{"password": "not this one at all"}).refused(403, "wrong_password", "password")
	})
	created := h.as(session, "POST", "/v1/api-keys", map[string]any{"password": goodPassword}).want(201)
	h.with(created.str("key"), "GET", "/v1/staff", nil).want(200)
	rotate := "/v1/api-keys/" + created.str("id") + "/rotate"
	h.as(session, "POST", rotate, map[string]any{}).refused(403, "wrong_password", "password")
	h.as(session, "POST", rotate, map[string]any{"password": goodPassword}).want(200)
	customer, _ := h.customer("ada")
	enter := "/v1/customers/" + customer + "/impersonate"
	h.as(session, "POST", enter, map[string]any{"reason": "a call"}).refused(403, "wrong_password", "password")
	h.as(session, "POST", enter, map[string]any{"reason": "a call", "password": goodPassword}).want(201)
}

func TestAPIKeys_P20_LastUseByDay(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	created := h.owner("POST", "/v1/api-keys", map[string]any{}).want(201)
	use := func() {
		t.Helper()
		for range 3 {
			h.with(created.str("key"), "GET", "/v1/store", nil).want(200)
		}
		for range 2 {
			if err := s.server.NoteUses(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	days := func() (all []string) {
		for _, record := range h.stored() {
			if record.Type == events.TypeAPIKeyUsed && strings.Contains(string(record.Data), must(wireid.Parse(wireid.APIKey, created.str("id"))).String()) {
				all = append(all, string(record.Data))
			}
		}
		return all
	}
	h.unchanged(func() { h.with(created.str("key"), "GET", "/v1/store", nil).want(200) }) // no request waits for it
	use()
	use()
	if got := days(); len(got) != 1 {
		t.Fatalf("a day's use is %v", got)
	}
	s.now.advance(24 * time.Hour)
	use()
	if got := days(); len(got) != 2 || got[0] == got[1] {
		t.Fatalf("two days' use is %v", got)
	}
	want := s.now.now().UTC().Format(time.DateOnly)
	marker := h.owner("POST", "/v1/stores/"+h.storeID()+"/rename", map[string]any{"name": "Marker"}).want(200)
	for _, row := range h.read("/v1/api-keys", marker).list("items") {
		if row["id"] == created.str("id") && row["last_used_on"] != want {
			t.Errorf("last used on %v, want %s", row["last_used_on"], want)
		}
	}
}

// K3: with the projections at a standstill a key is revoked, rotated and limited all
// the same.
func TestAPIKeys_K3_ProjectionsAtAStandstill(t *testing.T) {
	t.Parallel()
	s := startInstances(t, 1)[0]
	if err := projector.Create(t.Context(), s.pool, s.group()); err != nil {
		t.Fatal(err)
	}
	s.serve(t, nil)
	h := s.newStore(t)
	created := h.owner("POST", "/v1/api-keys", map[string]any{"scopes": []string{"store:read"}}).want(201)
	h.with(created.str("key"), "GET", "/v1/store", nil).want(200)
	rotated := h.owner("POST", "/v1/api-keys/"+created.str("id")+"/rotate", map[string]any{"grace_minutes": 0}).want(200)
	h.with(created.str("key"), "GET", "/v1/store", nil).want(401)
	h.with(rotated.str("key"), "GET", "/v1/store", nil).want(200)
	h.owner("POST", "/v1/api-keys/"+created.str("id")+"/revoke", nil).want(200)
	h.with(rotated.str("key"), "GET", "/v1/store", nil).want(401)
}
