package totp

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The lengths in characters that an app shows of a key. They also keep the QR
// code of the longest key one that a phone can read.
const (
	maxIssuer  = 40
	maxAccount = 64
)

// Key is a secret with what an app shows beside its codes. It never prints.
// [NewKey] makes it.
type Key struct {
	redacted
	*parts
}

type parts struct {
	issuer  string
	account string
	secret  Secret
}

// NewKey makes the key of an account, named as its owner signs in, at an
// issuer, a store's name. It fails if one of them or the secret is empty. Long names are cut,
// and colons, which separate the two, become spaces.
func NewKey(issuer, account string, secret Secret) (Key, error) {
	k := Key{parts: &parts{issuer: label(issuer, maxIssuer), account: label(account, maxAccount), secret: secret}}
	if k.issuer == "" {
		return Key{}, errors.New("totp: a key without the name of its issuer")
	}
	if k.account == "" {
		return Key{}, errors.New("totp: a key without the name of its account")
	}
	if secret.bytes == nil {
		return Key{}, errors.New("totp: a key without a secret")
	}
	return k, nil
}

func label(text string, limit int) string {
	runes := []rune(strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(text, ""), ":", " ")))
	return strings.TrimSpace(string(runes[:min(len(runes), limit)]))
}

// URI returns the key as apps read it from a QR code:
//
//	otpauth://totp/Issuer:account?secret=..&issuer=Issuer&algorithm=SHA1&digits=6&period=30
func (k Key) URI() string {
	return "otpauth://totp/" + escape(k.issuer) + ":" + escape(k.account) +
		"?secret=" + k.secret.base32() +
		"&issuer=" + escape(k.issuer) +
		"&algorithm=SHA1" +
		"&digits=" + strconv.Itoa(Digits) +
		"&period=" + strconv.Itoa(int(Period/time.Second))
}

// escape writes a space as %20 and a plus as %2B in path and query alike: apps
// differ in what they take a plus for.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// Text returns the secret for typing it into an app: Base32 (RFC 4648 section
// 6) in groups of four, between which apps ignore the spaces.
func (k Key) Text() string { return group(k.secret.base32(), " ") }

// group separates every four characters.
func group(text, separator string) string {
	var b strings.Builder
	for i := range len(text) {
		if i > 0 && i%4 == 0 {
			b.WriteString(separator)
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
