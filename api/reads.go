package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/wireid"
)

// ReadInput is what every read accepts.
type ReadInput struct {
	MinPosition string `header:"Steward-Min-Position" doc:"A position that a command answered: the answer shows at least what had happened by then, or is 503 read_model_behind."`
}

// errBadID refuses an id that cannot be one.
var errBadID = fault.New(fault.Malformed, "bad_id", "this is not an id of that kind")

// await waits until the read models have reached the position that the caller
// asks for.
func (s *Server) await(ctx context.Context, in ReadInput) error {
	if in.MinPosition == "" {
		return nil
	}
	position, err := s.parsePosition(in.MinPosition)
	if err != nil {
		return err
	}
	return s.waiter.Wait(ctx, position)
}

// read answers from the log, which is always current. When the log is away it
// answers from the read models, and says as of when that was.
func (s *Server) read(ctx context.Context, in ReadInput, current, stale func(context.Context) error) error {
	if in.MinPosition != "" {
		if _, err := s.parsePosition(in.MinPosition); err != nil {
			return err
		}
	}
	if c := callOf(ctx); c.asOf.IsZero() {
		strong, cancel := context.WithTimeout(ctx, strongReadTimeout)
		defer cancel()
		err := current(strong)
		if err == nil || !s.away(ctx, err) {
			return err
		}
		if err := s.goStale(ctx, c); err != nil {
			return err
		}
	}
	if err := s.await(ctx, in); err != nil {
		return err
	}
	return stale(ctx)
}

// goStale notes that the rest of the call is answered from the read models.
func (s *Server) goStale(ctx context.Context, c *call) error {
	at, err := s.dataAsOf(ctx)
	if err != nil {
		return err
	}
	c.asOf = at
	c.answer.Set("X-Data-As-Of", at.UTC().Format(time.RFC3339Nano))
	return nil
}

// pathID reads the id in a path.
func pathID(kind wireid.Kind, text string) (uuid.UUID, error) {
	id, err := wireid.Parse(kind, text)
	if err != nil {
		return uuid.Nil, errBadID.On("id", err.Error())
	}
	return id, nil
}

// filterID reads an id that a list is filtered by; the empty text is none.
func filterID(kind wireid.Kind, name, text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := wireid.Parse(kind, text)
	if err != nil {
		return uuid.Nil, errBadID.On(name, err.Error())
	}
	return id, nil
}

// Actor is who did something, as staff see it.
type Actor struct {
	Kind  events.ActorKind `json:"kind" enum:"customer,reseller,as_customer,system"`
	Label string           `json:"label" doc:"The same in words: Customer, Reseller, As Customer, System, or what the store calls them." example:"Reseller"`
	Staff *Person          `json:"staff,omitempty" doc:"The person behind Reseller and As Customer. Customers do not see it."`
	ID    string           `json:"id,omitempty" doc:"The customer, or the name of the component of the system."`
}

// Person is a member of the team.
type Person struct {
	ID   string `json:"id" example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name string `json:"name" doc:"Or the email address of somebody without a name."`
	Self string `json:"self" doc:"Where to read more."`
}

var actorLabels = map[events.ActorKind]policy.Policy{
	events.ActorCustomer: policy.CustomerLabel, events.ActorReseller: policy.ResellerLabel,
	events.ActorAsCustomer: policy.AsCustomerLabel, events.ActorSystem: policy.SystemLabel,
}

// shownActor is an actor with the name of the staff member, as the store of the
// caller calls them.
func shownActor(who *caller, kind events.ActorKind, id string, staff uuid.UUID, name string) Actor {
	a := Actor{Kind: kind, Label: who.policies.Get(actorLabels[kind]), ID: actorID(kind, id)}
	if staff != uuid.Nil && !who.isCustomer() {
		a.Staff = &Person{ID: wireid.Format(wireid.Staff, staff), Name: name, Self: staffPath(staff)}
	}
	return a
}

// actorID is the id of an actor as callers see it: the customer's, or the name of
// a component of the system.
func actorID(kind events.ActorKind, id string) string {
	switch kind {
	case events.ActorSystem:
		return id
	case events.ActorCustomer, events.ActorAsCustomer:
		if parsed, err := uuid.Parse(id); err == nil {
			return wireid.Format(wireid.Customer, parsed)
		}
	}
	return ""
}

// actorOf is the actor of an event that was read from the log, with the name of
// the staff member from the log too.
func (s *Server) actorOf(ctx context.Context, store uuid.UUID, a events.Actor) (Actor, error) {
	name := ""
	if a.StaffID != uuid.Nil {
		member, err := staff.Decider.Load(ctx, s.engine, store, events.StaffStream(a.StaffID))
		if err != nil {
			return Actor{}, err
		}
		name = personName(shown(member.State.Name), shown(member.State.Email))
	}
	return shownActor(callerOf(ctx), a.Kind, a.ID, a.StaffID, name), nil
}

// actorFromRows is the actor of a row of a read model.
func (s *Server) actorFromRows(ctx context.Context, store uuid.UUID, a events.Actor) (Actor, error) {
	name := ""
	if a.StaffID != uuid.Nil {
		members, err := s.queries.StaffByID(ctx, store, []uuid.UUID{a.StaffID})
		if err != nil {
			return Actor{}, err
		}
		for _, m := range members {
			name = personName(m.Name, m.Email)
		}
	}
	return shownActor(callerOf(ctx), a.Kind, a.ID, a.StaffID, name), nil
}

// personName is what to call a team member.
func personName(name, email *string) string {
	if text(name) != "" {
		return text(name)
	}
	return text(email)
}

// text is a column that may be missing.
func text(column *string) string {
	if column == nil {
		return ""
	}
	return *column
}
