package passwords

import "encoding/base64"

// Random returns a password of 256 random bits for an account whose owner is
// to choose one of his own. It is for [Hasher.Hash] alone: nobody is shown it.
func Random() string { return base64.RawURLEncoding.EncodeToString(random(32)) }
