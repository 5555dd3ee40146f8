// Package apitoken makes and reads the secret that a program presents:
//
//	stw_live_<id: 16 hex>_<secret: 43 base64url>_<checksum: 8 hex>
//
// The prefix and the checksum (CRC-32, IEEE) let scanners find leaked keys and
// let a mistyped key be told from a wrong one without asking anything.
package apitoken

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Token is a credential as presented. Its secret never prints.
type Token struct {
	public string // stw_live_<id>
	secret string
}

// ErrMalformed says that a text is not an API key at all.
var ErrMalformed = errors.New("not an API key")

var pattern = regexp.MustCompile(`^(stw_live_[0-9a-f]{16})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})$`)

// New draws a token with 64 random bits of id and 256 of secret.
func New() Token {
	var id [8]byte
	var secret [32]byte
	// crypto/rand.Read never fails since Go 1.24.
	_, _ = rand.Read(id[:])
	_, _ = rand.Read(secret[:])
	return Token{
		public: "stw_live_" + hex.EncodeToString(id[:]),
		secret: base64.RawURLEncoding.EncodeToString(secret[:]),
	}
}

// Parse reads a presented text, checksum included.
func Parse(text string) (Token, error) {
	parts := pattern.FindStringSubmatch(text)
	if parts == nil {
		return Token{}, ErrMalformed
	}
	t := Token{public: parts[1], secret: parts[2]}
	if t.checksum() != parts[3] {
		return Token{}, ErrMalformed
	}
	return t, nil
}

// Reveal returns the whole token, to be shown once.
func (t Token) Reveal() string { return t.public + "_" + t.secret + "_" + t.checksum() }

// Prefix is the part that may be shown and stored.
func (t Token) Prefix() string { return t.public }

// ID is the id of the API key that the token belongs to, derived from the
// prefix so that a presented token names its stream without a lookup.
func (t Token) ID() uuid.UUID {
	return uuid.NewSHA1(events.Namespace, []byte("api_key\x00"+t.public))
}

// Hash is what is stored of the secret: SHA-256 in hexadecimal. A secret of 256
// random bits needs no slow hash.
func (t Token) Hash() string {
	sum := sha256.Sum256([]byte(t.secret))
	return hex.EncodeToString(sum[:])
}

// Matches reports in constant time whether hash is that of the secret.
func (t Token) Matches(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(t.Hash()), []byte(hash)) == 1
}

// String shows the prefix only.
func (t Token) String() string { return t.public + "_[redacted]" }

// GoString shows the prefix only.
func (t Token) GoString() string { return t.String() }

func (t Token) checksum() string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(t.public+"_"+t.secret)))
}
