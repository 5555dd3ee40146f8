// Package jobs runs what follows from events and takes time or may fail, such as
// sending a mail: it is written down in the transaction that moves the reaction's
// checkpoint, and then tried until it is done. River does the work, on tables in the
// schema ops.
//
// A job may be written down or run more than once. So whoever does it first looks in
// the log for whether it was done.
package jobs
