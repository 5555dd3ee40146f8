package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/wireid"
)

// DomainDetail is everything about one domain.
type DomainDetail struct {
	ID               string           `json:"id" example:"dom_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name             string           `json:"name" example:"example.com"`
	UnicodeName      string           `json:"unicode_name"`
	Owner            DomainOwner      `json:"owner"`
	RegisteredAt     time.Time        `json:"registered_at"`
	ExpiresAt        time.Time        `json:"expires_at"`
	Settings         DomainSettings   `json:"settings"`
	OnHold           bool             `json:"on_hold" doc:"Whether it is on hold with its owner's account: staff can change it, the owner cannot."`
	Revision         int64            `json:"revision"`
	Links            DomainLinks      `json:"links"`
	AvailableActions *[]domain.Action `json:"available_actions,omitempty" doc:"What you could do to the domain now with an effect. Left out while that cannot be known."`
}

// DomainOwner is who holds a domain.
type DomainOwner struct {
	ID       string                `json:"id"`
	Name     string                `json:"name"`
	Email    *string               `json:"email"`
	Username *string               `json:"username"`
	Status   events.CustomerStatus `json:"status"`
	Self     string                `json:"self"`
}

// DomainSettings is what can be set on a domain.
type DomainSettings struct {
	AutoRenew   bool     `json:"auto_renew"`
	Locked      bool     `json:"locked"`
	Privacy     bool     `json:"privacy"`
	Nameservers []string `json:"nameservers"`
}

// DomainOutput is the answer with one domain.
type DomainOutput struct {
	ETag string `header:"ETag"`
	Body DomainDetail
}

// getDomain handles GET /v1/domains/{id}.
func (s *Server) getDomain(ctx context.Context, in *IDInput) (out *DomainOutput, err error) {
	id, err := pathID(wireid.Domain, in.ID)
	if err != nil {
		return nil, err
	}
	store := callerOf(ctx).storeID
	err = s.read(ctx, in.ReadInput, func(ctx context.Context) error {
		out, err = s.domainFromLog(ctx, store, id)
		return err
	}, func(ctx context.Context) error {
		out, err = s.domainFromRow(ctx, store, id)
		return err
	})
	return out, err
}

// loadDomain folds a domain of the caller's store.
func (s *Server) loadDomain(ctx context.Context, store, id uuid.UUID) (decider.Loaded[domain.State], error) {
	loaded, err := domain.Decider.Load(ctx, s.engine, store, events.DomainStream(id))
	if err == nil && !loaded.State.Exists() {
		err = domain.ErrNotFound
	}
	return loaded, err
}

func (s *Server) domainFromLog(ctx context.Context, store, id uuid.UUID) (*DomainOutput, error) {
	loaded, err := s.loadDomain(ctx, store, id)
	if err != nil {
		return nil, err
	}
	owner, err := s.loadCustomer(ctx, store, loaded.State.CustomerID)
	if err != nil {
		return nil, unexpected(err, customer.ErrNotFound)
	}
	state, who := loaded.State, callerOf(ctx)
	view, holder := ownerView(owner.State), holderOf(owner.State)
	actions := permittedDomainActions(who, domain.Actions(state, holder, who.actor()))
	return &DomainOutput{ETag: etag(loaded.Revision), Body: DomainDetail{
		ID: wireid.Format(wireid.Domain, state.ID), Name: state.Name, UnicodeName: dnsname.Unicode(state.Name), Owner: view,
		RegisteredAt: state.RegisteredAt, ExpiresAt: state.ExpiresAt,
		Settings: DomainSettings{
			AutoRenew: state.Settings.AutoRenew, Locked: state.Settings.Locked, Privacy: state.Settings.Privacy,
			Nameservers: nonNil(state.Settings.Nameservers),
		},
		OnHold: holder.Hold, Revision: int64(loaded.Revision), Links: domainLinks(state.ID, state.CustomerID), AvailableActions: &actions,
	}}, nil
}

func (s *Server) domainFromRow(ctx context.Context, store, id uuid.UUID) (*DomainOutput, error) {
	d, found, err := s.queries.Domain(ctx, store, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, domain.ErrNotFound
	}
	owner, _, err := s.queries.Customer(ctx, store, d.CustomerID)
	if err != nil {
		return nil, err
	}
	row := customerRow(owner, nil)
	return &DomainOutput{ETag: etag(eventstore.Revision(d.Revision)), Body: DomainDetail{
		ID: wireid.Format(wireid.Domain, d.DomainID), Name: d.Name, UnicodeName: d.UnicodeName,
		Owner: DomainOwner{
			ID: row.ID, Name: row.Name, Email: row.Email, Username: row.Username, Status: row.Status, Self: row.Links.Self,
		},
		RegisteredAt: d.RegisteredAt, ExpiresAt: d.ExpiresAt,
		Settings: DomainSettings{AutoRenew: d.AutoRenew, Locked: d.Locked, Privacy: d.Privacy, Nameservers: nonNil(d.Nameservers)},
		OnHold:   owner.HoldServices, Revision: int64(d.Revision), Links: domainLinks(d.DomainID, d.CustomerID),
	}}, nil
}

func ownerView(c customer.State) DomainOwner {
	return DomainOwner{
		ID: wireid.Format(wireid.Customer, c.ID), Email: shown(c.Email), Username: shown(c.Username), Status: c.Status,
		Name: customerName(c.Status, text(shown(c.Profile.FirstName)), text(shown(c.Profile.LastName)), text(shown(c.Profile.Company)), text(shown(c.Username)), text(shown(c.Email))),
		Self: customerPath(c.ID),
	}
}

// holderOf is what decisions about domains must know of a customer.
func holderOf(c customer.State) domain.Holder {
	return domain.Holder{ID: c.ID, MayOwn: c.MayOwn(), Hold: c.Hold}
}

// domainPermissions says which permission an action needs, as its route does.
var domainPermissions = map[domain.Action]permission{
	domain.ActionSetAutoRenew: permitDomainsWrite, domain.ActionSetLock: permitDomainsWrite,
	domain.ActionSetPrivacy: permitDomainsWrite, domain.ActionSetNameservers: permitDomainsWrite,
	domain.ActionPush: permitDomainsPush,
}

func permittedDomainActions(who *caller, all []domain.Action) []domain.Action {
	permitted := []domain.Action{}
	for _, action := range all {
		if p, ok := domainPermissions[action]; ok && (who.may(p) || who.actsOnOwn() && p == permitDomainsWrite) {
			permitted = append(permitted, action)
		}
	}
	return permitted
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// errBroken reports what the log must never hold.
var errBroken = errors.New("the log contradicts itself")

// unexpected turns a fault that the caller did not cause into a defect.
func unexpected(err, fault error) error {
	if errors.Is(err, fault) {
		return errors.Join(errBroken, errors.New(err.Error()))
	}
	return err
}
