package api

import (
	"context"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// Suspension is one change of a customer's standing, with the reason that was
// given for it. It stays readable for ever, whatever happened since.
type Suspension struct {
	ID              string                `json:"id" example:"evt_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Event           string                `json:"event" example:"Account suspended"`
	Before          events.CustomerStatus `json:"before"`
	After           events.CustomerStatus `json:"after"`
	ReasonCode      events.ReasonCode     `json:"reason_code,omitempty"`
	Reason          string                `json:"reason,omitempty"`
	HoldServices    bool                  `json:"hold_services" doc:"Whether it put the domains on hold."`
	ReleaseServices bool                  `json:"release_services" doc:"Whether it took the domains off hold."`
	By              Actor                 `json:"by"`
	Time            time.Time             `json:"time"`
}

// ListSuspensionsInput is a page of a customer's suspensions.
type ListSuspensionsInput struct {
	PageInput
	ID string `path:"id"`
}

// listSuspensions handles GET /v1/customers/{id}/suspensions.
func (s *Server) listSuspensions(ctx context.Context, in *ListSuspensionsInput) (*PageOutput[Suspension], error) {
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	filter := projections.LogFilter{
		StoreID: callerOf(ctx).storeID, CustomerID: id, Setting: projections.SettingStatus, Limit: in.Limit,
	}
	l := list{"suspensions", id}
	if _, err := s.resume(ctx, l, in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	found, next, err := s.queries.ReadLog(ctx, s.engine.Sealer, filter)
	if err != nil {
		return nil, err
	}
	all := []Suspension{}
	for _, e := range found {
		if entry, ok := suspension(callerOf(ctx), e); ok {
			all = append(all, entry)
		}
	}
	if next == (events.Position{}) {
		return page(ctx, s, l, all, nil)
	}
	return page(ctx, s, l, all, next)
}

// suspension is a line of the log as a suspension, a ban or their end; false
// for a deletion or a restoration.
func suspension(who *caller, e projections.LogEntry) (Suspension, bool) {
	entry := Suspension{
		ID: wireid.Format(wireid.Event, e.EventID), Event: e.Event, Time: e.OccurredAt,
		By: shownActor(who, e.ActorKind, e.ActorID, value(e.StaffID), e.StaffName),
	}
	switch event := e.Envelope.Event.(type) {
	case events.CustomerSuspended:
		entry.Before, entry.After, entry.HoldServices = event.Before, event.After, event.HoldServices
		entry.ReasonCode, entry.Reason = event.ReasonCode, reasonText(event.Reason)
	case events.CustomerBanned:
		entry.Before, entry.After, entry.HoldServices = event.Before, event.After, event.HoldServices
		entry.ReasonCode, entry.Reason = event.ReasonCode, reasonText(event.Reason)
	case events.CustomerReactivated:
		entry.Before, entry.After, entry.ReleaseServices = event.Before, event.After, event.ReleaseServices
	default:
		return Suspension{}, false
	}
	return entry, true
}
