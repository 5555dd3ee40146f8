// Package apikey decides what may happen to the credentials of programs.
package apikey

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// Decider is the API key.
var Decider = decider.Decider[State, Command, events.APIKeyEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one API key.
type Command interface{ apiKeyCommand() }

// State is what deciding, and checking a presented key, needs to know.
type State struct {
	ID        uuid.UUID // zero when there is no such key
	StaffID   uuid.UUID
	Hash      string
	Source    events.Source
	ExpiresAt time.Time
	Revoked   bool
}

// Valid reports whether the key still opens anything at the given time.
func (s State) Valid(at time.Time) bool {
	return s.ID != uuid.Nil && !s.Revoked && at.Before(s.ExpiresAt)
}

// Create issues a key for a staff member. Its secret was drawn beforehand; only
// the hash is kept.
type Create struct {
	APIKeyID  uuid.UUID
	StaffID   uuid.UUID
	Prefix    string
	Hash      string
	Label     string
	Source    events.Source
	ExpiresAt time.Time
	At        time.Time
}

// Revoke ends a key for good.
type Revoke struct{}

func (Create) apiKeyCommand() {}
func (Revoke) apiKeyCommand() {}

// MaxLifetime is how long a key may be valid.
const MaxLifetime = 366 * 24 * time.Hour

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "api_key_not_found", "no such API key")
	ErrExists   = fault.New(fault.Conflict, "api_key_exists", "this API key exists already")
	ErrInvalid  = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.APIKeyEvent, error) {
	switch c := c.(type) {
	case Create:
		return create(s, c)
	case Revoke:
		return revoke(s)
	}
	return nil, fmt.Errorf("apikey: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.APIKeyEvent) State {
	switch e := e.(type) {
	case events.APIKeyCreated:
		return State{ID: e.APIKeyID, StaffID: e.StaffID, Hash: e.Hash, Source: e.Source, ExpiresAt: e.ExpiresAt}
	case events.APIKeyRevoked:
		s.Revoked = true
	}
	return s
}

func create(s State, c Create) ([]events.APIKeyEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := ErrInvalid
	label, err := identity.Line(c.Label, 100)
	if err != nil {
		refused = refused.On("label", err.Error())
	}
	if !slices.Contains([]events.Source{events.SourceAPI, events.SourceCLI, events.SourceImport}, c.Source) {
		refused = refused.On("source", "is not one of api, cli, import")
	}
	if lifetime := c.ExpiresAt.Sub(c.At); lifetime <= 0 || lifetime > MaxLifetime {
		refused = refused.On("expires_at", "is not within the next 366 days")
	}
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	created := events.APIKeyCreated{
		APIKeyID: c.APIKeyID, StaffID: c.StaffID, Prefix: c.Prefix, Hash: c.Hash,
		Source: c.Source, ExpiresAt: c.ExpiresAt.UTC(),
	}
	if label != "" {
		created.Label = events.Clear(label)
	}
	return []events.APIKeyEvent{created}, nil
}

func revoke(s State) ([]events.APIKeyEvent, error) {
	switch {
	case s.ID == uuid.Nil:
		return nil, ErrNotFound
	case s.Revoked:
		return nil, nil
	}
	return []events.APIKeyEvent{events.APIKeyRevoked{APIKeyID: s.ID, StaffID: s.StaffID}}, nil
}
