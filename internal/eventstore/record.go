package eventstore

import (
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/stewardhq/steward/events"
)

// record returns what was stored, whatever it is; links are not followed.
func record(e *esdb.ResolvedEvent) (events.Record, bool) {
	o := e.OriginalEvent()
	if o == nil {
		return events.Record{}, false
	}
	r := events.Record{
		ID: o.EventID, Stream: o.StreamID, Revision: o.EventNumber, Type: o.EventType, RecordedAt: o.CreatedDate,
		Data: o.Data, Metadata: o.UserMetadata, Binary: o.ContentType != "application/json",
	}
	if o.Position.Commit != math.MaxUint64 { // a server's way of saying that it does not know
		r.Position = events.Position{Commit: o.Position.Commit, Prepare: o.Position.Prepare}
	}
	return r, true
}

// errNoPosition refuses a position that no event can have.
var errNoPosition = errors.New("not the position of an event")

func checkPosition(p events.Position) error {
	if p.Commit == math.MaxUint64 || p.Commit < p.Prepare {
		return errNoPosition
	}
	return nil
}
