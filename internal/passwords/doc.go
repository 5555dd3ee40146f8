// Package passwords hashes passwords, verifies them against what this system
// and the ones before it stored, and judges whether a password may be chosen.
//
// A [Hasher] makes Argon2id hashes (RFC 9106) in the PHC string format and
// verifies Argon2id, Argon2i and bcrypt, so that customers of another system
// keep their passwords; a verified password whose hash is not of the current
// parameters should be hashed again. A stored text that nobody can verify is
// an outcome ([Unreadable]), not an error. Every verification, whatever it
// finds and also of a user who does not exist ([Hasher.VerifyNobody]), is one
// call of a key derivation function. Such calls are few at a time: the rest
// waits in a short queue or is refused with [ErrBusy].
//
// A [Policy] is what a store demands of new passwords. Its presets are [NIST],
// after NIST SP 800-63B-4 section 3.1.1, and [Classic]. Both refuse what is on
// the list of package blocklist and what the person is known by.
//
// Passwords are compared by their exact bytes after Unicode normalisation to
// NFKC: nothing is trimmed and nothing cut, and a NUL is a character. The legacy
// schemes get the bytes as typed, because that is what they once hashed; of
// bcrypt these are the first 72, as everywhere. An Argon2id hash is taken for one
// of ours: if another system made it of a password that NFKC changes, a reset
// helps.
//
// Passwords and hashes are plain strings here. No error, metric or log of this
// package contains one; who stores a hash seals it first.
package passwords
