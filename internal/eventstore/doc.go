// Package eventstore is the only door to the event log: the official
// EventStoreDB client behind one wrapper that knows its traps. It speaks alike
// to an EventStoreDB cluster and to the embedded node's Unix socket.
//
// An append has one of three outcomes and never a fourth: committed, rejected,
// or unknown. Unknown ones are resent byte for byte, with the same ids and the
// same exact expected revision, which the log answers with what happened.
//
// # What the client does, and what this package does about it
//
//	trap of the client (v4.2.0)                    here
//	---------------------------------------------  ------------------------------------------------------------
//	1  dead for ever once a discovery failed       a client discovers once, at its first connection, with one
//	                                               attempt; a client that failed is thrown away
//	2  callers blocked on its channel ignore ctx   it never discovers again, because the report of a lost
//	                                               connection is cut short (see abort), so its loop always
//	                                               answers; and a call that outlives its ctx is left behind
//	3  Close beside calls panics                   a retired client takes no call and is closed by the last one,
//	                                               or the panic is received (see 19)
//	4  every Unavailable leaks a connection        the first one retires the client, and closes its connection
//	5  an open read leaks                          every read is closed by the function that opened it
//	6  early refusal of a large append is "EOF"    sizes are checked before anything is sent (ErrTooLarge)
//	7  a subscription never comes back, and a      subscriptions have a client of their own, reconnect by
//	   dropped one answers at once for ever        themselves and resume after the last event received
//	8  idle connections are cut by grpc's default  the server's part: the embedded node permits the pings
//	9  unexpected messages panic                   calls and subscriptions recover and report an error
//	10 a bad "created" ends the process            cannot be caught; the embedded node always sets it
//	11-13, 25 persistent subscriptions             not used
//	14 a version with a suffix is not understood   Open fails and says so; the embedded node announces x.y.z
//	15, 18 stream metadata                         written only by the copy of a log, as events with their own ids
//	16 backwards without From reads event 0        From is always given
//	17 errors of opening a read are not mapped     errors are classified by errors.As and by their gRPC code
//	19 credentials are dropped without TLS; the    Open refuses the combination. Reads ask for the leader by a
//	   leader is never asked for                   header of their own; appends need not, followers forward them.
//	                                               A server that does not lead names who does, and the client
//	                                               follows, which leaks a connection if there is no answer: so
//	                                               the answer is looked for first
//	20 a bad defaultDeadline is swallowed; logs    Open refuses it; the logger is the hook of trap 2 and prints
//	   go to standard output                       nothing
//	21 a subscription ends with its opening ctx    it has a ctx of its own that lasts as long as it does
//	22 CaughtUp may never come                     nothing waits for it; an idle subscription looks at the log
//	                                               by itself
//	23 positions of the largest number             refused as a place to start from, dropped when received
//	24 resuming by commit alone skips events       both parts are kept and compared
//	26 a failed sending reads trailers without a   what a caller leaves is cancelled a little later, not while it
//	   lock; its connection writes them when the   may be failing. An append beyond 64 KiB on a link that stands
//	   call is cancelled                           still can yet be caught at it, harmlessly: one word is read
package eventstore
