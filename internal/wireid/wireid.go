// Package wireid writes ids as callers see them: a prefix that names the kind
// of thing, and the 128 bits of the UUID in 26 characters of Crockford's base
// 32, lower case: cus_01j9z3t8v5e4x6q0k2m7n1r8pa.
package wireid

import (
	"encoding/base32"
	"errors"
	"strings"

	"github.com/google/uuid"
)

// Kind is the prefix of an id.
type Kind string

// The kinds.
const (
	Customer Kind = "cus"
	Domain   Kind = "dom"
	Event    Kind = "evt"
	Store    Kind = "sto"
	Staff    Kind = "stf"
	APIKey   Kind = "key"
	Login    Kind = "log"
	Command  Kind = "cmd"
	Session  Kind = "ses"
	Mail     Kind = "mai"

	Impersonation Kind = "imp"
)

// ErrInvalid says that a text is not an id of the kind wanted.
var ErrInvalid = errors.New("is not an id of this kind")

// encoding is Crockford's alphabet in lower case.
var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const length = 26

// Format writes id. The zero id is the empty text.
func Format(kind Kind, id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return string(kind) + "_" + encoding.EncodeToString(id[:])
}

// Parse reads an id of the given kind. There is exactly one way to write an id,
// and every other text is refused with [ErrInvalid].
func Parse(kind Kind, text string) (uuid.UUID, error) {
	body, ok := strings.CutPrefix(text, string(kind)+"_")
	if !ok || len(body) != length {
		return uuid.Nil, ErrInvalid
	}
	raw, err := encoding.DecodeString(body)
	if err != nil {
		return uuid.Nil, ErrInvalid
	}
	id, err := uuid.FromBytes(raw)
	if err != nil || Format(kind, id) != text {
		return uuid.Nil, ErrInvalid
	}
	return id, nil
}
