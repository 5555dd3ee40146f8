package archtest_test

import (
	"regexp"
	"strings"
	"testing"
)

// The differences of the embedded store stand in its package's comment, for who
// changes it, and in the documentation, for who runs it. Each has to be in both.
func TestTheDifferencesOfTheEmbeddedStoreAreDocumented(t *testing.T) {
	t.Parallel()
	items := func(text, begin, bullet string) []string {
		_, text, ok := strings.Cut(text, begin)
		if !ok {
			t.Fatalf("%q is missing", begin)
		}
		var all []string
		for _, m := range regexp.MustCompile(`(?m)^`+bullet+`((?:\S+\s+){2}\S+)`).FindAllStringSubmatch(text, -1) {
			all = append(all, strings.ReplaceAll(m[1], "`", ""))
		}
		return all
	}
	code := items(string(read(t, "internal/esnode/doc.go")), "# Differences from EventStoreDB", `//   - `)
	docs, _, _ := strings.Cut(string(read(t, "docs/event-store.md")), "## Testing your own server")
	told := items(docs, "## Differences between the embedded store and EventStoreDB", `- `)
	if len(code) == 0 || len(code) != len(told) {
		t.Fatalf("%d differences in the package, %d in docs/event-store.md", len(code), len(told))
	}
	for i := range code {
		if code[i] != told[i] {
			t.Errorf("the package says %q, the documentation %q", code[i], told[i])
		}
	}
}
