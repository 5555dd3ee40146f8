package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Key is a data key, ready to use, or the mark that there was one. It is safe
// for concurrent use and never shows its material.
type Key struct {
	id         uuid.UUID
	subject    events.Subject
	commitment []byte
	aead       cipher.AEAD // nil once erased
}

// NewKey makes a key of 32 secret bytes, which it does not keep.
func NewKey(id uuid.UUID, subject events.Subject, material []byte) (*Key, error) {
	aead, err := newAEAD(material)
	if err != nil {
		return nil, err
	}
	commitment, err := commit(material)
	if err != nil {
		return nil, err
	}
	return &Key{id: id, subject: subject, commitment: commitment, aead: aead}, nil
}

// commit returns 32 bytes that bind to a key without telling it: HKDF-Expand
// of RFC 5869 with a label of its own.
func commit(material []byte) ([]byte, error) {
	c, err := hkdf.Expand(sha256.New, material, "steward-dek-commit/1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive commitment: %w", err)
	}
	return c, nil
}

// ID returns the id that sealed values name.
func (k *Key) ID() uuid.UUID { return k.id }

// Subject returns whom the key protects.
func (k *Key) Subject() events.Subject { return k.subject }

// Erased reports whether the key has been destroyed. Such a key neither seals
// nor opens.
func (k *Key) Erased() bool { return k.aead == nil }

// Commitment returns what the log holds to bind the key.
func (k *Key) Commitment() events.KeyCommitment {
	return events.KeyCommitment{ID: k.id, Subject: k.subject, Commitment: hex.EncodeToString(k.commitment)}
}

// Seal appends nonce, ciphertext and tag of plain to dst. It fails with
// [ErrSubjectErased].
func (k *Key) Seal(dst, plain, aad []byte) ([]byte, error) {
	if k.Erased() {
		return nil, fmt.Errorf("vault: key %s: %w", k.id, ErrSubjectErased)
	}
	return k.aead.Seal(dst, nil, plain, aad), nil
}

// Open appends the plain bytes of sealed to dst. It fails when key, aad or
// bytes are not the ones of the sealing, and with [ErrSubjectErased].
func (k *Key) Open(dst, sealed, aad []byte) ([]byte, error) {
	if k.Erased() {
		return nil, fmt.Errorf("vault: key %s: %w", k.id, ErrSubjectErased)
	}
	plain, err := k.aead.Open(dst, nil, sealed, aad)
	if err != nil {
		return nil, fmt.Errorf("vault: key %s: %w", k.id, err)
	}
	return plain, nil
}

// String names the key, never its material.
func (k *Key) String() string { return "key " + k.id.String() }

// GoString is String.
func (k *Key) GoString() string { return k.String() }

// matches reports whether the key is the one that a commitment was made for.
func (k *Key) matches(commitment []byte) bool { return bytes.Equal(k.commitment, commitment) }
