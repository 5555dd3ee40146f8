package totp

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// The parameters of every secret.
const (
	SecretSize = 20 // bytes, as RFC 4226 section 4 recommends
	Digits     = 6
	Period     = 30 * time.Second

	// skew is how many steps before and after the current one are accepted.
	skew = 1
)

// Secret is what the server and an authenticator app share. It never prints. The
// zero value is no secret, and has no codes.
type Secret struct {
	redacted
	bytes *[SecretSize]byte
}

// NewSecret draws a secret.
func NewSecret() Secret {
	s := Secret{bytes: new([SecretSize]byte)}
	_, _ = rand.Read(s.bytes[:]) // never fails since Go 1.24
	return s
}

// SecretFrom returns the secret of [Secret.Bytes]. It fails if there are not
// [SecretSize] bytes.
func SecretFrom(b []byte) (Secret, error) {
	if len(b) != SecretSize {
		return Secret{}, fmt.Errorf("totp: a secret of %d bytes, not %d", len(b), SecretSize)
	}
	return Secret{bytes: (*[SecretSize]byte)(bytes.Clone(b))}, nil
}

// Bytes returns the secret itself, to be sealed and stored.
func (s Secret) Bytes() []byte {
	if s.bytes == nil {
		return nil
	}
	return bytes.Clone(s.bytes[:])
}

// base32 is the secret as apps take it (RFC 4648 section 6).
func (s Secret) base32() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.Bytes())
}

// Step returns the number of the time step that t is in. Before 1970 there is
// none.
func Step(t time.Time) (step uint64, ok bool) {
	if t.Unix() < 0 {
		return 0, false
	}
	return uint64(t.Unix()) / uint64(Period/time.Second), true
}

// Code returns the code that an app shows during a time step.
func (s Secret) Code(step uint64) string {
	if s.bytes == nil {
		return ""
	}
	// RFC 4226 section 5.3.
	mac := hmac.New(sha1.New, s.bytes[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, step))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", Digits, n%1_000_000)
}

// Verify reports whether a code as it was typed is that of the current time
// step or of one beside it, and of a later step than lastStep, the last one
// accepted (0 for none). On success the caller stores step as the new last
// one, by an append that fails if another did so first.
//
// A code that is refused because its step is not later than lastStep comes with
// that step, so that the log can tell a code that was used before from a wrong
// one; for any other code that is refused, step is 0. The first step of 1970 is
// never accepted.
func Verify(s Secret, typed string, now time.Time, lastStep uint64) (step uint64, ok bool) {
	code, valid := parse(typed)
	current, running := Step(now)
	if !valid || !running {
		return 0, false
	}
	// All are compared, and the latest that matches counts: a code that two
	// steps have in common is not good for both.
	for candidate := current - min(current, skew); candidate <= current+skew; candidate++ {
		equal := uint64(subtle.ConstantTimeCompare([]byte(s.Code(candidate)), []byte(code)))
		step = step&(equal-1) | candidate&-equal
	}
	return step, step > lastStep
}

// maxTyped leaves room for a space between all digits.
const maxTyped = 2*Digits - 1

// parse reads a code as it was typed: six digits 0 to 9, with or without ASCII
// spaces between them. Everything else is refused, as there should be one way
// to write a code.
func parse(typed string) (code string, ok bool) {
	if len(typed) > maxTyped || strings.Trim(typed, " ") != typed {
		return "", false
	}
	code = strings.ReplaceAll(typed, " ", "")
	return code, len(code) == Digits && strings.Trim(code, "0123456789") == ""
}
