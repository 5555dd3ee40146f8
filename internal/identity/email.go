package identity

import (
	"errors"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of an email address (RFC 5321, 4.5.3.1).
const (
	maxEmail = 254
	maxLocal = 64
)

// Email checks an address as one mailbox (RFC 5322 addr-spec, RFC 6531 for
// letters beyond ASCII) at a domain name of at least two labels, and returns it
// as it was spelled: mail goes to the spelling that the owner gave.
func Email(address string) (string, error) {
	address, err := Line(address, maxEmail)
	if err != nil {
		return "", err
	}
	if address == "" {
		return "", errors.New("is empty")
	}
	if len(address) > maxEmail {
		return "", errors.New("is longer than 254 bytes")
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return "", errors.New("is not an email address")
	}
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:at], address[at+1:]
	if len(local) > maxLocal {
		return "", errors.New("has more than 64 bytes before the @")
	}
	if strings.ContainsAny(local, " \"") {
		return "", errors.New("is not an email address")
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(ascii) > 253 || !strings.Contains(ascii, ".") || !hostLabels(ascii) {
		return "", errors.New("has no valid domain after the @")
	}
	return address, nil
}

// EmailKey is what two spellings of one address have in common: letter case and
// Unicode compatibility forms are folded, the domain is in ASCII. A plus tag or
// a dot makes another address. The address must have passed [Email].
func EmailKey(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return fold(address)
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil {
		domain = address[at+1:]
	}
	return fold(address[:at]) + "@" + strings.ToLower(domain)
}

func fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }

func hostLabels(ascii string) bool {
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}
