package passwords

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The period is what trying all of them finds.
func TestPeriod(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a": "", "ab": "", "aa": "a", "abab": "ab", "ababa": "ab", "abaab": "", "aabaabaa": "aab", "éüéü": "éü", "aaaaaaab": "", "abcabcabd": "",
	} {
		if got := period(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.StringOfN(rapid.RuneFrom([]rune("aaab")), 0, 8, -1).Draw(t, "unit")
		text := strings.Repeat(unit, rapid.IntRange(1, 5).Draw(t, "times")) + rapid.StringOfN(rapid.RuneFrom([]rune("aab")), 0, 8, -1).Draw(t, "tail")
		want := ""
		for n := 1; 2*n <= len(text) && want == ""; n++ {
			if strings.HasPrefix(text[n:], text[:len(text)-n]) {
				want = text[:n]
			}
		}
		if got := period(text); got != want {
			t.Fatalf("%s: %q, want %q", text, got, want)
		}
	})
}
