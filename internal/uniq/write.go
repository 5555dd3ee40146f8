package uniq

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// component is the actor of what no command asked for.
const component = "reservations"

// write appends e to stream, expecting exactly the given revision.
//
// Its event id is random. The log answers success to an append whose id already
// stands right after the expected revision. With ids derived from the command
// or the claim, a writer that comes late would be told that it reserved, sealed
// or released, when it was another who did, and whatever happened to the
// reservation since would be hidden from it. A random id can only be met again
// by the resend of the very same attempt.
func (r *Registry) write(ctx context.Context, stream string, expected int64, e events.Event, md events.Metadata) error {
	data, metadata, err := events.Encode(e, md)
	if err != nil {
		return err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("event id: %w", err)
	}
	_, err = r.log.Append(ctx, stream, eventstore.Revision(expected), []events.Proposed{
		{ID: id, Type: e.EventType(), Data: data, Metadata: metadata},
	})
	return err
}

// bare is the metadata of a command without what is about a person or belongs
// to the command's own event.
func bare(md events.Metadata) events.Metadata {
	md.Schema = events.MetadataSchema
	md.Reason, md.Net = events.Personal{}, events.Personal{}
	md.Ticket, md.Notify, md.Keys = "", nil, nil
	return md
}

// sealing is the metadata of an event that seals a stream of a store. It has a
// command id of its own: the id of the command that seals would make the sealed
// stream look as if that command had been applied to it.
func (r *Registry) sealing(md events.Metadata, store uuid.UUID) events.Metadata {
	return events.Metadata{
		Schema: events.MetadataSchema, StoreID: store,
		Actor: events.System(component), Source: events.SourceReaction,
		CommandID:     uuid.NewSHA1(md.CommandID, []byte(component+"\x00seal")),
		CorrelationID: md.CorrelationID, CausationID: md.CommandID,
		OccurredAt: r.now().UTC(),
	}
}

// settling is the metadata of what follows from an event.
func (r *Registry) settling(env events.Envelope) events.Metadata {
	md := bare(env.Metadata)
	md.Actor, md.Source = events.System(component), events.SourceReaction
	md.CausationID, md.OccurredAt = env.ID, r.now().UTC()
	return md
}
