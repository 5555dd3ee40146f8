package api

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// ExportInput asks for everything that is known of a customer.
type ExportInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Purpose  string `json:"purpose" doc:"What for, in up to 1000 characters. It is kept with the event, encrypted." example:"Access request 2026-17"`
		Password string `json:"password,omitempty" maxLength:"2000" doc:"For customers."`
	}
}

// ExportOutput is the answer with everything that is known of a customer.
type ExportOutput struct{ Body Export }

// Export is everything that the log knows of a customer.
type Export struct {
	EventID    string          `json:"event_id" doc:"The event that says that this was given out; none with dry_run, which gives nothing out."`
	ExportedAt time.Time       `json:"exported_at"`
	Link       *ExportLink     `json:"link,omitempty" doc:"Where the customer finds the same, as they see it."`
	Customer   CustomerDetail  `json:"customer"`
	Sessions   []ExportSession `json:"sessions" doc:"Attempts to sign in and what came of them, the oldest first."`
	Domains    []DomainRow     `json:"domains" doc:"Those that the customer holds now. What became of others is in the log."`
	Log        []LogEntry      `json:"log" doc:"All that happened to the account, to the login, in sessions, and to domains while they were the customer's; the oldest first."`
}

// ExportSession is an attempt to sign in.
type ExportSession struct {
	ID        string     `json:"id" example:"ses_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	At        time.Time  `json:"at"`
	Events    []string   `json:"events" doc:"What happened, in words." example:"[\"Signed in\",\"Signed out\"]"`
	EndedAt   *time.Time `json:"ended_at" doc:"Null if nobody ended it before its time."`
	IP        string     `json:"ip,omitempty" doc:"Where the attempt came from."`
	UserAgent string     `json:"user_agent,omitempty"`
}

// exportCustomer handles POST /v1/customers/{id}/export.
func (s *Server) exportCustomer(ctx context.Context, in *ExportInput) (*ExportOutput, error) {
	who := callerOf(ctx)
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	account, err := s.loadCustomer(ctx, who.storeID, id)
	if err != nil {
		return nil, err
	}
	if who.isCustomer() {
		if err := s.provePassword(ctx, identified{account: account}, in.Body.Password, r); err != nil {
			return nil, err
		}
	}
	done, err := customer.Decider.Handle(ctx, s.engine, events.CustomerStream(id), customer.Export{By: who.actor(), Purpose: in.Body.Purpose}, r)
	if err != nil {
		return nil, err
	}
	out := &ExportOutput{Body: emptyExport(r.At)}
	if r.DryRun {
		return out, nil
	}
	out.Body.EventID = wireid.Format(wireid.Event, done.EventIDs[0])
	if out.Body.Link, err = s.exportLink(exportTicket{who.storeID, id, done.EventIDs[0], r.At.Add(exportLinkTime)}); err != nil {
		return nil, err
	}
	if err := s.waiter.Wait(ctx, done.Position); err != nil {
		return nil, err
	}
	return out, s.collect(ctx, id, &out.Body)
}

func emptyExport(at time.Time) Export {
	return Export{ExportedAt: at.UTC(), Sessions: []ExportSession{}, Domains: []DomainRow{}, Log: []LogEntry{}}
}

// collect fills an export from the log and the read models.
func (s *Server) collect(ctx context.Context, id uuid.UUID, into *Export) error {
	store := callerOf(ctx).storeID
	history, err := customer.Decider.LoadHistory(ctx, s.engine, store, events.CustomerStream(id))
	if err != nil {
		return err
	}
	detail, err := s.customerFromLog(ctx, history)
	if err != nil {
		return err
	}
	into.Customer = detail.Body
	domains := projections.DomainFilter{StoreID: store, CustomerID: id, Limit: projections.MaxLimit}
	for {
		found, next, err := s.queries.Domains(ctx, domains)
		if err != nil {
			return err
		}
		for _, d := range found {
			into.Domains = append(into.Domains, domainRow(d))
		}
		if domains.After = next; next == nil {
			break
		}
	}
	return s.collectLog(ctx, projections.LogFilter{StoreID: store, CustomerID: id, Limit: projections.MaxLimit}, into)
}

// collectLog reads the log from its end to its beginning, and turns it round.
func (s *Server) collectLog(ctx context.Context, filter projections.LogFilter, into *Export) error {
	var all []projections.LogEntry
	for {
		found, next, err := s.queries.ReadLog(ctx, s.engine.Sealer, filter)
		if err != nil {
			return err
		}
		all = append(all, found...)
		if filter.Before = next; next == (events.Position{}) {
			break
		}
	}
	slices.Reverse(all)
	at := make(map[string]int) // of a session, by its stream
	for _, e := range all {
		entry := logEntry(callerOf(ctx), e)
		into.Log = append(into.Log, entry)
		if events.Category(e.Stream) != events.CategorySession {
			continue
		}
		i, known := at[e.Stream]
		if !known {
			id, err := events.StreamID(e.Stream)
			if err != nil {
				return err
			}
			i = len(into.Sessions)
			at[e.Stream] = i
			into.Sessions = append(into.Sessions, ExportSession{
				ID: wireid.Format(wireid.Session, id), At: entry.Time, IP: entry.IP, UserAgent: entry.UserAgent,
			})
		}
		into.Sessions[i].Events = append(into.Sessions[i].Events, entry.Event)
		if e.Type == events.TypeSessionEnded {
			into.Sessions[i].EndedAt = &entry.Time
		}
	}
	return nil
}
