// Package storecopy writes a log into a file and a file into a log: the way from one event store to another,
// such as from the embedded node to an EventStoreDB cluster when one machine is no longer enough.
//
// # The file
//
// It is text, one JSON object in a line, in the order of $all; packed with gzip if its name ends in .gz.
//
//	{"header":{"steward_log":1,"from":"…","made_at":"…","until":[4711,4711]}}
//	{"position":[1,1],"stream":"customer-…","revision":0,"id":"…","type":"customer.registered","content":"json","created":"…","data":{…},"metadata":{…}}
//	…
//	{"end":{"events":2,"left_out":0,"sha256":"…"}}
//
// The header says up to which position the file goes; the last line counts what is in it. Data and metadata
// are byte for byte what was stored: a JSON object or array stands in the line as it is, anything else as a
// text in base64, and nothing at all is left away. A stream whose name is not UTF-8 stands in
// stream_base64. Positions and times are those of the log that was read; the log that is written gives its
// own.
//
// Events of streams that belong to the server itself, whose names begin with a dollar sign, are left out
// and counted: left_out of an event is how many stood between it and the event before. The metadata of
// other streams ($$name) is not the server's; with it come soft deletions, and the tombstones ($streamDeleted)
// stand in their streams.
//
// # The digest
//
// Both sides are compared by number and by SHA-256 over all events in order: stream, revision, id, type,
// content, data and metadata, each text with its length before it. Of a $metadata event the id is left out
// and the JSON is taken in a canonical form, and of a $streamDeleted event only the stream counts, because
// the server makes such events by itself when a stream is deleted or comes back.
package storecopy
