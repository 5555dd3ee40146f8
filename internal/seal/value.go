package seal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

// ErrAltered means that a sealed value is not what was sealed, or not where.
var ErrAltered = errors.New("a sealed value was altered or moved")

const (
	label  = "steward-env/1"
	bucket = 32 // texts are padded to a multiple of it
)

// encoding is strict: a value has one stored form.
var encoding = base64.RawURLEncoding.Strict()

// place is the event that a value is in.
type place struct {
	store     uuid.UUID
	stream    string
	event     uuid.UUID
	eventType string
}

// scratch is memory that is used again for each value of a batch.
type scratch struct {
	aad, plain, sealed []byte

	key     *vault.Key // the last one
	subject string     // whom it protects, written out
}

// seal makes the stored form of a clear text.
func (s *scratch) seal(key *vault.Key, at place, path, text string) (events.Personal, error) {
	s.plain = pad(s.plain[:0], text)
	s.additional(key, at, path)
	sealed, err := key.Seal(s.sealed[:0], s.plain, s.aad)
	if err != nil {
		return events.Personal{}, err
	}
	s.sealed = sealed
	s.plain = encoding.AppendEncode(s.plain[:0], sealed)
	return events.Sealed(key.ID(), string(s.plain)), nil
}

// open returns the clear text of a stored form. It fails with [ErrAltered].
func (s *scratch) open(key *vault.Key, at place, path, ciphertext string) (events.Personal, error) {
	var err error
	s.plain = append(s.plain[:0], ciphertext...)
	s.sealed, err = encoding.AppendDecode(s.sealed[:0], s.plain)
	if err != nil || encoding.EncodedLen(len(s.sealed)) != len(ciphertext) { // the decoder passes over line breaks
		return events.Personal{}, fmt.Errorf("%w: it is not base64url", ErrAltered)
	}
	s.additional(key, at, path)
	plain, err := key.Open(s.plain[:0], s.sealed, s.aad)
	if errors.Is(err, vault.ErrSubjectErased) {
		return events.Erased(), nil
	}
	if err != nil {
		return events.Personal{}, fmt.Errorf("%w: %w", ErrAltered, err)
	}
	s.plain = plain
	text, ok := unpad(plain)
	if !ok {
		return events.Personal{}, fmt.Errorf("%w: its padding is not Steward's", ErrAltered)
	}
	return events.Clear(string(text)), nil
}

// additional sets s.aad to what binds a value to its place.
func (s *scratch) additional(key *vault.Key, at place, path string) {
	if s.key != key {
		s.key, s.subject = key, key.Subject().String()
	}
	keyID := key.ID()
	b := part(s.aad[:0], label)
	b = part(b, at.store[:])
	b = part(b, s.subject)
	b = part(b, keyID[:])
	b = part(b, at.stream)
	b = part(b, at.event[:])
	b = part(b, at.eventType)
	s.aad = part(b, path)
}

func part[T string | []byte](b []byte, p T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
	return append(b, p...)
}

// pad appends the length of text, text and zeros up to a full bucket.
func pad(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	b = append(b, text...)
	zeros := (bucket - len(b)%bucket) % bucket
	b = slices.Grow(b, zeros)
	for range zeros {
		b = append(b, 0)
	}
	return b
}

// unpad undoes pad.
func unpad(b []byte) (text []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || len(b)%bucket != 0 || length > uint64(len(b)-n) {
		return nil, false
	}
	text, zeros := b[n:n+int(length)], b[n+int(length):]
	if len(zeros) >= bucket || slices.ContainsFunc(zeros, func(z byte) bool { return z != 0 }) {
		return nil, false
	}
	return text, true
}
