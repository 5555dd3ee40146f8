// Package esnode is an event store in one process and one directory. It speaks the gRPC protocol of
// EventStoreDB on a Unix socket, keeps the events in Pebble, and syncs every write to disk before it is
// acknowledged, so an application runs against it with the client and the code paths that it has for a
// cluster.
//
// A write takes the write lock, is checked against the head of its stream, gets its positions and enters
// Pebble's write-ahead log; then it gives the lock back and waits for the disk together with whoever else is
// waiting. The horizon is the position up to which the log is on disk. No read, no subscription and no
// answer tells of anything beyond it.
//
// # What survives
//
// An acknowledged append is on disk. Beside Pebble's files the directory holds the file ACKNOWLEDGED with the
// position up to which appends were acknowledged, written after each sync and before the answers leave. It is
// what tells a write-ahead log that was cut off or damaged from one that a crash left unfinished: Open refuses a
// log that ends earlier, or one in which events are missing. Before it lets Pebble change anything, Open looks at
// the store without writing, so a refused directory stays as it was. A store without the file, which an older
// version of the node or somebody who accepts a loss leaves behind, is taken as it is and gets one. After a loss of
// power the file may be older than the log, and then damage to the few events in between looks like an unfinished
// write.
//
// When the disk is full, writes wait for room and new ones are refused; see reservedBytes. Any other failure of a
// write or of a sync ends writing until the store is opened again: nothing is tried twice, reads go on, and Close
// may have to leave Pebble's goroutines behind, which it reports. So does damage that reading comes upon: reads of
// it answer DataLoss, all others go on. Logs, metrics and Check say which file it is.
//
// # Differences from EventStoreDB
//
// What the node deliberately does in its own way:
//
//   - Positions grow by the size of the stored record and start at 1. They are no file offsets, and any
//     number is accepted as a position to read from: there are no record boundaries to miss.
//   - The ids of events are remembered for ever and per stream. A repeated append with the expected revision
//     Any is therefore recognised after a restart too, and an id may be used in two streams.
//   - A read is a snapshot: it sees the stream or the log as it stood when the read began. The server it
//     stands in for reads page by page and may show events that were appended meanwhile.
//   - Forwards from the end a stream read is empty; the server fails.
//   - An append without events never changes anything. On a soft-deleted stream the server would revive it.
//   - A metastream cannot be given a tombstone of its own; it goes with its stream.
//   - The time of events never runs backwards, even when the clock does.
//   - Regular expressions in filters have the syntax of Go's regexp package, which has neither look-around
//     nor back-references; the node answers InvalidArgument to a pattern that needs them.
//   - $maxAge, $maxCount and $tb hide events from readers of the stream. Nothing is ever removed: there is
//     no scavenge, because the log is the truth.
//   - Appends are refused with ResourceExhausted while the disk has less than 128 MiB left; reads go on, and
//     appends too once there is room.
//   - A connection carries as many calls at once as there are; the server lets a hundred through and the next
//     ones wait.
//   - There are no users, no access control lists and no TLS. Access to the socket is access to everything.
//   - There are no projections, so no $ce-, $et- or $streams streams; no $stats and no $users streams.
//   - Persistent subscriptions, BatchAppend and the services that manage a server answer Unimplemented.
package esnode
