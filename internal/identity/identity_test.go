package identity_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/identity"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"a@b.co", "Ada.Lovelace+shop@example.com", "o'neil@example.com", "用户@例え.jp", "x@xn--bcher-kva.example", strings.Repeat("a", 64) + "@example.com",
	} {
		if got, err := identity.Email(" " + good + " "); err != nil || got != good {
			t.Errorf("%s: got %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"", "ada", "@example.com", "ada@", "ada@localhost", "ada@[127.0.0.1]", "Ada <ada@example.com>", "ada@example.com, bob@example.com",
		"ada@-example.com", "ada@exam_ple.com", "ada@example..com", "ada (c)@example.com", "\"a b\"@example.com", "a\u202eb@example.com",
		"a\u200bb@example.com", "a\x00@example.com", "a\xff@example.com", strings.Repeat("a", 65) + "@example.com",
		"a@" + strings.Repeat("b.", 130) + "com", "ada@example.com\nBcc: x@example.com",
	} {
		if got, err := identity.Email(bad); err == nil {
			t.Errorf("%q was accepted as %q", bad, got)
		}
	}
}

// S4-12 C14: letter case and compatibility forms are one address, a plus tag or
// a dot is another.
func TestEmailKey_S4_12(t *testing.T) {
	t.Parallel()
	same := [][2]string{
		{"Ada@Example.COM", "ada@example.com"},
		{"STRASSE@example.com", "straße@example.com"},
		{"ﬁ@example.com", "fi@example.com"},
		{"x@bücher.example", "x@xn--bcher-kva.example"},
	}
	for _, pair := range same {
		if identity.EmailKey(pair[0]) != identity.EmailKey(pair[1]) {
			t.Errorf("%q and %q have different keys", pair[0], pair[1])
		}
	}
	different := [][2]string{
		{"test+01@gmail.com", "test@gmail.com"},
		{"a.b@gmail.com", "ab@gmail.com"},
		{"mıke@example.com", "mike@example.com"},
		{"ada@example.com", "ada@example.org"},
	}
	for _, pair := range different {
		if identity.EmailKey(pair[0]) == identity.EmailKey(pair[1]) {
			t.Errorf("%q and %q have the same key", pair[0], pair[1])
		}
	}
}

func TestUsername(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"ada", "Ada.Lovelace", "a_1", "0-0", strings.Repeat("a", 64)} {
		if got, err := identity.Username(good); err != nil || got != good {
			t.Errorf("%s: got %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "ab", ".ada", "ada-", "a da", "аdmin", "admın", "ada\n", strings.Repeat("a", 65)} {
		if _, err := identity.Username(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if identity.UsernameKey("ADA") != identity.UsernameKey("ada") || identity.UsernameKey("İ") != "İ" {
		t.Error("only ASCII letters are folded")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	if got, err := identity.Text(" two\nlines\t", 20); err != nil || got != "two\nlines" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := identity.Line("e\u0301", 1); err != nil || got != "é" {
		t.Errorf("composed to %q, %v", got, err)
	}
	for _, bad := range []string{"two\nlines", "bell\a", "rtl\u202e", "isolate\u2066", "zero\u200bwidth", "soft\u00adhyphen", "line\u2028sep", "private\ue000", "bad\xff", "\ufffd", "long enough to be too long"} {
		if got, err := identity.Line(bad, 20); err == nil {
			t.Errorf("%q was accepted as %q", bad, got)
		}
	}
}

func FuzzEmail(f *testing.F) {
	f.Add("Ada@Example.com")
	f.Add("用户@例え.jp")
	f.Fuzz(func(t *testing.T, text string) {
		address, err := identity.Email(text)
		if err != nil {
			return
		}
		if again, err := identity.Email(address); err != nil || again != address {
			t.Fatalf("%q was accepted, then %q, %v", address, again, err)
		}
		if key := identity.EmailKey(address); identity.EmailKey(key) != key {
			t.Fatalf("the key %q of %q has another key", key, address)
		}
	})
}
