package api

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// specification is the documentation of the API in both spellings.
type specification struct{ json, yaml []byte }

const introduction = `Steward keeps the customers of a reseller's storefront and the domains they own, and who did what.

**Credential.** Send an API key as ` + "`Authorization: Bearer stw_live_…`" + `. It acts for a team member, whose role says what it may do.

**Commands** are POSTs named after what they do. They set values and never toggle: what is so already succeeds and writes nothing.
An ` + "`Idempotency-Key`" + ` makes a command safe to send again. ` + "`?dry_run=true`" + ` decides without doing.
A command answers a ` + "`position`" + `: send it as ` + "`Steward-Min-Position`" + ` with a later read to see at least that much.

**Lists** have pages: follow ` + "`next_cursor`" + ` or the ` + "`Link`" + ` header until there is no more.

**Refusals** are problem documents (RFC 9457) with a ` + "`code`" + ` that never changes and the fields at fault.`

// newHuma makes the API on a router. It adds nothing to bodies and offers no
// pages: those are ours.
func newHuma(router chi.Router, version string) huma.API {
	configureHuma()
	if version == "" {
		version = "dev"
	}
	config := huma.DefaultConfig("Steward", version)
	config.CreateHooks = nil
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Info.Description = introduction
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"api_key": {Type: "http", Scheme: "bearer", BearerFormat: "stw_live_<id>_<secret>_<checksum>"},
	}
	return humachi.New(router, config)
}

// specify writes the documentation, once.
func specify(api huma.API) (specification, error) {
	text, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return specification{}, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	yaml, err := api.OpenAPI().YAML()
	if err != nil {
		return specification{}, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return specification{json: text, yaml: yaml}, nil
}
