// Package uniq keeps names unique: at any moment a name has at most one user.
//
// Every name has a reservation stream R, found by a keyed hash, that says which
// stream S may use it. The event that makes S use the name is part of S itself
// and is written by the command that Reserve was called for; no event store can
// write R and S together. The protocol, called seal-then-steal, makes that safe
// without trusting any clock:
//
//	reserve   append Reserved{claim: S at revision c} to R
//	use       append the using event to S, expecting exactly revision c
//	settle    append Confirmed to R once S uses the name
//
// A claim is dead when S has moved past c: the one append that it stood for can
// no longer succeed. Whoever wants a name that somebody else has reserved does
//
//	look      read R, then S to its end: does S use the name now?
//	seal      if the claim is neither used nor dead and its deadline has passed,
//	          append ClaimAborted to S, expecting exactly c; then look again
//	steal     the claim is dead and S does not use the name: append the own
//	          Reserved to R, expecting the revision of R that was read first
//
// The same look decides over a confirmed name whose user has given it up, over a
// release and over a confirmation, and every append to R expects the revision of
// R that was read. A claim of the same stream is always written, also over a
// confirmation of that stream, so that a release under way cannot free a name
// that is being taken back; but never an older claim over a newer one.
//
// Why a look may be believed although S goes on: what S showed past the claim
// stays true until S makes another claim, and that moves R. This holds even for
// a reader that is behind, as long as it shows S past the claim; where it must
// and does not, that is [ErrBehind].
//
// Deadlines decide only how long others wait. model_test.go searches all
// interleavings of these steps, each named as in the code (see [Points]), and
// shows that without any one of these rules a name gets a second user.
package uniq
