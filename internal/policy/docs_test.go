package policy_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/policy"
)

var update = flag.Bool("update", false, "rewrite docs/policies.md")

const page = "../../docs/policies.md"

// docs/policies.md is this table.
func TestDocs(t *testing.T) {
	t.Parallel()
	want := document()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs; run the test with -update (-want +got):\n%s", page, diff)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# Policies

What a store decides for itself. ` + "`GET /v1/stores/{id}/policies`" + ` shows what is in force and what was decided for later,
` + "`POST /v1/stores/{id}/set-policies`" + ` decides, at once or from ` + "`effective_at`" + ` on. Every decision is an event in the store's
log. What was decided for a time replaces everything that was to hold from then or later.

| policy | what it decides | values, the default first |
|---|---|---|
`)
	for _, p := range policy.Policies {
		values := "`" + p.Default + "`, or another text of up to 40 characters"
		if p.Most > 0 {
			values = fmt.Sprintf("`%s`, or another whole number from 0 to %d", p.Default, p.Most)
		}
		if len(p.Values) > 0 {
			first, others := "", ""
			for _, v := range p.Values {
				if text := fmt.Sprintf("`%s`: %s", v.Name, v.About); v.Name == p.Default {
					first = text
				} else {
					others += "; " + text
				}
			}
			values = first + others
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, p.About, values)
	}
	b.WriteString("\n## Presets\n\nA preset sets every policy: those below, and all others to their defaults. Single policies in the same command go before it.\n\n| preset | how it behaves |")
	for _, p := range policy.Policies {
		fmt.Fprintf(&b, " `%s` |", p.Name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(policy.Policies)) + "\n")
	for _, preset := range policy.Presets {
		fmt.Fprintf(&b, "| `%s` | %s |", preset.Name, preset.About)
		for _, p := range policy.Policies {
			value := ""
			if set, ok := preset.Set[p.Name]; ok {
				value = "`" + set + "`"
			}
			fmt.Fprintf(&b, " %s |", value)
		}
		b.WriteString("\n")
	}
	return b.String()
}
