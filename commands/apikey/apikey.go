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
	Prefix    string
	Hash      string
	Source    events.Source
	ExpiresAt time.Time
	Revoked   bool
	// Scopes are the permissions that the key can have, and Role the highest role that
	// it can act with: empty is no limit.
	Scopes []string
	Role   events.Role
	// PreviousHash is that of the secret before, which is good until PreviousUntil.
	PreviousHash  string
	PreviousUntil time.Time
	// UsedOn is the last day on which its use was noted, empty for none.
	UsedOn string
}

// Valid reports whether the key still opens anything at the given time.
func (s State) Valid(at time.Time) bool {
	return s.ID != uuid.Nil && !s.Revoked && at.Before(s.ExpiresAt)
}

// Opens reports whether a presented secret, which matches tells the hash of, opens
// the key at the given time.
func (s State) Opens(matches func(hash string) bool, at time.Time) bool {
	now, before := matches(s.Hash), matches(s.PreviousHash)
	return s.Valid(at) && (now || before && at.Before(s.PreviousUntil))
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
	// Scopes are what the key is to be limited to, nothing for all that it can have:
	// Allowed, what both its staff member and whoever makes it may do.
	Scopes  []string
	Allowed []string
	Role    events.Role // the staff member's
}

// Revoke ends a key for good.
type Revoke struct{}

// Rotate gives a key another secret, of which only the hash is kept. The one before
// stays good for the time of Grace, up to [MaxGrace].
type Rotate struct {
	Hash  string
	Grace time.Duration
	At    time.Time
}

// Use notes that a key was used on a day.
type Use struct{ Day string }

func (Create) apiKeyCommand() {}
func (Revoke) apiKeyCommand() {}
func (Rotate) apiKeyCommand() {}
func (Use) apiKeyCommand()    {}

// Day is the one that a time is in, as [events.APIKeyUsed] writes it.
func Day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// MaxGrace is how long the secret before can stay good.
const MaxGrace = 24 * time.Hour

// MaxLifetime is how long a key may be valid.
const MaxLifetime = 366 * 24 * time.Hour

// Faults of this aggregate.
var (
	ErrNotFound = fault.New(fault.NotFound, "api_key_not_found", "no such API key")
	ErrExists   = fault.New(fault.Conflict, "api_key_exists", "this API key exists already")
	ErrOver     = fault.New(fault.Conflict, "api_key_over", "this API key was revoked or has expired: create another one")
	ErrInvalid  = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.APIKeyEvent, error) {
	switch c := c.(type) {
	case Create:
		return create(s, c)
	case Revoke:
		return revoke(s)
	case Rotate:
		return rotate(s, c)
	case Use:
		if s.ID == uuid.Nil || c.Day <= s.UsedOn {
			return nil, nil
		}
		return []events.APIKeyEvent{events.APIKeyUsed{APIKeyID: s.ID, StaffID: s.StaffID, Day: c.Day}}, nil
	}
	return nil, fmt.Errorf("apikey: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.APIKeyEvent) State {
	switch e := e.(type) {
	case events.APIKeyCreated:
		return State{
			ID: e.APIKeyID, StaffID: e.StaffID, Prefix: e.Prefix, Hash: e.Hash, Source: e.Source, ExpiresAt: e.ExpiresAt,
			Scopes: e.Scopes, Role: e.Role,
		}
	case events.APIKeyRevoked:
		s.Revoked = true
	case events.APIKeyRotated:
		s.PreviousHash, s.PreviousUntil, s.Hash = s.Hash, e.PreviousUntil, e.Hash
	case events.APIKeyUsed:
		s.UsedOn = e.Day
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
	scopes := c.Allowed
	if len(c.Scopes) > 0 {
		scopes = slices.Compact(slices.Sorted(slices.Values(c.Scopes)))
	}
	if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(c.Allowed, scope) }) {
		refused = refused.On("scopes", "are not all permissions that you and the team member have")
	}
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	created := events.APIKeyCreated{
		APIKeyID: c.APIKeyID, StaffID: c.StaffID, Prefix: c.Prefix, Hash: c.Hash,
		Source: c.Source, ExpiresAt: c.ExpiresAt.UTC(), Scopes: scopes, Role: c.Role,
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

func rotate(s State, c Rotate) ([]events.APIKeyEvent, error) {
	switch {
	case s.ID == uuid.Nil:
		return nil, ErrNotFound
	case !s.Valid(c.At):
		return nil, ErrOver
	case c.Grace < 0 || c.Grace > MaxGrace:
		return nil, ErrInvalid.On("grace_minutes", "is not from 0 to 1440")
	}
	return []events.APIKeyEvent{events.APIKeyRotated{
		APIKeyID: s.ID, StaffID: s.StaffID, Hash: c.Hash, PreviousUntil: c.At.Add(c.Grace).UTC(),
	}}, nil
}
