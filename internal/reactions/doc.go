// Package reactions does what follows from events, outside of the streams that
// they are in: at least once each, in the order of the log, harmless to repeat.
//
// A [Subscriber] brings the log to Watermill one event at a time: the next one
// comes when the one before was acknowledged, and one that was refused comes
// again. That is all that keeps the order, since Watermill's router handles
// every message in a goroutine of its own. It also retires a handler whose
// channel closes, without a word; so a subscriber goes on through every failure
// and closes its channels only when told to stop. It passes Watermill's own
// suite with order and at-least-once claimed. Each subscription is for itself:
// subscribers do not share the messages of a topic among them.
//
// A [Router] runs one handler per [Reaction]. Each event is handled in a
// transaction of Postgres that also moves the reaction's checkpoint. What a
// handler writes with it, such as the jobs that will send mails, is therefore
// written exactly once; what it does elsewhere may be repeated. An event that
// cannot be handled stops its reaction, and that one only, until it can.
package reactions
