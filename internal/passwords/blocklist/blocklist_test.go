package blocklist_test

import (
	"crypto/rand"
	"encoding/base64"
	"testing"

	"github.com/stewardhq/steward/internal/passwords/blocklist"
)

// P3: at least 100,000, compared as a whole and case-folded.
func TestContains_P3(t *testing.T) {
	t.Parallel()
	if n := blocklist.Len(); n < 100_000 {
		t.Errorf("%d passwords", n)
	}
	for _, listed := range []string{
		"password", "password123", "PASSWORD123", "Password1", "qwertyuiop12345", "123456", "iloveyou", "letmein", "trustno1", "1q2w3e4r5t6y7u8i9o0p", "abcdefg1", "monkey", "dragon",
		"correcthorsebatterystaple", "correct horse battery staple", "Summer2026!", "winter2025", "1234567890123456", "zyxwvutsrqponmlkjih", "qwertyuiopasdfghjkl", "password1234567", "ｐａｓｓｗｏｒｄ",
		"passwordpassword", "understanding", "bigpimpin1",
	} {
		if !blocklist.Contains(listed) {
			t.Errorf("%s is not listed", listed)
		}
	}
	for _, other := range []string{"", " password", "password ", "kestrel moss on slate", "Kestrel7", "correct-horse-battery-staple", "passwordpasswordpassword"} {
		if blocklist.Contains(other) {
			t.Errorf("%q is listed", other)
		}
	}
}

// The search finds the ends of the data, and nothing random.
func TestContainsNothingRandom(t *testing.T) {
	t.Parallel()
	for range 100_000 {
		b := make([]byte, 12)
		_, _ = rand.Read(b)
		if p := base64.RawURLEncoding.EncodeToString(b); blocklist.Contains(p) {
			t.Fatalf("%s is listed", p)
		}
	}
}

// Look-ups allocate only to fold.
func TestContainsIsCheap(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { blocklist.Contains("kestrel moss on slate") }); n > 8 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkContains(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		blocklist.Contains("kestrel moss on slate")
	}
}
