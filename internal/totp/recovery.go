package totp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// RecoveryCodes is how many codes a set has.
const RecoveryCodes = 10

const (
	recoveryBytes  = 15 // 120 bits
	recoveryLength = 24 // characters

	saltSize = 16
	// RecoveryHashSize is how many bytes are stored of a code.
	RecoveryHashSize = saltSize + sha256.Size
)

// crockford has no letters that are taken for digits or for each other.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// lookalikes turns what people write into what Crockford's Base32 has: capitals
// without separators, and digits for the letters that it leaves out.
var lookalikes = strings.NewReplacer(" ", "", "-", "", "O", "0", "I", "1", "L", "1")

// RecoveryCode stands in for the authenticator app, once. It never prints. The
// zero value is no code, and matches nothing.
type RecoveryCode struct {
	redacted
	text *string // 24 characters
}

// ErrRecoveryCode says that a text is no recovery code at all.
var ErrRecoveryCode = errors.New("totp: not a recovery code")

// NewRecoveryCodes draws a set of codes.
func NewRecoveryCodes() [RecoveryCodes]RecoveryCode {
	var codes [RecoveryCodes]RecoveryCode
	for i := range codes {
		var b [recoveryBytes]byte
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		text := crockford.EncodeToString(b[:])
		codes[i].text = &text
	}
	return codes
}

// ParseRecoveryCode reads a code as it was typed: in any letter case, with ASCII
// spaces and dashes anywhere, with O for 0 and I or L for 1. Anything else is
// [ErrRecoveryCode].
func ParseRecoveryCode(typed string) (RecoveryCode, error) {
	if len(typed) > 4*recoveryLength {
		return RecoveryCode{}, ErrRecoveryCode
	}
	for i := range len(typed) {
		if typed[i] >= 0x80 { // or ToUpper would make ASCII of some of them
			return RecoveryCode{}, ErrRecoveryCode
		}
	}
	text := lookalikes.Replace(strings.ToUpper(typed))
	if b, err := crockford.DecodeString(text); err != nil || len(b) != recoveryBytes || len(text) != recoveryLength {
		return RecoveryCode{}, ErrRecoveryCode
	}
	return RecoveryCode{text: &text}, nil
}

// Reveal returns the code in groups of four, to be shown once.
func (c RecoveryCode) Reveal() string {
	if c.text == nil {
		return ""
	}
	return group(*c.text, "-")
}

// RecoveryHash is what is stored of a code. It never prints, since who has it
// can try codes. The zero value is no hash, and nothing matches it.
type RecoveryHash struct {
	redacted
	bytes *[RecoveryHashSize]byte // salt, then SHA-256 of salt and code
}

// Hash returns a hash of the code with a salt of its own.
func (c RecoveryCode) Hash() RecoveryHash {
	if c.text == nil {
		return RecoveryHash{}
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	return RecoveryHash{bytes: (*[RecoveryHashSize]byte)(append(salt, salted(salt, *c.text)...))}
}

func salted(salt []byte, text string) []byte {
	sum := sha256.Sum256(append(bytes.Clone(salt), text...))
	return sum[:]
}

// RecoveryHashFrom returns the hash of [RecoveryHash.Bytes]. It fails if there
// are not [RecoveryHashSize] bytes.
func RecoveryHashFrom(b []byte) (RecoveryHash, error) {
	if len(b) != RecoveryHashSize {
		return RecoveryHash{}, fmt.Errorf("totp: a hash of a recovery code of %d bytes, not %d", len(b), RecoveryHashSize)
	}
	return RecoveryHash{bytes: (*[RecoveryHashSize]byte)(bytes.Clone(b))}, nil
}

// Bytes returns the hash itself, to be sealed and stored.
func (h RecoveryHash) Bytes() []byte {
	if h.bytes == nil {
		return nil
	}
	return bytes.Clone(h.bytes[:])
}

// MatchRecovery reports whether a code is one of those hashed and not used yet.
// Bit i of used says that the code of hashes[i] was used; there are at most 64.
// On success the caller stores that the code at index is used, by an append that
// fails if another did so first.
//
// A code that was used before comes with its index and without ok, so that the
// log can tell it from a wrong one, which has the index -1. All hashes are
// compared, whichever match and were used.
func MatchRecovery(hashes []RecoveryHash, used uint64, code RecoveryCode) (index int, ok bool) {
	index = -1
	if code.text == nil {
		return index, false
	}
	for i, h := range hashes {
		if h.bytes == nil {
			continue
		}
		again := salted(h.bytes[:saltSize], *code.text)
		index = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(again, h.bytes[saltSize:]), i, index)
	}
	return index, 0 <= index && index < 64 && used>>index&1 == 0
}
