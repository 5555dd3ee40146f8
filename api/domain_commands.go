package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// DomainInput is a domain that enters the store.
type DomainInput struct {
	Name         string   `json:"name" doc:"In any spelling; kept in lower-case ASCII." example:"example.com"`
	RegisteredAt string   `json:"registered_at" doc:"A date, or a date and time (RFC 3339)." example:"2024-05-01"`
	ExpiresAt    string   `json:"expires_at" doc:"A date, or a date and time (RFC 3339)." example:"2027-05-01"`
	AutoRenew    bool     `json:"auto_renew,omitempty"`
	Locked       bool     `json:"locked,omitempty"`
	Privacy      bool     `json:"privacy,omitempty"`
	Nameservers  []string `json:"nameservers,omitempty" doc:"None, or 2 to 13 host names."`
}

// details checks everything about the domain and names every field at fault.
func (d DomainInput) details(store uuid.UUID) (domain.Details, error) {
	refused := domain.ErrInvalid
	registered, refused := parseDate(refused, "registered_at", d.RegisteredAt)
	expires, refused := parseDate(refused, "expires_at", d.ExpiresAt)
	checked, err := domain.CheckDetails(domain.Details{
		Name: d.Name, RegisteredAt: registered, ExpiresAt: expires,
		Settings: events.DomainSettings{AutoRenew: d.AutoRenew, Locked: d.Locked, Privacy: d.Privacy, Nameservers: d.Nameservers},
	})
	if len(refused.Fields) > 0 {
		return domain.Details{}, mergeFields(refused, err)
	}
	checked.DomainID = events.DomainID(store, checked.Name)
	return checked, err
}

// mergeFields adds the fields of a second refusal that the first does not name.
func mergeFields(f *fault.Error, err error) *fault.Error {
	other, ok := fault.As(err)
	if !ok {
		return f
	}
	named := make(map[string]bool)
	for _, field := range f.Fields {
		named[field.Name] = true
	}
	for _, field := range other.Fields {
		if !named[field.Name] {
			f = f.On(field.Name, field.Message)
		}
	}
	return f
}

// parseDate reads a date or a time. One that cannot be read stands for a
// far day within the limits, so that the rest is checked all the same.
func parseDate(refused *fault.Error, field, text string) (time.Time, *fault.Error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), refused
		}
	}
	stand := time.Date(1985, 1, 1, 0, 0, 0, 0, time.UTC)
	if field == "expires_at" {
		stand = stand.AddDate(1000, 0, 0)
	}
	return stand, refused.On(field, "is not a date such as 2026-01-31")
}

// RegisterDomainInput registers a domain.
type RegisterDomainInput struct {
	CommandInput
	Body struct {
		CustomerID string `json:"customer_id" doc:"Who gets it." example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
		DomainInput
	}
}

// registerDomain handles POST /v1/domains.
func (s *Server) registerDomain(ctx context.Context, in *RegisterDomainInput) (*CommandOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	details, err := in.Body.details(r.StoreID)
	owner, badOwner := wireid.Parse(wireid.Customer, in.Body.CustomerID)
	if badOwner != nil {
		err = mergeFields(domain.ErrInvalid.On("customer_id", badOwner.Error()), err)
	}
	if err != nil {
		return nil, err
	}
	var out decider.Outcome
	err = s.onceFor(ctx, in.IdempotencyKey != "", r, func() (decider.Outcome, error) {
		out, err = domain.Decider.HandleFrom(ctx, s.engine, events.DomainStream(details.DomainID), func(ctx context.Context, _ domain.State) (domain.Command, error) {
			holder, err := s.holder(ctx, r.StoreID, owner)
			return domain.Register{Details: details, Holder: holder}, err
		}, r)
		return out, err
	})
	if err != nil {
		return nil, err
	}
	return s.created(wireid.Format(wireid.Domain, details.DomainID), domainPath(details.DomainID), out, r), nil
}

// holder folds what decisions must know of a customer of the store.
func (s *Server) holder(ctx context.Context, store, id uuid.UUID) (domain.Holder, error) {
	loaded, err := customer.Decider.Load(ctx, s.engine, store, events.CustomerStream(id))
	if err != nil {
		return domain.Holder{}, err
	}
	if !loaded.State.Exists() {
		return domain.Holder{}, domain.ErrUnknownOwner
	}
	return holderOf(loaded.State), nil
}

// onDomain handles a command on the domain in the path. Each time that the
// domain's state is read its holder is read too, so the two always fit.
func (s *Server) onDomain(ctx context.Context, text string, command func(domain.Holder) domain.Command) (*CommandOutput, error) {
	id, err := pathID(wireid.Domain, text)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	out, err := domain.Decider.HandleFrom(ctx, s.engine, events.DomainStream(id), func(ctx context.Context, state domain.State) (domain.Command, error) {
		if !state.Exists() {
			return nil, domain.ErrNotFound
		}
		holder, err := s.holder(ctx, r.StoreID, state.CustomerID)
		return command(holder), unexpected(err, domain.ErrUnknownOwner)
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(text, out, r), nil
}

// SwitchInput sets a value to yes or no.
type SwitchInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Value bool `json:"value" doc:"What it shall be. Setting it to what it is already changes nothing."`
	}
}

// setAutoRenew handles POST /v1/domains/{id}/set-auto-renew.
func (s *Server) setAutoRenew(ctx context.Context, in *SwitchInput) (*CommandOutput, error) {
	return s.onDomain(ctx, in.ID, func(h domain.Holder) domain.Command {
		return domain.SetAutoRenew{On: in.Body.Value, By: callerOf(ctx).actor(), Holder: h}
	})
}

// setLock handles POST /v1/domains/{id}/set-lock.
func (s *Server) setLock(ctx context.Context, in *SwitchInput) (*CommandOutput, error) {
	return s.onDomain(ctx, in.ID, func(h domain.Holder) domain.Command {
		return domain.SetLock{On: in.Body.Value, By: callerOf(ctx).actor(), Holder: h}
	})
}

// setPrivacy handles POST /v1/domains/{id}/set-privacy.
func (s *Server) setPrivacy(ctx context.Context, in *SwitchInput) (*CommandOutput, error) {
	return s.onDomain(ctx, in.ID, func(h domain.Holder) domain.Command {
		return domain.SetPrivacy{On: in.Body.Value, By: callerOf(ctx).actor(), Holder: h}
	})
}

// SetNameserversInput delegates a domain.
type SetNameserversInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Nameservers []string `json:"nameservers" maxItems:"100" doc:"None, or 2 to 13 host names." example:"[\"ns1.example.net\",\"ns2.example.net\"]"`
	}
}

// setNameservers handles POST /v1/domains/{id}/set-nameservers.
func (s *Server) setNameservers(ctx context.Context, in *SetNameserversInput) (*CommandOutput, error) {
	return s.onDomain(ctx, in.ID, func(h domain.Holder) domain.Command {
		return domain.ChangeNameservers{Nameservers: in.Body.Nameservers, By: callerOf(ctx).actor(), Holder: h}
	})
}

// spelling is the one spelling of a domain name, or the text itself where it is
// not one.
func spelling(name string) string {
	if ascii, err := dnsname.Registrable(name); err == nil {
		return ascii
	}
	return name
}
