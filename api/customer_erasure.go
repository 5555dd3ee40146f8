package api

import (
	"context"
	"time"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/wireid"
)

// EraseInput asks for an erasure.
type EraseInput struct {
	CommandContext
	ID   string `path:"id"`
	Body *struct {
		Password string `json:"password,omitempty" maxLength:"2000" doc:"For customers."`
		Force    bool   `json:"force,omitempty" doc:"For the team: also if the customer holds domains. They stay with the erased account until they are pushed."`
	}
}

// eraseCustomer handles POST /v1/customers/{id}/erase.
func (s *Server) eraseCustomer(ctx context.Context, in *EraseInput) (*CommandOutput, error) {
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
	command := customer.RequestErasure{By: who.actor(), Explained: explained(ctx), Policies: who.policies, Now: r.At}
	password := ""
	if in.Body != nil {
		password, command.Force = in.Body.Password, in.Body.Force
	}
	if who.isCustomer() {
		if err := s.provePassword(ctx, identified{account: account}, password, r); err != nil {
			return nil, err
		}
	}
	out, err := customer.Decider.HandleFrom(ctx, s.engine, events.CustomerStream(id), func(ctx context.Context, state customer.State) (_ customer.Command, err error) {
		command.HoldsDomains, err = s.holdsDomains(ctx, state, command.Force && !who.isCustomer())
		return command, err
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

// cancelErasure handles POST /v1/customers/{id}/cancel-erasure.
func (s *Server) cancelErasure(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	return s.onCustomer(ctx, in.ID, customer.CancelErasure{By: callerOf(ctx).actor(), Now: s.clock.now()})
}

// holdsDomains reports whether a customer of the caller's store who is about to go
// holds domains that have not expired. Who holds what the log tells domain by domain
// only, so this asks the read model, once it has got as far as the log is now; who
// sends force need not wait for that.
func (s *Server) holdsDomains(ctx context.Context, state customer.State, force bool) (bool, error) {
	if force || !state.Exists() || state.Erasure.Pending() || state.Status == events.StatusErased {
		return false, nil
	}
	head, err := s.engine.Log.Head(ctx)
	if err != nil {
		return false, err
	}
	if err := s.waiter.Wait(ctx, head); err != nil {
		return false, err
	}
	return s.queries.HoldsDomains(ctx, callerOf(ctx).storeID, state.ID, s.clock.now())
}

// DeleteInput deletes a customer.
type DeleteInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct {
		Force bool `json:"force,omitempty" doc:"Also if the customer holds domains. They stay with the deleted account until they are pushed."`
	}
}

// deleteCustomer handles POST /v1/customers/{id}/delete.
func (s *Server) deleteCustomer(ctx context.Context, in *DeleteInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	c := customer.Delete{By: who.actor(), Explained: explained(ctx), Policies: who.policies, Now: s.clock.now()}
	if in.Body != nil {
		c.Force = in.Body.Force
	}
	return s.onCustomerFrom(ctx, in.ID, func(ctx context.Context, state customer.State) (_ customer.Command, err error) {
		c.HoldsDomains, err = s.holdsDomains(ctx, state, c.Force || state.Status == events.StatusDeleted)
		return c, err
	})
}

// RestoreInput restores a customer.
type RestoreInput struct {
	CommandInput
	ID   string `path:"id"`
	Body *struct {
		Email      *string `json:"email,omitempty" doc:"If the names of the customer became free with the deletion: another one than before."`
		Username   *string `json:"username,omitempty" doc:"The same; the empty text is none, where the store's policies allow that."`
		ExternalID *string `json:"external_id,omitempty" doc:"The same; the empty text is none."`
	}
}

// restoreCustomer handles POST /v1/customers/{id}/restore.
func (s *Server) restoreCustomer(ctx context.Context, in *RestoreInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	c := customer.Restore{By: who.actor(), Policies: who.policies}
	if in.Body != nil {
		c.Email, c.Username, c.ExternalID = in.Body.Email, in.Body.Username, in.Body.ExternalID
	}
	return s.onCustomer(ctx, in.ID, c)
}

// ErasureView is how far the erasure of a customer is.
type ErasureView struct {
	DueAt     *time.Time `json:"due_at" doc:"When it happens unless it is cancelled; null once it has."`
	Completed bool       `json:"completed" doc:"Whether the keys are gone everywhere."`
}

// erasureView is nil for a customer whom nobody wants erased.
func erasureView(state customer.State) *ErasureView {
	switch {
	case state.Status == events.StatusErased:
		return &ErasureView{Completed: state.Erasure.Completed}
	case state.Erasure.Pending():
		return &ErasureView{DueAt: &state.Erasure.DueAt}
	}
	return nil
}
