package api

import (
	"context"
	"time"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// Note is a remark of the team about a customer. It stays as it was written.
type Note struct {
	ID   string    `json:"id" example:"evt_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Text string    `json:"text" doc:"[erased] when the customer was erased."`
	By   Actor     `json:"by"`
	Time time.Time `json:"time"`
}

// AddNoteInput adds a note.
type AddNoteInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Text string `json:"text" doc:"Up to 4000 characters. It is kept for ever, encrypted." example:"Prefers to be called."`
	}
}

// addNote handles POST /v1/customers/{id}/notes.
func (s *Server) addNote(ctx context.Context, in *AddNoteInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.AddNote{By: callerOf(ctx).actor(), Text: in.Body.Text})
}

// ListNotesInput is a page of the notes about a customer.
type ListNotesInput struct {
	PageInput
	ID string `path:"id"`
}

// listNotes handles GET /v1/customers/{id}/notes.
func (s *Server) listNotes(ctx context.Context, in *ListNotesInput) (*PageOutput[Note], error) {
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	filter := projections.LogFilter{StoreID: callerOf(ctx).storeID, CustomerID: id, Type: events.TypeCustomerNoteAdded, Limit: in.Limit}
	l := list{"notes", id}
	if _, err := s.resume(ctx, l, in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	found, next, err := s.queries.ReadLog(ctx, s.engine.Sealer, filter)
	if err != nil {
		return nil, err
	}
	notes := []Note{}
	for _, e := range found {
		if added, ok := e.Envelope.Event.(events.CustomerNoteAdded); ok {
			notes = append(notes, Note{
				ID: wireid.Format(wireid.Event, e.EventID), Text: reasonText(added.Text), Time: e.OccurredAt,
				By: shownActor(callerOf(ctx), e.ActorKind, e.ActorID, value(e.StaffID), e.StaffName),
			})
		}
	}
	if next == (events.Position{}) {
		return page(ctx, s, l, notes, nil)
	}
	return page(ctx, s, l, notes, next)
}

// SetTagsInput sorts a customer under tags.
type SetTagsInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Tags []string `json:"tags" doc:"All of them, at most 20; none removes what there are. A tag is 1 to 32 of a-z, 0-9, _ and -. They are kept in the clear: nothing personal belongs into one." example:"[\"vip\"]"`
	}
}

// setTags handles POST /v1/customers/{id}/set-tags.
func (s *Server) setTags(ctx context.Context, in *SetTagsInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.SetTags{By: callerOf(ctx).actor(), Tags: in.Body.Tags})
}
