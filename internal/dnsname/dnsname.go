// Package dnsname checks and normalises DNS names: domains that can be
// registered, and host names such as nameservers and shop addresses.
package dnsname

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Limits of a DNS name (RFC 1035, 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// Registrable checks the name of a domain and returns its one spelling here:
// lower-case ASCII (IDNA2008, RFC 5891, for letters beyond), no trailing dot. A
// registrable name lies below a suffix under which registries sell names, by
// the ICANN section of the Public Suffix List.
func Registrable(name string) (string, error) {
	ascii, err := ascii(name)
	if err != nil {
		return "", err
	}
	suffix, ok := icannSuffix(ascii)
	if !ok {
		return "", errors.New("does not end in a known top-level domain")
	}
	if ascii == suffix {
		return "", errors.New("is a suffix under which names are registered, not a name")
	}
	return ascii, nil
}

// Host checks a host name of at least two labels and returns it in lower-case
// ASCII without a trailing dot.
func Host(name string) (string, error) { return ascii(name) }

// Unicode returns the spelling of an ASCII name for people. It returns the name
// itself where that is what people would see.
func Unicode(ascii string) string {
	u, err := idna.Display.ToUnicode(ascii)
	if err != nil {
		return ascii
	}
	return u
}

func ascii(name string) (string, error) {
	if name == "" {
		return "", errors.New("is empty")
	}
	if len(name) > 4*maxName {
		return "", errors.New("is longer than 253 characters")
	}
	// The mapping below would drop these silently, and two names that look
	// different in bytes would be one.
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return "", errors.New("contains an invisible character")
	}
	mapped, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return "", errors.New("is not a valid domain name")
	}
	mapped = strings.ToLower(mapped)
	if len(mapped) > maxName {
		return "", errors.New("is longer than 253 characters")
	}
	labels := strings.Split(mapped, ".")
	if len(labels) < 2 {
		return "", errors.New("needs at least two parts separated by a dot")
	}
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", errors.New("is an address, not a name")
	}
	if _, err := idna.Registration.ToASCII(mapped); err != nil || !protocolValid(mapped) {
		return "", errors.New("contains a label that is not valid under IDNA2008")
	}
	return mapped, nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("has an empty part between two dots")
	case len(label) > maxLabel:
		return errors.New("has a part of more than 63 characters")
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("has a part that begins or ends with a hyphen")
	}
	for i := range len(label) {
		c := label[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return errors.New("contains a character that domain names cannot have")
		}
	}
	return nil
}

// icannSuffix returns the longest suffix of name in the ICANN section of the
// list. Where the list's answer is a private suffix, such as the name of a
// hosting company, it looks at what that lies below.
func icannSuffix(name string) (string, bool) {
	rest := name
	for {
		suffix, icann := publicsuffix.PublicSuffix(rest)
		if icann {
			return suffix, true
		}
		_, parent, found := strings.Cut(suffix, ".")
		if !found {
			return "", false
		}
		rest = parent
	}
}
