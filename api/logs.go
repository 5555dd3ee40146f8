package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// LogEntry is one line of an event log.
type LogEntry struct {
	ID              string               `json:"id" example:"evt_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Category        projections.Category `json:"category" doc:"What it is about, in words." example:"Settings"`
	Event           string               `json:"event" doc:"What happened, in words." example:"Domain unlocked"`
	Type            string               `json:"type" doc:"What happened, for programs." example:"domain.lock_set"`
	Setting         string               `json:"setting,omitempty" doc:"The setting that was changed." example:"lock"`
	Changes         []LogChange          `json:"changes" doc:"What was before and what is after."`
	By              Actor                `json:"by"`
	IP              string               `json:"ip,omitempty" doc:"Where the request came from."`
	UserAgent       string               `json:"user_agent,omitempty"`
	Time            time.Time            `json:"time"`
	Reason          string               `json:"reason,omitempty" doc:"Why, as whoever did it wrote."`
	Ticket          string               `json:"ticket,omitempty"`
	Source          events.Source        `json:"source" enum:"api,cli,import,reaction"`
	RequestID       string               `json:"request_id,omitempty"`
	CommandID       string               `json:"command_id" doc:"The same for all that one command wrote."`
	SessionID       *string              `json:"session_id" doc:"The customer's own session."`
	ImpersonationID *string              `json:"impersonation_id" doc:"The session of a team member as the customer."`
	CustomerID      *string              `json:"customer_id" doc:"The customer whom it was about, or who held the domain then."`
	ReceiverID      *string              `json:"receiver_id,omitempty" doc:"Of a push: who got the domain."`
	DomainID        *string              `json:"domain_id"`
	Links           map[string]string    `json:"links" doc:"To the customer, the domain and the session of a team member as the customer."`
}

// LogChange is one field before and after.
type LogChange struct {
	Field  string      `json:"field" example:"lock"`
	Before changeValue `json:"before" doc:"Null when there was none; [erased] when the person was erased."`
	After  changeValue `json:"after"`
}

// changeValue is a text, a switch, a list of texts, a time, or null.
type changeValue struct{ value any }

// MarshalJSON writes the value itself.
func (v changeValue) MarshalJSON() ([]byte, error) { return json.Marshal(v.value) }

// Schema says what it can be.
func (changeValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString, Nullable: true},
		{Type: huma.TypeBoolean},
		{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}},
	}}
}

// LogFilterInput narrows a log.
type LogFilterInput struct {
	Actor   string    `query:"actor" enum:"customer,reseller,as_customer,system" doc:"In which capacity it was done."`
	Staff   string    `query:"staff" doc:"By which team member, also as a customer." example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	In      string    `query:"impersonation" doc:"Only what was done in this session of a team member as a customer, and about it." example:"imp_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Type    string    `query:"type" maxLength:"100" pattern:"^[a-z0-9_.]*$" doc:"See /v1/event-types." example:"domain.lock_set"`
	Setting string    `query:"setting" maxLength:"50" pattern:"^[a-z_]*$" doc:"The setting that was changed: profile, email, username, external_id, status, auto_renew, lock, privacy, nameservers, owner, name, role, hosts, branding, password, two_factor, tags." example:"lock"`
	From    time.Time `query:"from" doc:"From this time on." example:"2026-01-01T00:00:00Z"`
	To      time.Time `query:"to" doc:"Before this time."`
}

// ListLogInput is a page of the store's log.
type ListLogInput struct {
	PageInput
	LogFilterInput
}

// ListLogOfInput is a page of the log of one thing.
type ListLogOfInput struct {
	PageInput
	LogFilterInput
	ID string `path:"id"`
}

// listLog handles GET /v1/log.
func (s *Server) listLog(ctx context.Context, in *ListLogInput) (*PageOutput[LogEntry], error) {
	return s.logPage(ctx, in.PageInput, in.LogFilterInput, projections.LogFilter{})
}

// listCustomerLog handles GET /v1/customers/{id}/log.
func (s *Server) listCustomerLog(ctx context.Context, in *ListLogOfInput) (*PageOutput[LogEntry], error) {
	id, err := s.knownCustomer(ctx, in.ReadInput, in.ID)
	if err != nil {
		return nil, err
	}
	return s.logPage(ctx, in.PageInput, in.LogFilterInput, projections.LogFilter{CustomerID: id})
}

// listDomainLog handles GET /v1/domains/{id}/log.
func (s *Server) listDomainLog(ctx context.Context, in *ListLogOfInput) (*PageOutput[LogEntry], error) {
	id, err := pathID(wireid.Domain, in.ID)
	if err != nil {
		return nil, err
	}
	store := callerOf(ctx).storeID
	err = s.read(ctx, in.ReadInput, func(ctx context.Context) error {
		_, err := s.loadDomain(ctx, store, id)
		return err
	}, func(ctx context.Context) error {
		_, found, err := s.queries.Domain(ctx, store, id)
		if err == nil && !found {
			err = domain.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// A customer sees what happened while the domain was theirs.
	return s.logPage(ctx, in.PageInput, in.LogFilterInput, projections.LogFilter{DomainID: id, CustomerID: callerOf(ctx).customerID})
}

// logPage reads a page of what filter says, narrowed by what the caller says.
func (s *Server) logPage(ctx context.Context, in PageInput, by LogFilterInput, filter projections.LogFilter) (*PageOutput[LogEntry], error) {
	if err := s.await(ctx, in.ReadInput); err != nil {
		return nil, err
	}
	staff, err := filterID(wireid.Staff, "staff", by.Staff)
	if err != nil {
		return nil, err
	}
	if filter.ImpersonationID, err = filterID(wireid.Impersonation, "impersonation", by.In); err != nil {
		return nil, err
	}
	filter.StoreID, filter.ActorKind, filter.StaffID = callerOf(ctx).storeID, events.ActorKind(by.Actor), staff
	filter.Public = callerOf(ctx).isCustomer()
	filter.Type, filter.Setting, filter.From, filter.Until, filter.Limit = by.Type, by.Setting, by.From, by.To, in.Limit
	l := list{"log", []any{filter.CustomerID, filter.DomainID, filter.Setting, by}}
	if _, err := s.resume(ctx, l, in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	found, next, err := s.queries.ReadLog(ctx, s.engine.Sealer, filter)
	if err != nil {
		return nil, err
	}
	entries := make([]LogEntry, len(found))
	for i, e := range found {
		entries[i] = logEntry(callerOf(ctx), e)
	}
	if next == (events.Position{}) {
		return page(ctx, s, l, entries, nil)
	}
	return page(ctx, s, l, entries, next)
}

func logEntry(who *caller, e projections.LogEntry) LogEntry {
	if who.isCustomer() {
		e.Changes = publicChanges(e)
	}
	entry := LogEntry{
		ID: wireid.Format(wireid.Event, e.EventID), Category: e.Description.Category, Event: e.Event, Type: e.Type,
		Setting: e.Description.Setting, Changes: make([]LogChange, len(e.Changes)),
		By:   shownActor(who, e.ActorKind, e.ActorID, value(e.StaffID), e.StaffName),
		Time: e.OccurredAt, Reason: e.Reason, Ticket: e.Envelope.Metadata.Ticket, Source: e.Source, RequestID: e.RequestID,
		CommandID: wireid.Format(wireid.Command, e.CommandID),
		SessionID: optionalID(wireid.Session, e.SessionID), ImpersonationID: optionalID(wireid.Impersonation, e.ImpersonationID),
		CustomerID: optionalID(wireid.Customer, e.CustomerID), ReceiverID: optionalID(wireid.Customer, e.OtherCustomerID),
		DomainID: optionalID(wireid.Domain, e.DomainID), Links: make(map[string]string),
	}
	for i, c := range e.Changes {
		entry.Changes[i] = LogChange{c.Field, changeValue{wireValue(c.Field, c.Before)}, changeValue{wireValue(c.Field, c.After)}}
	}
	if who.isCustomer() {
		// The team's words about a customer, and where its members were, stay its own.
		entry.Reason, entry.Ticket = "", ""
	}
	if e.Net != nil && (!who.isCustomer() || e.ActorKind == events.ActorCustomer) {
		entry.IP, entry.UserAgent = e.Net.IP, e.Net.UserAgent
	}
	if e.ImpersonationID != nil && !who.isCustomer() {
		entry.Links["impersonation"] = impersonationPath(*e.ImpersonationID)
	}
	for name, path := range map[string]string{
		"customer": idPath(e.CustomerID, customerPath), "receiver": idPath(e.OtherCustomerID, customerPath),
		"domain": idPath(e.DomainID, domainPath),
	} {
		if path != "" {
			entry.Links[name] = path
		}
	}
	return entry
}

// publicChanges are the changes of an entry that customers see too: why exactly an
// attempt to sign in failed is not among them.
func publicChanges(e projections.LogEntry) []projections.Change {
	if _, ok := e.Envelope.Event.(events.SessionEvent); !ok {
		return e.Changes
	}
	return slices.DeleteFunc(slices.Clone(e.Changes), func(c projections.Change) bool { return c.Field == "reason" || c.Field == "status" })
}

// wireValue writes the ids in a change as callers know them.
func wireValue(field string, v any) any {
	text, ok := v.(string)
	kind, isID := idKinds[field]
	if field == projections.SettingOwner {
		kind, isID = wireid.Customer, true
	}
	if !ok || !isID {
		return v
	}
	id, err := uuid.Parse(strings.TrimSpace(text))
	if err != nil {
		return v
	}
	return wireid.Format(kind, id)
}

func value(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func optionalID(kind wireid.Kind, id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	text := wireid.Format(kind, *id)
	return &text
}

func idPath(id *uuid.UUID, path func(uuid.UUID) string) string {
	if id == nil {
		return ""
	}
	return path(*id)
}
