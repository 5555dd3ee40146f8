package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// tokens seals what callers carry for us without being able to read or change
// it: cursors, positions, confirmations. What a token is for and what it is
// bound to is authenticated with it, so it opens nowhere else.
//
// The nonce is a keyed hash of the content, so the same content gives the same
// token: a command that is repeated answers byte for byte what it answered
// before. Equal tokens tell that two contents are equal, and nothing more.
type tokens struct {
	aead     cipher.AEAD
	nonceKey []byte
}

// tokenEncoding is strict: a token has one spelling.
var tokenEncoding = base64.RawURLEncoding.Strict()

func newTokens(secret []byte) (*tokens, error) {
	if len(secret) < sha256.Size {
		return nil, fmt.Errorf("the secret of tokens has %d bytes, it needs %d", len(secret), sha256.Size)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "steward-token/1 key", 32)
	if err != nil {
		return nil, fmt.Errorf("key of tokens: %w", err)
	}
	nonceKey, err := hkdf.Key(sha256.New, secret, nil, "steward-token/1 nonce", 32)
	if err != nil {
		return nil, fmt.Errorf("key of tokens: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher of tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cipher of tokens: %w", err)
	}
	return &tokens{aead: aead, nonceKey: nonceKey}, nil
}

// seal makes a token. bound is what must be the same when it is opened.
func (t *tokens) seal(kind string, bound, content []byte) string {
	additional := additional(kind, bound)
	mac := hmac.New(sha256.New, t.nonceKey)
	mac.Write(additional)
	mac.Write(content)
	nonce := mac.Sum(nil)[:t.aead.NonceSize()]
	return tokenEncoding.EncodeToString(t.aead.Seal(nonce, nonce, content, additional))
}

// open returns the content of a token, and false for anything that is not a
// token of this kind, bound to this.
func (t *tokens) open(kind string, bound []byte, token string) ([]byte, bool) {
	sealed, err := tokenEncoding.DecodeString(token)
	if err != nil || len(sealed) < t.aead.NonceSize() || tokenEncoding.EncodedLen(len(sealed)) != len(token) {
		return nil, false
	}
	nonce, sealed := sealed[:t.aead.NonceSize()], sealed[t.aead.NonceSize():]
	content, err := t.aead.Open(nil, nonce, sealed, additional(kind, bound))
	return content, err == nil
}

// additional separates the kind from what follows by a hash, whose length is
// fixed.
func additional(kind string, bound []byte) []byte {
	sum := sha256.Sum256([]byte(kind))
	return append(sum[:], bound...)
}
