package throttle_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/throttle"
)

func newID() uuid.UUID { return uuid.New() }

func TestPrefix(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.77":                "192.0.2.0/24",
		"192.0.2.77:443":            "192.0.2.0/24",
		"::ffff:192.0.2.77":         "192.0.2.0/24",
		"[::ffff:192.0.2.77]:443":   "192.0.2.0/24",
		"::FFFF:c000:24d":           "192.0.2.0/24",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"2001:DB8:1:2::":            "2001:db8:1:2::/64",
		"[2001:db8:1:2::1%eth0]:80": "2001:db8:1:2::/64",
		"fe80::1%eth0":              "fe80::/64",
		"::":                        "::/64",
		"255.255.255.255":           "255.255.255.0/24",
		"":                          "unknown",
		"unknown":                   "unknown",
		"192.0.2.256":               "unknown",
		"192.0.02.1":                "unknown",
		"192.0.2.0/24":              "unknown",
		" 192.0.2.1":                "unknown",
		"0x7f000001":                "unknown",
		"\x00":                      "unknown",
	} {
		if got := throttle.Prefix(ip); got != want {
			t.Errorf("%q is in %s, want %s", ip, got, want)
		}
	}
}

func FuzzPrefix(f *testing.F) {
	f.Add("192.0.2.1")
	f.Add("[2001:db8::1%x]:80")
	f.Fuzz(func(t *testing.T, ip string) {
		if got := throttle.Prefix(ip); got == "" || len(got) > len("ffff:ffff:ffff:ffff::/64") {
			t.Errorf("%q is in %q", ip, got)
		}
	})
}

// Buckets whose parts read the same when put together are not the same.
func TestBucketsAreApart(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	long := "n\x00" + store.String()
	buckets := []throttle.Bucket{
		throttle.Account(store, "ab"), throttle.Device(store, "a", "b"), throttle.Device(store, "ab", ""), throttle.Device(store, "", "ab"),
		throttle.Reset(store, "ab"), throttle.Account(store, ""), throttle.Account(store, long), throttle.Account(newID(), "ab"),
		throttle.SecondFactor(store, store), throttle.Challenge(store),
	}
	for _, b := range buckets {
		take(t, th, start, b)
	}
	for _, b := range buckets {
		if s := look(t, th, start, b); s.Attempts != 1 {
			t.Errorf("%s %q counts %d, want 1", b.Rule.Name, b.Parts, s.Attempts)
		}
	}
}
