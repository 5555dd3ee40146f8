package events

import (
	"time"

	"github.com/google/uuid"
)

// Position is the place of an event in the log of all events. Both parts are
// kept and compared as a pair; the zero position is before the first event.
type Position struct {
	Commit  uint64 `json:"commit"`
	Prepare uint64 `json:"prepare"`
}

// Compare returns -1, 0 or 1 as p is before, at or after q.
func (p Position) Compare(q Position) int {
	switch {
	case p.Commit < q.Commit, p.Commit == q.Commit && p.Prepare < q.Prepare:
		return -1
	case p == q:
		return 0
	default:
		return 1
	}
}

// Before reports whether p comes before q.
func (p Position) Before(q Position) bool { return p.Compare(q) < 0 }

// Record is an event as stored: bytes and their place, not yet decoded.
type Record struct {
	ID         uuid.UUID `json:"id"`
	Stream     string    `json:"stream"`
	Revision   uint64    `json:"revision"` // place in its stream, from 0
	Position   Position  `json:"position"` // place among all events
	Type       string    `json:"type"`
	RecordedAt time.Time `json:"recorded_at"`
	Data       []byte    `json:"-"`
	Metadata   []byte    `json:"-"`
	// Binary says that the data was not stored as JSON. No event of Steward is.
	Binary bool `json:"-"`
}

// Envelope is a decoded event with its metadata and place.
type Envelope struct {
	ID       uuid.UUID
	Stream   string
	Revision uint64
	Position Position
	// Type is the stored name, which is an old one when Event was upcast.
	Type       string
	RecordedAt time.Time
	Metadata   Metadata
	Event      Event
}

// Proposed is an event on its way into the log. Its bytes are fixed before the
// first attempt to append it, so that a resend repeats them exactly.
type Proposed struct {
	ID       uuid.UUID
	Type     string
	Data     []byte
	Metadata []byte
	// Binary says that the data is not JSON. Only copies of foreign events are.
	Binary bool
}
