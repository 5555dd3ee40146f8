package decider

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// folded is what folding a stream leads to.
type folded struct {
	loaded   any // the Loaded of the stream's decider
	revision eventstore.Revision
	// commands are the beginnings of the ids of the commands that wrote the
	// stream. They tell which commands were certainly not applied.
	commands []uint64
	weight   int // of the events
}

// foldFunc folds records into what was folded before them. It must not change
// what it is given.
type foldFunc func(ctx context.Context, before folded, records []events.Record) (folded, error)

// extended is a copy that has room for more commands and shares nothing that
// they change.
func (f folded) extended(more int) folded {
	f.commands = append(make([]uint64, 0, len(f.commands)+more), f.commands...)
	return f
}

// add notes the command that wrote an event, and what the event adds at most to
// the memory of the state.
func (f *folded) add(command uuid.UUID, bytes int) {
	f.weight += bytes
	if id := shortID(command); len(f.commands) == 0 || f.commands[len(f.commands)-1] != id {
		f.commands = append(f.commands, id)
		f.weight += 8
	}
}

// mayHold reports whether the command may have written to the stream. False is
// certain.
func (f folded) mayHold(command uuid.UUID) bool {
	return slices.Contains(f.commands, shortID(command))
}

// shortID is as much of a command's id as is kept of it.
func shortID(command uuid.UUID) uint64 { return binary.BigEndian.Uint64(command[:8]) }
