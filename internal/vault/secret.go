package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// SecretName names one of the platform's secrets.
type SecretName string

// The secrets, 32 random bytes each.
const (
	// SecretIndex keys the names of reservation streams. It never rotates:
	// under another, every taken name looks free.
	SecretIndex SecretName = "index"
	// SecretFingerprint keys the fingerprints of requests.
	SecretFingerprint SecretName = "fingerprint"
	// SecretToken derives one-time tokens.
	SecretToken SecretName = "token"
	// SecretCursor seals cursors, positions and confirm tokens.
	SecretCursor SecretName = "cursor"
	// SecretSigning is the Ed25519 seed (RFC 8032) that signs checkpoints.
	SecretSigning SecretName = "signing"
)

// SecretNames lists every secret that a vault holds.
func SecretNames() []SecretName {
	return []SecretName{SecretIndex, SecretFingerprint, SecretToken, SecretCursor, SecretSigning}
}

// secrets holds the versions of each secret, opened.
type secrets map[SecretName]map[int][]byte

// Secret returns a copy of the newest version of a secret. It fails with
// [ErrNotBound] while the vault belongs to no log, never with an empty secret.
func (v *Vault) Secret(name SecretName) ([]byte, error) {
	versions, err := v.SecretVersions(name)
	if err != nil {
		return nil, err
	}
	return versions[slices.Max(slices.Collect(maps.Keys(versions)))], nil
}

// SecretVersions returns a copy of every version of a secret, for what was made
// with an earlier one. It fails as [Vault.Secret] does, and is never empty.
func (v *Vault) SecretVersions(name SecretName) (map[int][]byte, error) {
	b := v.binding.Load()
	if b == nil {
		return nil, fmt.Errorf("vault: secret %s: %w", name, ErrNotBound)
	}
	versions := make(map[int][]byte)
	for version, secret := range b.secrets[name] {
		versions[version] = slices.Clone(secret)
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("vault: there is no secret %q", name)
	}
	return versions, nil
}

// Checks returns a check value in hexadecimal for the first version of every
// secret, which tells the secret from any other without telling what it is. It
// is empty while the vault belongs to no log.
func (v *Vault) Checks() map[string]string {
	checks := make(map[string]string)
	if b := v.binding.Load(); b != nil {
		for name, versions := range b.secrets {
			checks[string(name)] = check(versions[1])
		}
	}
	return checks
}

func check(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("steward-check/1"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
