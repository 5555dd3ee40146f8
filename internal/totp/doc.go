// Package totp is the second factor: time-based one-time passwords (RFC 6238)
// from an authenticator app, and recovery codes for who has lost it.
//
// A [Secret] is 20 random bytes; its codes have six digits, change every 30
// seconds and are made with HMAC-SHA-1 (RFC 4226), the only combination that all
// apps understand. [Verify] tells which time step a code is of: the caller keeps
// the last step accepted and gives it back next time, so that no code and no
// earlier one is accepted again (RFC 6238 section 5.2, NIST SP 800-63B-4 section
// 3.1.4). Comparing steps instead of remembered codes leaves nothing to get
// around by writing a code in another way. One step before and one after the
// current are accepted as well, which makes a code's life 90 seconds instead of
// the 30 that OWASP ASVS 6.5.5 asks for: clocks of phones are off, and people
// type slowly.
//
// A [Key] is what the app is told, as an otpauth URI, a QR code or a text.
//
// A [RecoveryCode] has 120 random bits; a salted SHA-256 of it is stored, which
// suffices from 112 bits on (OWASP ASVS 6.5.2; NIST SP 800-63B-4 section 3.1.2
// treats such codes as look-up secrets).
//
// The clock comes in as an argument. The types that hold secrets print as
// [redacted], whatever prints them, and give their contents away by name only.
package totp
