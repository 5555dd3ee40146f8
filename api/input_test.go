package api_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

func TestInput_BodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	good := `{"email":"ada@example.com","username":"ada"}`
	secret := "hunter2-secret-value"
	h.unchanged(func() {
		for name, c := range map[string]struct {
			body   string
			status int
			code   string
			fields []string
		}{
			"not JSON":               {`{"email":`, 400, "malformed_json", nil},
			"a word":                 {secret, 400, "malformed_json", nil},
			"single quotes":          {`{'email':'a'}`, 400, "malformed_json", nil},
			"trailing data":          {good + `{}`, 400, "trailing_data", nil},
			"trailing word":          {good + ` x`, 400, "trailing_data", nil},
			"empty":                  {``, 400, "body_required", nil},
			"duplicate":              {`{"email":"a","email":"b","username":"ada"}`, 400, "duplicate_field", []string{"email"}},
			"duplicate below":        {`{"email":"a","username":"u","profile":{"city":"a","city":"b"}}`, 400, "duplicate_field", []string{"profile.city"}},
			"escaped duplicate":      {`{"email":"a","\u0065mail":"b"}`, 400, "duplicate_field", []string{"email"}},
			"unknown":                {`{"email":"a@example.com","username":"ada","password":"` + secret + `"}`, 422, "unknown_field", []string{"password"}},
			"unknown below":          {`{"email":"a@example.com","username":"ada","profile":{"colour":"x"}}`, 422, "unknown_field", []string{"profile.colour"}},
			"another case":           {`{"Email":"a@example.com","username":"ada"}`, 422, "invalid", []string{"Email", "email"}},
			"a name not to repeat":   {`{"email":"a@example.com","username":"ada","<script>":1}`, 422, "unknown_field", nil},
			"invalid UTF-8":          {"{\"email\":\"a\xff@example.com\",\"username\":\"ada\"}", 400, "invalid_utf8", []string{"email"}},
			"invalid UTF-8 below":    {"{\"email\":\"a\",\"profile\":{\"city\":\"\xc3\"}}", 400, "invalid_utf8", []string{"profile.city"}},
			"control character":      {`{"email":"ada@example.com","username":"ada","profile":{"city":"a\u0007b"}}`, 422, "invalid", []string{"profile.city"}},
			"NUL":                    {`{"email":"a\u0000@example.com","username":"ada"}`, 422, "invalid", []string{"email"}},
			"bidi":                   {`{"email":"ada@example.com","username":"ada","profile":{"company":"a\u202eb"}}`, 422, "invalid", []string{"profile.company"}},
			"zero width":             {`{"email":"ada@example.com","username":"ada","external_id":"a\u200bb"}`, 422, "invalid", []string{"external_id"}},
			"lone surrogate":         {`{"email":"ada@example.com","username":"ada","profile":{"city":"\ud800"}}`, 422, "invalid", []string{"profile.city"}},
			"a list":                 {`[]`, 422, "invalid", nil},
			"null":                   {`null`, 422, "invalid", nil},
			"a number for a text":    {`{"email":1,"username":"ada"}`, 422, "invalid", []string{"email"}},
			"an object for a text":   {`{"email":{},"username":"ada"}`, 422, "invalid", []string{"email"}},
			"too deep":               {strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat(`}`, 33), 400, "nested_too_deep", nil},
			"far too deep":           {strings.Repeat(`[`, 60000), 400, "nested_too_deep", nil},
			"too large":              {`{"email":"` + strings.Repeat("a", 64<<10) + `"}`, 413, "body_too_large", nil},
			"email too long":         {`{"email":"` + strings.Repeat("a", 300) + `@example.com","username":"ada"}`, 422, "invalid", []string{"email"}},
			"several things at once": {`{"email":"nope","username":"!","external_id":"` + strings.Repeat("x", 129) + `"}`, 422, "invalid", []string{"email", "username", "external_id"}},
		} {
			r := h.owner("POST", "/v1/customers", c.body)
			if r.status != c.status || r.str("code") != c.code {
				t.Errorf("%s: %d %s", name, r.status, r.raw)
				continue
			}
			r.refused(c.status, c.code, c.fields...)
			if strings.Contains(string(r.raw), secret) || strings.Contains(string(r.raw), "script") {
				t.Errorf("%s: the problem repeats what was sent: %s", name, r.raw)
			}
		}
	})
	if strings.Contains(h.logs.String(), secret) {
		t.Error("the log repeats what was sent")
	}
}

func TestInput_ContentNegotiation(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	body := `{"email":"ada@example.com","username":"ada"}`
	h.unchanged(func() {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx", "multipart/form-data", "application/cbor"} {
			h.owner("POST", "/v1/customers", body, "Content-Type", kind).refused(415, "unsupported_media_type", "Content-Type")
		}
		h.owner("POST", "/v1/customers", body, "Content-Type", "").refused(415, "unsupported_media_type")
		h.owner("POST", "/v1/customers", body, "Content-Encoding", "gzip").refused(415, "unsupported_media_type")
		h.owner("POST", "/v1/customers", body, "Accept", "text/html").refused(406, "not_acceptable", "Accept")
		h.owner("GET", "/v1/customers", nil, "Accept", "application/xml;q=1, application/json;q=0").refused(406, "not_acceptable")
	})
	h.owner("GET", "/v1/customers", nil, "Accept", "text/html, application/*;q=0.8").want(200)
	h.owner("POST", "/v1/customers", body, "Content-Type", "Application/JSON; Charset=UTF-8", "Accept", "application/problem+json").want(201)
}

func TestInput_AddressesAndMethods(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	h.owner("GET", "/v1/nothing", nil).refused(404, "route_not_found")
	h.owner("GET", "/v1/customers/"+ada+"/", nil).refused(404, "route_not_found")
	r := h.owner("PUT", "/v1/customers/"+ada, map[string]any{}).refused(405, "method_not_allowed")
	if got := r.header.Get("Allow"); got != "GET, HEAD, PATCH" {
		t.Errorf("Allow %q", got)
	}
	h.owner("DELETE", "/v1/customers", nil).refused(405, "method_not_allowed")
	h.owner("GET", "/v1/customers?surprise=1", nil).refused(422, "unknown_field", "surprise")
	if got := h.owner("HEAD", "/v1/customers", nil); got.status != 200 || len(got.raw) != 0 {
		t.Errorf("HEAD: %d, %d bytes", got.status, len(got.raw))
	}
	for _, id := range []string{"x", "cus_", "cus_x", ada[:len(ada)-1], ada + "0", strings.ToUpper(ada), unknown(wireid.Domain), "..%2f..", "cus_" + strings.Repeat("i", 26), "%00", "%ff"} {
		h.owner("GET", "/v1/customers/"+id, nil).refused(400, "bad_id", "id")
		h.owner("POST", "/v1/customers/"+id+"/suspend", nil).refused(400, "bad_id", "id")
	}
	h.owner("GET", "/v1/customers?q=%ff", nil).refused(422, "invalid", "q")
	h.owner("GET", "/v1/customers?q=%00", nil).refused(422, "invalid", "q")
	h.owner("GET", "/v1/customers?q="+strings.Repeat("x", 101), nil).refused(422, "invalid", "q")
}

func TestInput_MinPosition(t *testing.T) {
	t.Parallel()
	h, elsewhere := newHarness(t), startStack(t).newStore(t)
	ada, created := h.customer("ada")
	_, foreign := elsewhere.customer("bob")
	position := created.str("position")
	for _, path := range []string{"/v1/customers", "/v1/customers/" + ada, "/v1/domains", "/v1/log", "/v1/customers/" + ada + "/log", "/v1/staff", "/v1/store", "/v1/api-keys"} {
		h.owner("GET", path, nil, "Steward-Min-Position", position).want(200)
		for name, bad := range map[string]string{"another log's": foreign.str("position"), "edited": edited(position), "cut": position[:10], "a word": "12345"} {
			if r := h.owner("GET", path, nil, "Steward-Min-Position", bad); r.status != 400 || r.str("code") != "bad_position" {
				t.Errorf("%s, %s: %d %s", path, name, r.status, r.raw)
			}
		}
	}
}

func TestInput_HeadersOnEveryAnswer_P22(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for name, r := range map[string]*reply{
		"ok": h.owner("GET", "/v1/store", nil), "unknown": h.owner("GET", "/nothing", nil), "method": h.owner("PUT", "/v1/store", nil),
		"refused": h.owner("POST", "/v1/customers", `{`), "nobody": h.send("GET", "/v1/store", nil), "health": h.send("GET", "/livez", nil),
		"metrics": h.send("GET", "/metrics", nil), "spec": h.send("GET", "/openapi.json", nil), "index": h.send("GET", "/", nil),
	} {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		} {
			if got := r.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		if r.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", name)
		}
		if r.header.Get("X-Frame-Options") != "" || r.header.Get("Server") != "" {
			t.Errorf("%s: headers %v", name, r.header)
		}
	}
	for given, kept := range map[string]bool{"0a1B-c3d4": true, strings.Repeat("f", 64): true, strings.Repeat("f", 65): false, "ada.lovelace": false, "12": false, "a b": false, "a/b": false, "é": false} {
		if got := h.owner("GET", "/v1/store", nil, "X-Request-Id", given).header.Get("X-Request-Id"); (got == given) != kept || got == "" {
			t.Errorf("request id %q became %q", given, got)
		}
	}
	problem := h.owner("GET", "/v1/nothing", nil, "X-Request-Id", "f1dd-0001-beef")
	if problem.str("request_id") != "f1dd-0001-beef" || problem.str("type") != "urn:steward:problem:route_not_found" || problem.str("title") != "Not Found" || problem.num("status") != 404 {
		t.Errorf("problem %s", problem.raw)
	}
}

func TestInput_ClientAddress_R20(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	suspend := func(forwarded, agent string) string {
		t.Helper()
		h.owner("POST", "/v1/customers/"+ada+"/reactivate", nil).want(200)
		headers := []string{"User-Agent", agent}
		if forwarded != "" {
			headers = append(headers, "X-Forwarded-For", forwarded)
		}
		last := h.owner("POST", "/v1/customers/"+ada+"/suspend", nil, headers...).want(200)
		entry := h.read("/v1/log?type=customer.suspended", last).list("items")[0]
		agentSeen, _ := entry["user_agent"].(string)
		ip, _ := entry["ip"].(string)
		return ip + " " + agentSeen
	}
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ forwarded, agent, want string }{
		"a trusted proxy's word":    {"198.51.100.9", "ua", "198.51.100.9 ua"},
		"only the nearest hop's":    {"1.2.3.4, 198.51.100.9", "ua", "198.51.100.9 ua"},
		"nonsense is nobody":        {"not an address", "ua", " ua"},
		"a long agent is cut":       {"198.51.100.9", long, "198.51.100.9 " + long[:256]},
		"an agent that is not text": {"198.51.100.9", "a\xff\u202eb", "198.51.100.9 ab"},
	} {
		if got := suspend(c.forwarded, c.agent); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestInput_ActorComesFromTheCredential_S5(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.unchanged(func() {
		for _, field := range []string{"actor", "by", "staff_id", "store_id", "source", "customer_id", "occurred_at"} {
			h.owner("POST", "/v1/customers", map[string]any{"email": "a@example.com", "username": "ada", field: "x"}).refused(422, "unknown_field", field)
		}
	})
	h.do(events.RoleSupport, "POST", "/v1/customers", map[string]any{"email": "a@example.com", "username": "ada"},
		"Steward-Actor", "system", "Steward-Store", unknown(wireid.Store), "X-Actor", "customer").want(201)
	_, md := h.newest()
	if md.Actor.Kind != events.ActorReseller || md.Actor.StaffID != h.staff[events.RoleSupport] || md.StoreID != h.store {
		t.Errorf("metadata %+v", md)
	}
}

// A query of which something would be dropped is refused as a whole: a dry run
// must not become a command, nor a search a list of everybody.
func TestInput_QueryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, _ := h.customer("ada")
	id, _ := h.domain("query.com", ada)
	h.unchanged(func() {
		for _, query := range []string{"dry_run=true%", "%zz", "dry_run=true;x=1"} {
			h.owner("POST", "/v1/domains/"+id+"/set-lock?"+query, map[string]any{"value": true}).refused(400, "bad_query")
		}
	})
	for _, query := range []string{"status=banned%", "q=50%", "limit=%zz"} {
		h.owner("GET", "/v1/customers?"+query, nil).refused(400, "bad_query", "query")
	}
	h.owner("GET", "/v1/customers?limit=1&limit=2", nil).refused(400, "bad_query", "limit")
	h.owner("GET", "/v1/customers?status=active&status=banned", nil).want(200)
}

// What is wrong with a body is named up to a bound, in a time that grows with
// the body and not with its square.
func TestInput_ManyMistakes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	rows := make([]map[string]any, 14_000)
	for i := range rows {
		rows[i] = map[string]any{}
	}
	refused := h.owner("POST", "/v1/domains/import-batch", map[string]any{"rows": rows}).want(422)
	if n := len(refused.list("errors")); n != 100 {
		t.Errorf("%d fields are named", n)
	}
}
