// Package vault keeps the keys: a data key per person or tenant and the
// platform's own secrets, all wrapped under a master key that is elsewhere.
//
// # States of a data key
//
// A subject's key is Absent, then Active, then Erased, and never goes back. Only
// an event that creates its subject may take it from Absent to Active
// ([Vault.Provision]); whoever else finds none gets [ErrKeyUnavailable], so that
// a lost or older vault never mints fresh keys for existing people. Erasing
// destroys the key material and leaves the row as a fence: a command that comes
// late gets [ErrSubjectErased].
//
// A key is committed with synchronous_commit on before anybody sees it, so it
// is on disk before the first event that is sealed under it.
//
// # One vault, one log
//
// A vault belongs to one log, whose id it holds. Two rules stand at every start:
//
//   - a log with events and a vault that lacks its log id: refuse ([Vault.Verify]).
//     The vault is another one, or an empty one, and nothing would open.
//   - an empty log and a vault that has served a log: refuse ([Vault.VerifyEmpty]).
//     The log was lost, and going on would hide it.
//
// A new installation calls [Vault.Init] with a new log id and then appends the
// log's first event. Cut short in between, it goes on with the vault's log id.
//
// # What the log holds against the vault
//
// The log has check values of the secrets ([Vault.Checks]) and the commitment of
// every data key. The commitment is what makes AES-GCM safe here: without it one
// ciphertext could be opened to two texts by two keys.
//
// # What erasing cannot reach
//
// PostgreSQL keeps the wrapped bytes of an erased key in dead rows until vacuum,
// in its write-ahead log and in backups. They open only with the master key,
// which therefore is never in the same backup. Other processes hold a key in
// memory for at most a minute.
package vault
