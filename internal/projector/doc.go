// Package projector turns the log into read models, exactly once.
//
// A [Group] of read models has one schema, one checkpoint and one transaction
// per batch of events: rows, the revision reached in every stream and the
// checkpoint commit together, so all tables of a group agree at one position.
// The row of the checkpoint is the fence: any number of projectors may run for
// one group, and each event still counts once.
//
// A read model is a pure function. [State] folds events into rows that it loads
// by key and writes back; [Journal] makes one row of an event. Neither reads a
// clock, so that [Rebuild] from the first event gives the very same tables.
//
// An event that cannot be applied stops its group in this process: nothing is
// skipped silently. [Projector.Health] says which event it is and why. The group
// goes on when the event can be applied after all, or when the log holds an
// [events.PlatformEventParked] for it. While PostgreSQL or the event store is
// away the projector waits and resumes by itself.
//
// The package knows nothing of customers or domains.
package projector
