package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// RawEvent is an event as it was recorded.
type RawEvent struct {
	ID            string            `json:"id" example:"evt_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Type          string            `json:"type" doc:"See /v1/event-types." example:"domain.lock_set"`
	Stream        string            `json:"stream" doc:"What it happened to: a category, a dash, an id."`
	Revision      uint64            `json:"revision" doc:"Its place in the stream, from 0."`
	Time          time.Time         `json:"time" doc:"When it happened."`
	RecordedAt    time.Time         `json:"recorded_at"`
	Actor         RawActor          `json:"actor"`
	Source        events.Source     `json:"source"`
	CommandID     string            `json:"command_id"`
	CorrelationID string            `json:"correlation_id"`
	CausationID   string            `json:"causation_id" doc:"What directly caused it, a command or an event, by its bare UUID."`
	RequestID     string            `json:"request_id,omitempty"`
	Reason        string            `json:"reason,omitempty"`
	Ticket        string            `json:"ticket,omitempty"`
	IP            string            `json:"ip,omitempty"`
	UserAgent     string            `json:"user_agent,omitempty"`
	Data          map[string]any    `json:"data" doc:"By the schema in /v1/event-types. A value of somebody who was erased is {\"erased\": true}."`
	Stored        *RawEventAsStored `json:"stored,omitempty" doc:"With stored=true: exactly what the log holds, personal values encrypted."`
}

// RawActor is who caused an event.
type RawActor struct {
	Kind            events.ActorKind `json:"kind"`
	ID              string           `json:"id,omitempty"`
	StaffID         string           `json:"staff_id,omitempty"`
	APIKeyID        string           `json:"api_key_id,omitempty"`
	SessionID       string           `json:"session_id,omitempty"`
	ImpersonationID string           `json:"impersonation_id,omitempty"`
}

// RawEventAsStored is what the log holds of an event.
type RawEventAsStored struct {
	ID       uuid.UUID       `json:"id"`
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

// ListEventsInput is a page of the events of the store.
type ListEventsInput struct {
	Limit    int      `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many events a page has at most."`
	Cursor   string   `query:"cursor" doc:"The next_cursor of the page before. Without it the events begin with the first."`
	Type     []string `query:"type,explode" doc:"Of these types. May be repeated." example:"[\"domain.pushed\"]"`
	Category []string `query:"category,explode" doc:"Of these categories of streams: customer, domain, staff, ... May be repeated." example:"[\"domain\"]"`
	Actor    string   `query:"actor" enum:"customer,reseller,as_customer,system"`
	Stored   bool     `query:"stored" doc:"Also show what the log holds, byte for byte."`
}

const (
	// scanBatch is how much of the log is read at once, scanLimit how much for one
	// page: other stores' events are among it.
	scanBatch = 500
	scanLimit = 5000
)

// listEvents handles GET /v1/events. It reads the log itself, so a page shows
// everything that was acknowledged before. It always answers where to go on:
// whoever has reached the end asks again later with the same cursor.
func (s *Server) listEvents(ctx context.Context, in *ListEventsInput) (*PageOutput[RawEvent], error) {
	slices.Sort(in.Type)
	slices.Sort(in.Category)
	l := list{"events", []any{in.Type, in.Category, in.Actor}}
	var after events.Position
	if _, err := s.resume(ctx, l, in.Cursor, &after); err != nil {
		return nil, err
	}
	found, after, more, err := s.scan(ctx, in, after)
	if err != nil {
		return nil, err
	}
	items, err := s.rawEvents(ctx, found, in.Stored)
	if err != nil {
		return nil, err
	}
	out, err := page(ctx, s, l, items, after)
	if err != nil {
		return nil, err
	}
	if out.Body.HasMore = more; !more {
		out.Link = ""
	}
	return out, nil
}

// scan reads the log after a position until the page is full, the end is reached
// or enough was looked at.
func (s *Server) scan(ctx context.Context, in *ListEventsInput, after events.Position) (found []events.Record, last events.Position, more bool, err error) {
	store := callerOf(ctx).storeID
	for scanned := 0; scanned < scanLimit; {
		records, err := s.engine.Log.ReadAll(ctx, after, scanBatch)
		if err != nil {
			return nil, after, false, err
		}
		for _, r := range records {
			wanted, err := in.wants(r, store)
			if err != nil {
				return nil, after, false, err
			}
			if wanted {
				if len(found) == in.Limit {
					return found, after, true, nil
				}
				found = append(found, r)
			}
			after = r.Position
		}
		if len(records) < scanBatch {
			return found, after, false, nil
		}
		scanned += len(records)
	}
	return found, after, true, nil
}

// wants reports whether a record is one of the store's that were asked for.
func (in *ListEventsInput) wants(r events.Record, store uuid.UUID) (bool, error) {
	if events.IsSystem(r.Type) || events.IsSystem(r.Stream) {
		return false, nil
	}
	if len(in.Type) > 0 && !slices.Contains(in.Type, r.Type) || len(in.Category) > 0 && !slices.Contains(in.Category, events.Category(r.Stream)) {
		return false, nil
	}
	md, err := events.DecodeMetadata(r.Metadata)
	if err != nil {
		return false, err
	}
	return md.StoreID == store && (in.Actor == "" || md.Actor.Kind == events.ActorKind(in.Actor)), nil
}

// rawEvents opens what was found. An event of a newer version has no data that
// we could read; it is shown all the same.
func (s *Server) rawEvents(ctx context.Context, found []events.Record, stored bool) ([]RawEvent, error) {
	items := make([]RawEvent, len(found))
	var envelopes []events.Envelope
	var at []int
	for i, r := range found {
		env, err := events.Decode(r)
		var unknown *events.UnknownTypeError
		switch {
		case errors.As(err, &unknown):
			md, err := events.DecodeMetadata(r.Metadata)
			if err != nil {
				return nil, err
			}
			items[i] = rawEvent(events.Envelope{ID: r.ID, Stream: r.Stream, Revision: r.Revision, RecordedAt: r.RecordedAt, Metadata: md}, r.Type)
		case err != nil:
			return nil, err
		default:
			envelopes, at = append(envelopes, env), append(at, i)
		}
	}
	opened, err := s.engine.Sealer.Open(ctx, envelopes)
	if err != nil {
		return nil, err
	}
	for n, env := range opened {
		items[at[n]] = rawEvent(env, found[at[n]].Type)
	}
	for i := range items {
		if stored {
			items[i].Stored = &RawEventAsStored{ID: found[i].ID, Data: found[i].Data, Metadata: found[i].Metadata}
		}
	}
	return items, nil
}

func rawEvent(env events.Envelope, stored string) RawEvent {
	md := env.Metadata
	e := RawEvent{
		ID: wireid.Format(wireid.Event, env.ID), Type: stored, Stream: env.Stream, Revision: env.Revision,
		Time: md.OccurredAt, RecordedAt: env.RecordedAt, Source: md.Source,
		CommandID:     wireid.Format(wireid.Command, md.CommandID),
		CorrelationID: wireid.Format(wireid.Command, md.CorrelationID),
		CausationID:   md.CausationID.String(),
		RequestID:     md.RequestID, Ticket: md.Ticket, Reason: reasonText(md.Reason), Data: map[string]any{},
		Actor: RawActor{
			Kind: md.Actor.Kind, ID: actorID(md.Actor.Kind, md.Actor.ID),
			StaffID: wireid.Format(wireid.Staff, md.Actor.StaffID), APIKeyID: wireid.Format(wireid.APIKey, md.Actor.APIKeyID),
			SessionID: wireid.Format(wireid.Session, md.Actor.SessionID), ImpersonationID: wireid.Format(wireid.Impersonation, md.Actor.ImpersonationID),
		},
	}
	if md.Net.IsErased() {
		e.IP = projections.ErasedText
	}
	if net, ok := events.ParseNet(md.Net); ok {
		e.IP, e.UserAgent = net.IP, net.UserAgent
	}
	if env.Event != nil {
		e.Data = publicData(env.Event)
	}
	return e
}
