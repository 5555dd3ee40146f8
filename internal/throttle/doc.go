// Package throttle limits how often something may be tried, by all instances
// together, so that passwords, codes and mailboxes withstand whoever keeps trying.
//
// What is counted is a [Bucket]: a rule and what it is applied to, such as the name
// that somebody sent. [Throttle.Take] takes a slot of every bucket that an attempt
// concerns before anything secret is looked at. Taken it stays, whatever becomes of
// the attempt: a request that fails, is cancelled or crashes has used its slot up.
// Only a success gives it back ([Slot.GiveBack]).
//
// A bucket is about what was sent, not about what exists, so that names which exist
// and names which do not are refused alike. Its name stands in the database as an
// HMAC-SHA256 only. Attempts that are refused are not counted: they cannot prolong
// the wait of somebody else.
//
// Time comes in from the caller. What is stored never becomes younger and is never
// forgotten before its time, so a clock that was set back opens nothing.
package throttle
