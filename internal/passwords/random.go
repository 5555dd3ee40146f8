package passwords

import (
	"crypto/sha256"
	"encoding/base64"
)

const generatedPrefix = "$generated$"

// Generate draws a password of 256 random bits for an account whose owner is to
// choose one of their own, and returns what is stored of it. The password itself is
// gone: nobody is shown it. So many bits need no slow hash (OWASP ASVS 5, 6.5.2).
func Generate() string {
	password := base64.RawURLEncoding.EncodeToString(random(32))
	tag := sha256.Sum256([]byte(password))
	return generatedPrefix + base64.RawStdEncoding.EncodeToString(tag[:])
}
