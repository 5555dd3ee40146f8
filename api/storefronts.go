package api

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/wireid"
)

// storefront is the store that a visitor came to, who has no credential yet.
type storefront struct {
	id       uuid.UUID
	name     string
	policies policy.Set
}

// StorefrontInput names the store of a request without a credential.
type StorefrontInput struct {
	Store string `header:"Steward-Store" doc:"The store, where the host of the request does not say it." example:"sto_01k9x4t6m1c8d0e5f7g9h2j4k6"`
}

var errNoStorefront = fault.New(fault.NotFound, "store_not_found", "there is no store here: send its id as Steward-Store, or ask under its own host name")

// storefront finds the store that a request names, or that lives under its host.
func (s *Server) storefront(ctx context.Context, in StorefrontInput) (storefront, error) {
	id, err := wireid.Parse(wireid.Store, in.Store)
	switch {
	case in.Store == "":
		id, err = s.storeAt(ctx, callOf(ctx).host)
		if err != nil {
			return storefront{}, err
		}
	case err != nil:
		return storefront{}, errNoStorefront
	}
	shop, err := store.Decider.Load(ctx, s.engine, id, events.StoreStream(id))
	switch {
	case err != nil:
		return storefront{}, err
	case shop.State.ID == uuid.Nil:
		return storefront{}, errNoStorefront
	}
	return storefront{id: id, name: shop.State.Name, policies: shop.State.Policies.At(s.clock.now())}, nil
}

// hostName is the name in the address that a request was sent to, and false for
// an address that is no name.
func hostName(address string) (string, bool) {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return "", false
	}
	host, err := dnsname.Host(address)
	return host, err == nil
}

// atHome refuses a customer of one store under the host name of another. Names
// that are no store's, such as that of an API, serve all.
func (s *Server) atHome(ctx context.Context, own uuid.UUID, hosts []string) error {
	address := callOf(ctx).host
	if host, ok := hostName(address); !ok || slices.Contains(hosts, host) {
		return nil
	}
	switch id, err := s.storeAt(ctx, address); {
	case errors.Is(err, errNoStorefront), err == nil && id == own:
		return nil
	case err != nil:
		return err
	}
	return errUnauthorized
}

// storeAt is the store that lives under a host name.
func (s *Server) storeAt(ctx context.Context, address string) (uuid.UUID, error) {
	host, ok := hostName(address)
	if !ok {
		return uuid.Nil, errNoStorefront
	}
	stream, found, err := s.engine.Names.Holder(ctx, uuid.Nil, uniq.Name{Kind: events.NameHost, Key: host})
	if err != nil {
		return uuid.Nil, err
	}
	if !found {
		return uuid.Nil, errNoStorefront
	}
	return events.StreamID(stream)
}

// visit makes the request of somebody who has no credential yet. What they send
// holds secrets, so nothing is derived from it.
func (s *Server) visit(ctx context.Context, store uuid.UUID) (decider.Request, error) {
	c := callOf(ctx)
	if len(c.header.Values("Idempotency-Key")) > 0 {
		return decider.Request{}, errKeyNotAllowed
	}
	command := uuid.New()
	c.commandID = command
	return decider.Request{
		StoreID: store, Actor: events.Customer(uuid.Nil, uuid.Nil), Source: events.SourceAPI,
		CommandID: command, Fingerprint: command.String(), RequestID: c.requestID, Net: netOf(ctx), At: s.clock.now(),
	}, nil
}
