package onetime

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"regexp"
	"slices"

	"github.com/google/uuid"
)

// Link is what a secret is bound to: with anything else in it the secret is another.
type Link struct {
	// Purpose is what the link does.
	Purpose string
	StoreID uuid.UUID
	// HolderID is whose stream issued it, and ID tells it from others of the stream.
	HolderID uuid.UUID
	ID       uuid.UUID
	// Version is that of the key, see [Deriver.Version].
	Version int
}

// Deriver makes and checks the secrets of links.
type Deriver struct {
	keys   map[int][]byte
	newest int
}

// minKey is the least that a key must have, in bytes.
const minKey = 32

// ErrMalformed says that a text is not the token of a link at all.
var ErrMalformed = errors.New("not the token of a link")

// New makes a deriver of all versions of the key: links of earlier ones stay good.
func New(keys map[int][]byte) (*Deriver, error) {
	if len(keys) == 0 {
		return nil, errors.New("onetime: there is no key")
	}
	for version, key := range keys {
		if len(key) < minKey {
			return nil, fmt.Errorf("onetime: version %d of the key has %d bytes, it needs %d", version, len(key), minKey)
		}
	}
	return &Deriver{keys: maps.Clone(keys), newest: slices.Max(slices.Collect(maps.Keys(keys)))}, nil
}

// Version is the one that new links are to be issued under.
func (d *Deriver) Version() int { return d.newest }

// Token is the text that a link carries. Its secret never prints.
type Token struct {
	holder, id uuid.UUID
	secret     string
}

// Token derives the token of a link. It fails when the key of its version is gone.
func (d *Deriver) Token(l Link) (Token, error) {
	key, ok := d.keys[l.Version]
	if !ok {
		return Token{}, fmt.Errorf("onetime: there is no version %d of the key", l.Version)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("steward-link/1\x00" + l.Purpose + "\x00"))
	for _, id := range []uuid.UUID{l.StoreID, l.HolderID, l.ID} {
		mac.Write(id[:])
	}
	return Token{holder: l.HolderID, id: l.ID, secret: encode(mac.Sum(nil))}, nil
}

// Matches reports in constant time whether t is the token of l.
func (d *Deriver) Matches(t Token, l Link) bool {
	want, err := d.Token(l)
	return err == nil && t.holder == l.HolderID && t.id == l.ID && hmac.Equal([]byte(t.secret), []byte(want.secret))
}

// prefix lets scanners find a leaked token.
const prefix = "stw_link_"

var pattern = regexp.MustCompile(`^stw_link_([A-Za-z0-9_-]{43})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})$`)

// Parse reads a presented text: stw_link_<both ids: 43 base64url>_<secret: 43
// base64url>_<checksum: 8 hex>.
func Parse(text string) (Token, error) {
	parts := pattern.FindStringSubmatch(text)
	if parts == nil {
		return Token{}, ErrMalformed
	}
	ids, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return Token{}, ErrMalformed
	}
	t := Token{holder: uuid.UUID(ids[:16]), id: uuid.UUID(ids[16:]), secret: parts[2]}
	if t.Reveal() != text {
		return Token{}, ErrMalformed
	}
	return t, nil
}

// HolderID is whose stream issued the link.
func (t Token) HolderID() uuid.UUID { return t.holder }

// ID tells the link from others of its stream.
func (t Token) ID() uuid.UUID { return t.id }

// Reveal returns the whole token.
func (t Token) Reveal() string {
	body := t.public() + "_" + t.secret
	return fmt.Sprintf("%s_%08x", body, crc32.ChecksumIEEE([]byte(body)))
}

func (t Token) public() string { return prefix + encode(slices.Concat(t.holder[:], t.id[:])) }

// String shows what is not secret.
func (t Token) String() string { return t.public() + "_[redacted]" }

// GoString shows what is not secret.
func (t Token) GoString() string { return t.String() }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
