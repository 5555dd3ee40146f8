package dnsname_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/dnsname"
)

func TestRegistrable(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"example.com":                    "example.com",
		"EXAMPLE.Com.":                   "example.com",
		"example.co.uk":                  "example.co.uk",
		"Bücher.de":                      "xn--bcher-kva.de",
		"faß.de":                         "xn--fa-hia.de",
		"xn--bcher-kva.de":               "xn--bcher-kva.de",
		"de.vu":                          "de.vu",        // a private suffix is a name like any other
		"shop.de.vu":                     "shop.de.vu",   // and so is a name below one
		"me.github.io":                   "me.github.io", // below an ICANN suffix all the same
		"a.b.example.com":                "a.b.example.com",
		strings.Repeat("a", 63) + ".com": strings.Repeat("a", 63) + ".com",
	} {
		if got, err := dnsname.Registrable(given); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", given, got, err, want)
		}
	}
	for _, bad := range []string{
		"", ".", "com", "com.", "co.uk", "example", "example.invalidtld", "-a.com", "a-.com", "a..com", ".com", "a.com..",
		"a b.com", "a_b.com", "a*b.com", "ab--cd.com", "xn--a.com", "1.2.3.4", "a\u202eb.com", "a\u200bb.com", "a\x00b.com", "a\xffb.com",
		strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com", strings.Repeat("ü", 60) + ".com", strings.Repeat("x", 5000),
	} {
		if got, err := dnsname.Registrable(bad); err == nil {
			t.Errorf("%q was accepted as %q", bad, got)
		}
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	if got, err := dnsname.Host("NS1.Storefront.Example."); err != nil || got != "ns1.storefront.example" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"localhost", "ns1.shop.example:53", "http://shop.example", "127.0.0.1"} {
		if _, err := dnsname.Host(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestUnicode(t *testing.T) {
	t.Parallel()
	for ascii, want := range map[string]string{"xn--bcher-kva.de": "bücher.de", "example.com": "example.com", "xn--a.com": "xn--a.com"} {
		if got := dnsname.Unicode(ascii); got != want {
			t.Errorf("%s: got %q, want %q", ascii, got, want)
		}
	}
}

// Whatever is accepted is accepted again, unchanged, and fits the DNS.
func FuzzRegistrable(f *testing.F) {
	for _, seed := range []string{"example.com", "Bücher.de", "a..com", "xn--a.com", "EXAMPLE.com."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ascii, err := dnsname.Registrable(name)
		if err != nil {
			return
		}
		if again, err := dnsname.Registrable(ascii); err != nil || again != ascii {
			t.Fatalf("%q became %q, then %q, %v", name, ascii, again, err)
		}
		if len(ascii) > 253 || strings.ToLower(ascii) != ascii {
			t.Fatalf("%q became %q", name, ascii)
		}
	})
}
