package api_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"
)

func TestOpenAPI_INT_01_IsValidAndComplete(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	spec := h.send("GET", "/openapi.json", nil).want(200)
	doc, err := openapi3.NewLoader().LoadFromData(spec.raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	var fromYAML any
	if err := yaml.Unmarshal(h.send("GET", "/openapi.yaml", nil).want(200).raw, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(fromYAML); err != nil || len(text) < len(spec.raw)/2 {
		t.Errorf("the YAML holds %d bytes of JSON, the JSON %d: %v", len(text), len(spec.raw), err)
	}
	// Pages for people, and the documents themselves.
	undocumented := []string{"GET /", "GET /docs", "GET /docs/{file}", "GET /links", "GET /links.js", "GET /metrics", "GET /openapi.json", "GET /openapi.yaml"}
	err = h.server.Walk(func(method, path string) {
		item := doc.Paths.Find(path)
		if item != nil && item.GetOperation(method) != nil {
			return
		}
		if !slices.Contains(undocumented, method+" "+path) {
			t.Errorf("%s %s is not documented", method, path)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if ids[operation.OperationID] {
				t.Errorf("%s %s: the operation id %s is there twice", method, path, operation.OperationID)
			}
			ids[operation.OperationID] = true
			if operation.Summary == "" || len(operation.Tags) != 1 || operation.Responses.Default() == nil {
				t.Errorf("%s %s: summary %q, tags %v", method, path, operation.Summary, operation.Tags)
			}
			public := slices.Contains([]string{"/livez", "/readyz", "/v1/register", "/v1/sign-in", "/v1/sign-in/second-factor", "/v1/forgot-password", "/v1/links/redeem", "/v1/impersonations/redeem", "/v1/exports/{token}", "/v1/staff/sign-in", "/v1/staff/forgot-password"}, path)
			if (operation.Security == nil) != public {
				t.Errorf("%s %s: security %v", method, path, operation.Security)
			}
		}
	}
	if strings.Contains(string(spec.raw), "$schema") {
		t.Error("bodies have a $schema")
	}
	for _, hidden := range []string{`"commit"`, `"prepare"`, "personalState"} {
		if strings.Contains(string(spec.raw), hidden) {
			t.Errorf("the document tells of %s", hidden)
		}
	}
	if !regexp.MustCompile(`"scheme":"bearer"`).Match(spec.raw) {
		t.Error("the document has no bearer scheme")
	}
}

func TestOpenAPI_AnswersFitTheirSchemas(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	doc, err := openapi3.NewLoader().LoadFromData(h.send("GET", "/openapi.json", nil).want(200).raw)
	if err != nil {
		t.Fatal(err)
	}
	ada, _ := h.customer("ada")
	domain, last := h.domain("fits.com", ada)
	h.read("/v1/log", last)
	for path, template := range map[string]string{
		"/v1/store": "", "/v1/stores": "", "/v1/staff": "", "/v1/api-keys": "", "/v1/customers": "", "/v1/domains": "", "/v1/log": "",
		"/v1/events?stored=true": "/v1/events", "/v1/event-types": "", "/livez": "", "/readyz": "",
		"/v1/customers/" + ada: "/v1/customers/{id}", "/v1/domains/" + domain: "/v1/domains/{id}",
		"/v1/sign-ins": "", "/v1/reports/password-schemes": "", "/v1/customers/" + ada + "/sign-ins": "/v1/customers/{id}/sign-ins",
		"/v1/customers/" + ada + "/notes": "/v1/customers/{id}/notes",
		"/v1/customers/" + ada + "/log":   "/v1/customers/{id}/log", "/v1/customers/" + ada + "/domains": "/v1/customers/{id}/domains",
	} {
		if template == "" {
			template = path
		}
		answer := h.owner("GET", path, nil).want(200)
		schema := doc.Paths.Find(template).Get.Responses.Status(200).Value.Content.Get("application/json").Schema.Value
		var body any
		if err := json.Unmarshal(answer.raw, &body); err != nil {
			t.Fatal(err)
		}
		if err := schema.VisitJSON(body, openapi3.EnableFormatValidation()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDocs_NoOutsideReferences(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	outside := regexp.MustCompile(`(?i)(src|href|url|action)\s*[=(]\s*["']?\s*(https?:)?//`)
	page := h.send("GET", "/docs", nil).want(200)
	policy := page.header.Get("Content-Security-Policy")
	if strings.Contains(policy, "http") || strings.Contains(policy, "*") || strings.Contains(policy, "unsafe-eval") ||
		!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self'") || !strings.Contains(policy, "connect-src 'self'") {
		t.Errorf("policy %q", policy)
	}
	for _, r := range []*reply{page, h.send("GET", "/", nil).want(200), h.send("GET", "/docs/styles.min.css", nil).want(200)} {
		if found := outside.Find(r.raw); found != nil {
			t.Errorf("an outside reference: %s", found)
		}
	}
	for _, found := range regexp.MustCompile(`(src|href|apiDescriptionUrl)="([^"]+)"`).FindAllStringSubmatch(string(page.raw), -1) {
		if !strings.HasPrefix(found[2], "/") {
			t.Errorf("the page asks for %s", found[2])
		}
		if r := h.send("GET", found[2], nil); r.status != 200 || len(r.raw) == 0 {
			t.Errorf("%s: %d", found[2], r.status)
		}
	}
	script := h.send("GET", "/docs/web-components.min.js", nil).want(200) // unpacked by the client
	packed := h.send("GET", "/docs/web-components.min.js", nil, "Accept-Encoding", "gzip").want(200)
	plain := h.send("GET", "/docs/web-components.min.js", nil, "Accept-Encoding", "identity").want(200)
	if len(packed.raw) >= len(script.raw) || packed.header.Get("Content-Encoding") != "gzip" || string(plain.raw) != string(script.raw) ||
		script.header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("packed %d bytes, unpacked %d, plain %d", len(packed.raw), len(script.raw), len(plain.raw))
	}
	if !strings.Contains(string(page.raw), `router="hash"`) {
		t.Error("the page changes the address of the browser")
	}
	for _, name := range []string{"LICENSE.elements.txt", "../docs.go", "index.html", "nothing.js"} {
		if r := h.send("GET", "/docs/"+name, nil); r.status != 404 {
			t.Errorf("%s: %d", name, r.status)
		}
	}
}
