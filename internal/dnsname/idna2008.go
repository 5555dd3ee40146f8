package dnsname

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// protocolValid reports whether the letters behind the labels of an ASCII name
// are ones that IDNA2008 permits (RFC 5892). The library takes the wider set of
// Unicode's own rules (UTS 46), with symbols in it that no registry may sell.
func protocolValid(ascii string) bool {
	if !strings.Contains(ascii, "xn--") {
		return true
	}
	text, err := idna.Punycode.ToUnicode(ascii)
	if err != nil {
		return false
	}
	for _, r := range text {
		if !permitted(r) {
			return false
		}
	}
	return true
}

// Exceptions to the rule by category (RFC 5892, 2.6). Whether those that depend
// on their neighbours have the right ones the library checks for the joiners;
// the others are harmless alone.
const (
	permittedAnyway = ".-\u00df\u03c2\u06fd\u06fe\u0f0b\u3007" + "\u200c\u200d" + "\u00b7\u0375\u05f3\u05f4\u30fb"
	refusedAnyway   = "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"
)

func permitted(r rune) bool {
	switch {
	case strings.ContainsRune(permittedAnyway, r):
		return true
	case strings.ContainsRune(refusedAnyway, r):
		return false
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}
