// Package onetime derives the secrets of links that are good for one use: those in
// mails, and the grants by which staff enter a customer's session.
//
// The secret is an HMAC over what the link is for, so nothing secret is kept
// anywhere: the event that issues a link names it, and whoever holds the key makes
// the same secret again, for a mail that is sent once more and to check one that
// comes back. Whether a link is still good is for the stream to say that issued it.
package onetime
