package events

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Personal is a personal value: clear in memory, sealed in the log. The zero
// value is absent, which is different from an empty text. Personal values are
// comparable with ==; two clear values are equal when their texts are.
//
// A struct field of this type names the person it is about in its tag:
//
//	Email Personal `json:"email" subject:"login"`
//
// is sealed under the key of login:<id>, the id being the event's field with
// the JSON name login_id. A tag "customer,from_customer_id" names that field
// when it is called something else.
type Personal struct {
	state personalState
	text  string // the clear text, or the sealed bytes in base64url
	key   uuid.UUID
}

type personalState uint8

const (
	personalAbsent personalState = iota
	personalClear
	personalSealed
	personalErased
)

// ErrClearPersonal is returned when a personal value is about to be stored
// without having been sealed.
var ErrClearPersonal = errors.New("refusing to store a personal value in the clear")

// Clear makes a personal value of text.
func Clear(text string) Personal { return Personal{state: personalClear, text: text} }

// Sealed makes a personal value of its stored form: the id of the key and the
// sealed bytes in unpadded base64url.
func Sealed(key uuid.UUID, ciphertext string) Personal {
	return Personal{state: personalSealed, key: key, text: ciphertext}
}

// Erased is a personal value whose key has been destroyed.
func Erased() Personal { return Personal{state: personalErased} }

// IsZero reports whether p is absent. It makes the JSON option omitzero work.
func (p Personal) IsZero() bool { return p.state == personalAbsent }

// IsErased reports whether the key of p has been destroyed.
func (p Personal) IsErased() bool { return p.state == personalErased }

// Reveal returns the clear text, and false when p is absent, still sealed or
// erased.
func (p Personal) Reveal() (text string, ok bool) {
	if p.state != personalClear {
		return "", false
	}
	return p.text, true
}

// Ciphertext returns the stored form, and false when p is not sealed.
func (p Personal) Ciphertext() (key uuid.UUID, ciphertext string, ok bool) {
	if p.state != personalSealed {
		return uuid.Nil, "", false
	}
	return p.key, p.text, true
}

// Equal reports whether p and q are the same value in the same form.
func (p Personal) Equal(q Personal) bool { return p == q }

// String never shows the value, so that a log line or an error cannot.
func (p Personal) String() string {
	switch p.state {
	case personalAbsent:
		return ""
	case personalErased:
		return "[erased]"
	default:
		return "[personal]"
	}
}

// GoString never shows the value either.
func (p Personal) GoString() string { return "events.Personal(" + p.String() + ")" }

// sealedJSON is the stored form of a sealed field.
type sealedJSON struct {
	Version    int       `json:"$e"`
	Key        uuid.UUID `json:"k"`
	Ciphertext string    `json:"c"`
}

// sealedVersion is the only envelope format so far.
const sealedVersion = 1

// MarshalJSON writes the stored form. It fails with [ErrClearPersonal] on a
// value that was not sealed.
func (p Personal) MarshalJSON() ([]byte, error) {
	switch p.state {
	case personalAbsent:
		return []byte("null"), nil
	case personalSealed:
		return json.Marshal(sealedJSON{Version: sealedVersion, Key: p.key, Ciphertext: p.text})
	default:
		return nil, ErrClearPersonal
	}
}

// UnmarshalJSON reads the stored form.
func (p *Personal) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*p = Personal{}
		return nil
	}
	var s sealedJSON
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("sealed value: %w", err)
	}
	if s.Version != sealedVersion {
		return fmt.Errorf("sealed value: unknown format %d", s.Version)
	}
	*p = Sealed(s.Key, s.Ciphertext)
	return nil
}
