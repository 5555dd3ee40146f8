package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
)

// Erasures are the decisions by which an erasure is carried out. They are what
// package erasure asks for.
type Erasures struct {
	Engine *decider.Engine
	Now    func() time.Time // [time.Now] if nil
}

// request is the command of a step. It follows from whom the step is about, so that
// two processes which take it at the same time take it once.
func (a Erasures) request(store, of uuid.UUID, step string) decider.Request {
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	id := uuid.NewSHA1(of, []byte("erasure\x00"+step))
	return decider.Request{
		StoreID: store, Actor: events.System("erasure"), Source: events.SourceReaction,
		CommandID: id, Fingerprint: id.String(), At: now(),
	}
}

// Erase ends an account whose erasure is due.
func (a Erasures) Erase(ctx context.Context, store, id uuid.UUID) (uuid.UUID, bool, error) {
	r := a.request(store, id, "customer")
	_, err := customer.Decider.Handle(ctx, a.Engine, events.CustomerStream(id), customer.Erase{Now: r.At}, r)
	if errors.Is(err, customer.ErrErasureNotDue) || errors.Is(err, customer.ErrNotFound) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, err
	}
	loaded, err := customer.Decider.Load(ctx, a.Engine, store, events.CustomerStream(id))
	return loaded.State.LoginID, err == nil, err
}

// EraseLogin ends the login and returns the credentials that it had.
func (a Erasures) EraseLogin(ctx context.Context, store, id, loginID uuid.UUID) ([]events.Subject, error) {
	stream := events.LoginStream(loginID)
	if _, err := login.Decider.Handle(ctx, a.Engine, stream, login.Erase{LoginID: loginID, CustomerID: id}, a.request(store, loginID, "login")); err != nil {
		return nil, err
	}
	history, err := login.Decider.LoadHistory(ctx, a.Engine, store, stream)
	if err != nil {
		return nil, err
	}
	for _, env := range history.Events {
		if e, ok := env.Event.(events.LoginErased); ok {
			return e.Ends(), nil
		}
	}
	return nil, errors.New("a login that was erased does not say so")
}

// SettleNames releases the names of an account that has ended, or keeps them.
func (a Erasures) SettleNames(ctx context.Context, id uuid.UUID) error {
	records, err := a.Engine.Log.ReadStream(ctx, events.CustomerStream(id), 0)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Type != events.TypeCustomerErased {
			continue
		}
		env, err := events.Decode(r)
		if err != nil {
			return err
		}
		return a.Engine.Names.Settle(ctx, env)
	}
	return errors.New("an account that was erased does not say so")
}

// Complete notes which keys were destroyed.
func (a Erasures) Complete(ctx context.Context, store, id uuid.UUID, destroyed []events.KeyCommitment) error {
	c := customer.CompleteErasure{Keys: make([]events.DestroyedKey, len(destroyed))}
	for i, k := range destroyed {
		c.Keys[i] = events.DestroyedKey{KeyID: k.ID, Subject: k.Subject.String(), Commitment: k.Commitment}
	}
	_, err := customer.Decider.Handle(ctx, a.Engine, events.CustomerStream(id), c, a.request(store, id, "completed"))
	return err
}
