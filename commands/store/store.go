// Package store decides what may happen to a storefront.
package store

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// Decider is the storefront.
var Decider = decider.Decider[State, Command, events.StoreEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one store.
type Command interface{ storeCommand() }

// State is what deciding needs to know of a store.
type State struct {
	ID       uuid.UUID // zero when there is no such store
	Name     string
	Hosts    []string
	Branding events.Branding
	Mail     events.MailSettings
	Policies Policies
}

// Create opens a store.
type Create struct {
	StoreID  uuid.UUID
	Name     string
	Hosts    []string
	Branding events.Branding
}

// Rename changes the name that customers see.
type Rename struct{ Name string }

// ChangeHosts changes the host names under which the store is reached.
type ChangeHosts struct{ Hosts []string }

// ChangeBranding changes the logo and the colour.
type ChangeBranding struct{ Branding events.Branding }

func (Create) storeCommand()         {}
func (Rename) storeCommand()         {}
func (ChangeHosts) storeCommand()    {}
func (ChangeBranding) storeCommand() {}

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "store_not_found", "no such store")
	ErrExists   = fault.New(fault.Conflict, "store_exists", "this store exists already")
	ErrInvalid  = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.StoreEvent, error) {
	if c, ok := c.(Create); ok {
		return create(s, c)
	}
	if s.ID == uuid.Nil {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Rename:
		return rename(s, c)
	case ChangeHosts:
		return changeHosts(s, c)
	case ChangeBranding:
		return changeBranding(s, c)
	case ChangeMail:
		return changeMail(s, c)
	case SetPolicies:
		return setPolicies(s, c)
	}
	return nil, fmt.Errorf("store: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.StoreEvent) State {
	switch e := e.(type) {
	case events.StoreCreated:
		return State{ID: e.StoreID, Name: e.Name, Hosts: e.Hosts, Branding: e.Branding}
	case events.StoreRenamed:
		s.Name = e.After
	case events.StoreHostsChanged:
		s.Hosts = e.After
	case events.StoreBrandingChanged:
		s.Branding = e.After
	case events.StoreMailChanged:
		s.Mail = e.After
	case events.StorePolicySet:
		s.Policies = s.Policies.with(e)
	}
	return s
}

func create(s State, c Create) ([]events.StoreEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := ErrInvalid
	name, refused := checkName(c.Name, refused)
	hosts, refused := checkHosts(c.Hosts, refused)
	branding, refused := checkBranding(c.Branding, refused)
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	return []events.StoreEvent{events.StoreCreated{StoreID: c.StoreID, Name: name, Hosts: hosts, Branding: branding}}, nil
}

func rename(s State, c Rename) ([]events.StoreEvent, error) {
	name, refused := checkName(c.Name, ErrInvalid)
	switch {
	case len(refused.Fields) > 0:
		return nil, refused
	case name == s.Name:
		return nil, nil
	}
	return []events.StoreEvent{events.StoreRenamed{StoreID: s.ID, Before: s.Name, After: name}}, nil
}

func changeHosts(s State, c ChangeHosts) ([]events.StoreEvent, error) {
	hosts, refused := checkHosts(c.Hosts, ErrInvalid)
	switch {
	case len(refused.Fields) > 0:
		return nil, refused
	case slices.Equal(hosts, s.Hosts):
		return nil, nil
	}
	return []events.StoreEvent{events.StoreHostsChanged{StoreID: s.ID, Before: s.Hosts, After: hosts}}, nil
}

func changeBranding(s State, c ChangeBranding) ([]events.StoreEvent, error) {
	branding, refused := checkBranding(c.Branding, ErrInvalid)
	switch {
	case len(refused.Fields) > 0:
		return nil, refused
	case branding == s.Branding:
		return nil, nil
	}
	return []events.StoreEvent{events.StoreBrandingChanged{StoreID: s.ID, Before: s.Branding, After: branding}}, nil
}

func checkName(name string, refused *fault.Error) (string, *fault.Error) {
	name, err := identity.Line(name, 100)
	switch {
	case err != nil:
		refused = refused.On("name", err.Error())
	case name == "":
		refused = refused.On("name", "is empty")
	}
	return name, refused
}

const maxHosts = 20

func checkHosts(given []string, refused *fault.Error) ([]string, *fault.Error) {
	if len(given) == 0 || len(given) > maxHosts {
		return nil, refused.On("hosts", "needs 1 to 20 host names")
	}
	hosts := make([]string, 0, len(given))
	for i, name := range given {
		host, err := dnsname.Host(name)
		switch {
		case err != nil:
			refused = refused.On(fmt.Sprintf("hosts[%d]", i), err.Error())
		case slices.Contains(hosts, host):
			refused = refused.On(fmt.Sprintf("hosts[%d]", i), "is there twice")
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return hosts, refused
}

var colorPattern = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func checkBranding(b events.Branding, refused *fault.Error) (events.Branding, *fault.Error) {
	b.Color = strings.ToLower(b.Color)
	if b.Color != "" && !colorPattern.MatchString(b.Color) {
		refused = refused.On("branding.color", "is not a colour such as #1f6feb")
	}
	url, err := identity.Line(b.LogoURL, 500)
	if err != nil || url != "" && !strings.HasPrefix(url, "https://") {
		refused = refused.On("branding.logo_url", "is not an https address")
	}
	b.LogoURL = url
	return b, refused
}
