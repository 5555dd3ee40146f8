package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/wireid"
)

// receiver is who is to get a domain.
type receiver struct {
	holder domain.Holder
	state  customer.State // of an existing customer
	isNew  bool
}

// receiver finds out who is meant. A new one has an id that stands for nobody
// yet.
func (s *Server) receiver(ctx context.Context, store uuid.UUID, in PushInput) (receiver, error) {
	switch {
	case (in.To == nil) == (in.NewCustomer == nil):
		return receiver{}, errPushTarget.On("to", "or new_customer, one of the two, is needed")
	case in.NewCustomer != nil:
		id := uuid.New()
		if _, err := customer.Decide(customer.State{}, in.NewCustomer.command(id, events.OriginStaff, callerOf(ctx).policies)); err != nil {
			return receiver{}, under("new_customer", err)
		}
		return receiver{holder: domain.Holder{ID: id, MayOwn: true}, isNew: true}, nil
	}
	id, err := s.pushTarget(ctx, store, *in.To)
	if err != nil {
		return receiver{}, err
	}
	loaded, err := customer.Decider.Load(ctx, s.engine, store, events.CustomerStream(id))
	switch {
	case err != nil:
		return receiver{}, err
	case !loaded.State.Exists():
		return receiver{}, errPushUnknownName.On("to", "is not a customer")
	}
	return receiver{holder: holderOf(loaded.State), state: loaded.State}, nil
}

// pushTarget looks an existing customer up, by names as the log has them.
func (s *Server) pushTarget(ctx context.Context, store uuid.UUID, to PushTarget) (uuid.UUID, error) {
	given := 0
	for _, text := range []string{to.CustomerID, to.Username, to.Email} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return uuid.Nil, errPushTarget.On("to", "needs one of customer_id, username, email")
	}
	var name uniq.Name
	switch {
	case to.CustomerID != "":
		id, err := wireid.Parse(wireid.Customer, to.CustomerID)
		if err != nil {
			return uuid.Nil, domain.ErrInvalid.On("to.customer_id", err.Error())
		}
		return id, nil
	case to.Username != "":
		username, err := identity.Username(to.Username)
		if err != nil {
			return uuid.Nil, domain.ErrInvalid.On("to.username", err.Error())
		}
		name = uniq.Name{Kind: events.NameUsername, Key: identity.UsernameKey(username), Field: "to.username"}
	default:
		email, err := identity.Email(to.Email)
		if err != nil {
			return uuid.Nil, domain.ErrInvalid.On("to.email", err.Error())
		}
		name = uniq.Name{Kind: events.NameEmail, Key: identity.EmailKey(email), Field: "to.email"}
	}
	id, found, err := s.holderOfName(ctx, store, name)
	if err == nil && !found {
		err = errPushUnknownName.On(name.Field, "is not a customer's")
	}
	return id, err
}

// holderOfName is the customer who has a name now.
func (s *Server) holderOfName(ctx context.Context, store uuid.UUID, name uniq.Name) (uuid.UUID, bool, error) {
	stream, found, err := s.engine.Names.Holder(ctx, store, name)
	if err != nil || !found {
		return uuid.Nil, false, err
	}
	id, err := events.StreamID(stream)
	return id, err == nil, err
}

// under puts the fields of a fault below another.
func under(parent string, err error) error {
	f, ok := fault.As(err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	moved := fault.New(f.Kind, f.Code, f.Message).After(f.RetryAfter)
	for _, field := range f.Fields {
		moved = moved.On(parent+"."+field.Name, field.Message)
	}
	return moved
}
