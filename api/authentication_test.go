package api_test

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
)

func TestAuthentication_EveryRefusalLooksTheSame(t *testing.T) {
	t.Parallel()
	s := startStack(t) // its clock is moved
	h := s.newStore(t)
	key := func(body map[string]any) *reply { return h.owner("POST", "/v1/api-keys", body).want(201) }
	revoked := key(map[string]any{})
	h.owner("POST", "/v1/api-keys/"+revoked.str("id")+"/revoke", nil).want(200)
	expiring := key(map[string]any{"expires_at": time.Now().Add(time.Hour).UTC()}).str("key")
	ofInactive := key(map[string]any{"staff_id": h.staffID(events.RoleAnalyst)}).str("key")
	h.owner("POST", "/v1/staff/"+h.staffID(events.RoleAnalyst)+"/deactivate", nil).want(200)
	h.send("GET", "/v1/store", nil, "Authorization", "Bearer "+expiring).want(200)
	s.now.advance(time.Hour + time.Minute)

	good := h.keys[events.RoleOwner]
	wrongSecret := rewriteSecret(good)
	want := ""
	for name, header := range map[string]string{
		"nothing": "", "unknown": "Bearer " + apitoken.New().Reveal(), "wrong secret": "Bearer " + wrongSecret,
		"mistyped": "Bearer " + good[:len(good)-1] + string(good[len(good)-1]^1), "another scheme": "Basic " + good, "no scheme": good,
		"revoked": "Bearer " + revoked.str("key"), "expired": "Bearer " + expiring, "of an inactive member": "Bearer " + ofInactive,
		"the prefix alone": "Bearer " + good[:secretBegins-1], "two": "Bearer " + good + " " + good, "a word": "Bearer x",
	} {
		r := h.send("GET", "/v1/store", nil, "Authorization", header, "X-Request-Id", "5a3e5a3e")
		if r.status != 401 || r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
		if want == "" {
			want = string(r.raw)
		}
		if string(r.raw) != want {
			t.Errorf("%s answers otherwise: %s", name, r.raw)
		}
		if c := h.send("POST", "/v1/customers", `{`, "Authorization", header, "X-Request-Id", "5a3e5a3e"); string(c.raw) != want {
			t.Errorf("%s: a command answers otherwise: %s", name, c.raw)
		}
	}
	h.send("GET", "/v1/store", nil, "Authorization", "bearer "+good).want(200)
}

// Where the secret stands in a key.
const (
	secretBegins = len("stw_live_0123456789abcdef_")
	secretEnds   = secretBegins + 43
)

// rewriteSecret is a key of the same id with another secret and the checksum
// that it needs.
func rewriteSecret(key string) string {
	body := key[:secretBegins] + apitoken.New().Reveal()[secretBegins:secretEnds]
	return body + "_" + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

func TestAuthentication_K3_ARevokedKeyIsOutAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	created := h.owner("POST", "/v1/api-keys", map[string]any{"label": "temporary"}).want(201)
	bearer := "Bearer " + created.str("key")
	h.send("GET", "/v1/store", nil, "Authorization", bearer).want(200)
	h.owner("POST", "/v1/api-keys/"+created.str("id")+"/revoke", nil).want(200)
	h.send("GET", "/v1/store", nil, "Authorization", bearer).want(401)
	h.owner("POST", "/v1/staff/"+h.staffID(events.RoleSupport)+"/deactivate", nil).want(200)
	h.do(events.RoleSupport, "GET", "/v1/store", nil).want(401)
	h.owner("POST", "/v1/staff/"+h.staffID(events.RoleSupport)+"/reactivate", nil).want(200)
	h.do(events.RoleSupport, "GET", "/v1/store", nil).want(200)
	h.do(events.RoleSupport, "GET", "/v1/staff", nil).refused(403, "forbidden")
	h.owner("POST", "/v1/staff/"+h.staffID(events.RoleSupport)+"/change-role", map[string]any{"role": "admin"}).want(200)
	h.do(events.RoleSupport, "GET", "/v1/staff", nil).want(200)
}

func TestAuthentication_SecretsAreNowhere(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	created := h.owner("POST", "/v1/api-keys", map[string]any{"label": "canary"}).want(201)
	key := created.str("key")
	secret := key[secretBegins:secretEnds]
	h.send("GET", "/v1/customers?q=whisper", nil, "Authorization", "Bearer "+key).want(200)
	for name, r := range map[string]*reply{
		"keys": h.read("/v1/api-keys", created), "log": h.read("/v1/log", created),
		"events": h.owner("GET", "/v1/events?limit=200&stored=true", nil), "metrics": h.send("GET", "/metrics", nil),
	} {
		if strings.Contains(string(r.raw), secret) {
			t.Errorf("%s shows the secret of a key", name)
		}
	}
	logs := h.logs.String()
	for _, canary := range []string{secret, "whisper", "olivia@example.com", "127.0.0.1"} {
		if strings.Contains(logs, canary) {
			t.Errorf("the request log holds %q", canary)
		}
	}
	if !strings.Contains(logs, `"route":"/v1/customers"`) || !strings.Contains(logs, h.store.String()) {
		t.Error("the request log lacks route or store")
	}
	if metrics := string(h.send("GET", "/metrics", nil).raw); !strings.Contains(metrics, `route="/v1/customers"`) || strings.Contains(metrics, h.store.String()) {
		t.Error("metrics lack the route, or hold ids")
	}
}
