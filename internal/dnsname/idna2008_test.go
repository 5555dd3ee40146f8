package dnsname_test

import (
	"testing"

	"github.com/stewardhq/steward/internal/dnsname"
)

func TestRegistrable_IDNA2008(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"bücher.de": "xn--bcher-kva.de", "straße.de": "xn--strae-oqa.de", "παράδειγμα.gr": "xn--hxajbheg2az3al.gr",
		"例え.jp": "xn--r8jz45g.jp", "नमस्ते.com": "xn--h2bhs4b8d8a.com",
		"☃.com": "", "😀.com": "", "xn--n3h.com": "", "a\u0640b.com": "",
	} {
		got, err := dnsname.Registrable(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}
