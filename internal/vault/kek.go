package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// KEK is the key encryption key, the master key: it wraps every key in the
// vault and never leaves its home. An implementation may ask a service.
type KEK interface {
	// ID names the key without telling anything of it. It is stored beside
	// what the key wraps.
	ID() string
	// Wrap seals plain so that only Unwrap with the same aad opens it.
	Wrap(ctx context.Context, aad, plain []byte) ([]byte, error)
	// Unwrap opens what Wrap sealed. It fails with [ErrWrongKEK] when key, aad
	// or bytes are not the ones of then.
	Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error)
}

// keySize is the size of every key and secret: 256 bits.
const keySize = 32

// FileKEK is a master key that was read from a file. Make one with
// [OpenKEKFile].
type FileKEK struct {
	path string
	id   string
	aead cipher.AEAD
}

func newFileKEK(path string, material []byte) (*FileKEK, error) {
	aead, err := newAEAD(material)
	if err != nil {
		return nil, fmt.Errorf("master key file %s: %w", path, err)
	}
	mac := hmac.New(sha256.New, material)
	mac.Write([]byte("steward-kek-id/1"))
	return &FileKEK{path: path, id: "file-" + hex.EncodeToString(mac.Sum(nil)[:8]), aead: aead}, nil
}

// ID returns "file-" and 16 hexadecimal digits derived from the key, so that
// the same key has the same name in whatever file it is.
func (k *FileKEK) ID() string { return k.id }

// Wrap seals plain with AES-256-GCM under a random nonce.
func (k *FileKEK) Wrap(_ context.Context, aad, plain []byte) ([]byte, error) {
	return k.aead.Seal(nil, nil, plain, aad), nil
}

// Unwrap opens what Wrap sealed, or fails with [ErrWrongKEK] and the file's name.
func (k *FileKEK) Unwrap(_ context.Context, aad, wrapped []byte) ([]byte, error) {
	plain, err := k.aead.Open(nil, nil, wrapped, aad)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, ErrWrongKEK)
	}
	return plain, nil
}

// String names the file and the id, never the key.
func (k *FileKEK) String() string { return "master key file " + k.path + " (" + k.id + ")" }

// GoString is String.
func (k *FileKEK) GoString() string { return k.String() }

// newAEAD is AES-256-GCM that puts a random 96-bit nonce before its output
// (NIST SP 800-38D, section 8.2.2: at most 2^32 messages per key).
func newAEAD(material []byte) (cipher.AEAD, error) {
	if len(material) != keySize {
		return nil, fmt.Errorf("a key has %d bytes, not %d", keySize, len(material))
	}
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return aead, nil
}
