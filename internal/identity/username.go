package identity

import (
	"errors"
	"regexp"
	"strings"
)

var usernamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]$`)

// Username checks the name that a customer signs in with: 3 to 64 letters a to
// z, digits, dots, dashes and underscores, beginning and ending with a letter
// or digit. Upper case is accepted and kept as it was spelled. So small an
// alphabet leaves no two names that look alike.
func Username(name string) (string, error) {
	name = strings.Trim(name, " ")
	if name == "" {
		return "", errors.New("is empty")
	}
	if !usernamePattern.MatchString(UsernameKey(name)) {
		return "", errors.New("must be 3 to 64 letters a to z, digits, dots, dashes or underscores, with a letter or digit at both ends")
	}
	return name, nil
}

// UsernameKey is what two spellings of one username have in common.
func UsernameKey(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// ExternalID checks a customer's id in the reseller's own systems: up to 128
// characters, letter case matters.
func ExternalID(id string) (string, error) { return Line(id, 128) }

// ExternalIDKey is the external id itself: other systems may tell letter case
// apart.
func ExternalIDKey(id string) string { return id }
