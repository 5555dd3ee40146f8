// Package apitoken makes and reads the secrets that are presented with requests:
// API keys, and the tokens of sessions.
//
//	stw_live_<id: 16 hex>_<secret: 43 base64url>_<checksum: 8 hex>
//	stw_ses_<id: 16 hex>_<secret: 43 base64url>_<checksum: 8 hex>
//	stw_2fa_<id: 16 hex>_<secret: 43 base64url>_<checksum: 8 hex>
//	stw_imp_<id: 16 hex>_<secret: 43 base64url>_<checksum: 8 hex>
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
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Token is a credential as presented. Its secret never prints.
type Token struct {
	public string // stw_live_<id>, stw_ses_<id>
	secret string
}

// What a token begins with, by its kind.
const (
	keyPrefix       = "stw_live_"
	sessionPrefix   = "stw_ses_"
	challengePrefix = "stw_2fa_"

	impersonationPrefix = "stw_imp_"
)

// ErrMalformed says that a text is not a token at all.
var ErrMalformed = errors.New("not a token")

var pattern = regexp.MustCompile(`^(stw_(?:live|ses|2fa|imp)_[0-9a-f]{16})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})$`)

// New draws an API key with 64 random bits of id and 256 of secret.
func New() Token { return draw(keyPrefix) }

// NewSession draws the token of a session, as random as an API key.
func NewSession() Token { return draw(sessionPrefix) }

// NewImpersonation draws the token of a session of the team as a customer.
func NewImpersonation() Token { return draw(impersonationPrefix) }

// Impersonation draws the token of such a session whose prefix is known: the id was
// given away before there is a secret.
func Impersonation(prefix string) Token {
	t := draw(impersonationPrefix)
	t.public = prefix
	return t
}

// Challenge draws the token by which the second factor of this session is sent. The
// two share their id and nothing else.
func (t Token) Challenge() Token { return t.other(challengePrefix) }

// Passed draws the token of the session that a challenge leads to.
func (t Token) Passed() Token { return t.other(sessionPrefix) }

func (t Token) other(prefix string) Token {
	other := draw(prefix)
	other.public = prefix + t.public[strings.LastIndex(t.public, "_")+1:]
	return other
}

// Renewed draws another secret for the API key with a prefix, see [Token.Prefix].
func Renewed(prefix string) Token {
	t := draw(keyPrefix)
	t.public = prefix
	return t
}

func draw(prefix string) Token {
	var id [8]byte
	var secret [32]byte
	// crypto/rand.Read never fails since Go 1.24.
	_, _ = rand.Read(id[:])
	_, _ = rand.Read(secret[:])
	return Token{
		public: prefix + hex.EncodeToString(id[:]),
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

// IsSession reports whether it is the token of a session, not an API key.
func (t Token) IsSession() bool { return strings.HasPrefix(t.public, sessionPrefix) }

// IsChallenge reports whether it is the token of a challenge.
func (t Token) IsChallenge() bool { return strings.HasPrefix(t.public, challengePrefix) }

// IsImpersonation reports whether it is the token of a session of the team as a
// customer.
func (t Token) IsImpersonation() bool { return strings.HasPrefix(t.public, impersonationPrefix) }

// ID is the id of the API key or the session that the token belongs to, derived
// from the prefix so that a presented token names its stream without a lookup. A
// challenge has that of its session.
func (t Token) ID() uuid.UUID {
	kind, public := "api_key", t.public
	switch {
	case t.IsImpersonation():
		kind = "impersonation"
	case t.IsSession() || t.IsChallenge():
		kind, public = "session", t.public[strings.LastIndex(t.public, "_")+1:]
	}
	return uuid.NewSHA1(events.Namespace, []byte(kind+"\x00"+public))
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
