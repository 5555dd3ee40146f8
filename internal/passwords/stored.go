package passwords

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Scheme is the way a stored hash was made.
type Scheme string

// The schemes that can be verified, and what all others are called.
const (
	Argon2id    Scheme = "argon2id"
	Argon2i     Scheme = "argon2i"
	Bcrypt      Scheme = "bcrypt"
	Generated   Scheme = "generated" // of a password that was drawn and shown to nobody
	Unsupported Scheme = "unsupported"
)

const (
	saltSize = 16
	tagSize  = 32

	maxStored = 512 // bytes; the longest hash within the bounds has some 210
)

// stored is a hash as it was stored, read.
type stored struct {
	scheme Scheme
	params Params // of the Argon2 schemes
	salt   []byte
	tag    []byte
	cost   int    // of bcrypt
	text   string // of bcrypt
}

// Describe names the scheme and the costs of a stored hash, "argon2id
// m=47104,t=1,p=1" or "bcrypt 10", for the report of how many passwords are
// hashed in which way. What cannot be verified is "unsupported", followed by
// the scheme where its prefix gives it away; nothing else of the stored text is
// told, since it may be anything.
func Describe(text string) string {
	h, err := parse(text)
	switch {
	case err == nil && h.scheme == Generated:
		return string(h.scheme)
	case err == nil && h.scheme == Bcrypt:
		return fmt.Sprintf("%s %d", h.scheme, h.cost)
	case err == nil:
		return string(h.scheme) + " " + h.params.String()
	}
	for _, known := range unsupported {
		if strings.HasPrefix(text, known.prefix) {
			return string(Unsupported) + " " + known.name
		}
	}
	return string(Unsupported)
}

// SchemeOf names the scheme of a stored hash.
func SchemeOf(text string) Scheme {
	h, err := parse(text)
	if err != nil {
		return Unsupported
	}
	return h.scheme
}

// unsupported lists the prefixes of schemes that are met in other systems, and
// of malformed hashes of the supported ones.
var unsupported = []struct{ prefix, name string }{
	{"$1$", "md5crypt"},
	{"$5$", "sha256crypt"},
	{"$6$", "sha512crypt"},
	{"$y$", "yescrypt"},
	{"$P$", "phpass"},
	{"$H$", "phpass"},
	{"$2x$", "bcrypt 2x"},
	{"$2", "bcrypt"},
	{"$argon2", "argon2"},
	{"$scrypt$", "scrypt"},
	{"$pbkdf2", "pbkdf2"},
	{"pbkdf2_", "pbkdf2"},
	{"{SSHA", "ldap"},
}

// String returns the parameters as the PHC string format has them.
func (p Params) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Passes, p.Threads)
}

// encode returns h, which is Argon2id, in the PHC string format.
func (h stored) encode() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$%s$%s$%s", h.scheme, argon2.Version, h.params, b64.EncodeToString(h.salt), b64.EncodeToString(h.tag))
}

var errUnreadable = errors.New("not a password hash that can be verified")

// parse reads a stored hash. It refuses whatever is malformed or would cost more
// than the bounds allow, with one error that says nothing about the text.
func parse(text string) (stored, error) {
	if len(text) > maxStored {
		return stored{}, errUnreadable
	}
	for _, scheme := range []Scheme{Argon2id, Argon2i} {
		if rest, ok := strings.CutPrefix(text, "$"+string(scheme)+"$"); ok {
			return parseArgon2(scheme, rest)
		}
	}
	if rest, ok := strings.CutPrefix(text, generatedPrefix); ok {
		tag, err := base64.RawStdEncoding.Strict().DecodeString(rest)
		if err != nil || len(tag) != sha256.Size {
			return stored{}, errUnreadable
		}
		return stored{scheme: Generated, tag: tag}, nil
	}
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$"} {
		if strings.HasPrefix(text, prefix) {
			return parseBcrypt(text)
		}
	}
	return stored{}, errUnreadable
}

// parseArgon2 reads v=19$m=..,t=..,p=..$salt$tag. Hashes of the older version 16,
// which have no v, cannot be verified by this library.
func parseArgon2(scheme Scheme, rest string) (stored, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 4 || fields[0] != "v="+strconv.Itoa(argon2.Version) {
		return stored{}, errUnreadable
	}
	h := stored{scheme: scheme}
	var ok bool
	if h.params, ok = parseParams(fields[1]); !ok || h.params.bounded() != nil {
		return stored{}, errUnreadable
	}
	var saltErr, tagErr error
	h.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(fields[2])
	h.tag, tagErr = base64.RawStdEncoding.Strict().DecodeString(fields[3])
	// Base64 decoding skips line breaks, which the format does not know.
	if saltErr != nil || tagErr != nil || strings.ContainsAny(rest, "\r\n") ||
		len(h.salt) < 8 || len(h.salt) > 64 || len(h.tag) < 16 || len(h.tag) > 64 {
		return stored{}, errUnreadable
	}
	return h, nil
}

func parseParams(text string) (Params, bool) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return Params{}, false
	}
	m, okM := number(fields[0], "m=", 32)
	t, okT := number(fields[1], "t=", 32)
	p, okP := number(fields[2], "p=", 8)
	return Params{MemoryKiB: uint32(m), Passes: uint32(t), Threads: uint8(p)}, okM && okT && okP
}

// number reads a decimal without sign or leading zeros, as the format demands.
func number(text, name string, bits int) (uint64, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, bits)
	return n, ok && err == nil && strconv.FormatUint(n, 10) == digits
}

const (
	bcryptLength   = 60
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func parseBcrypt(text string) (stored, error) {
	if len(text) != bcryptLength || text[6] != '$' || strings.Trim(text[7:], bcryptAlphabet) != "" || strings.Trim(text[4:6], "0123456789") != "" {
		return stored{}, errUnreadable
	}
	cost, err := strconv.Atoi(text[4:6])
	if err != nil || cost < bcrypt.MinCost || cost > maxBcryptCost {
		return stored{}, errUnreadable
	}
	return stored{scheme: Bcrypt, cost: cost, text: text}, nil
}

// matches derives a key from password, once, and compares it in constant time.
func (h stored) matches(password string) bool {
	switch h.scheme {
	case Argon2id:
		tag := argon2.IDKey([]byte(normal(password)), h.salt, h.params.Passes, h.params.MemoryKiB, h.params.Threads, uint32(len(h.tag)))
		return subtle.ConstantTimeCompare(tag, h.tag) == 1
	case Argon2i:
		tag := argon2.Key([]byte(password), h.salt, h.params.Passes, h.params.MemoryKiB, h.params.Threads, uint32(len(h.tag)))
		return subtle.ConstantTimeCompare(tag, h.tag) == 1
	case Generated:
		tag := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(tag[:], h.tag) == 1
	case Bcrypt:
		return bcrypt.CompareHashAndPassword([]byte(h.text), []byte(password)) == nil
	}
	return false
}
