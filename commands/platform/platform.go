// Package platform decides what may happen to a Steward installation as a
// whole: its beginning, and what its operators do to projections.
package platform

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the platform.
var Decider = decider.Decider[State, Command, events.PlatformEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about the platform.
type Command interface{ platformCommand() }

// State is what deciding needs to know of the platform.
type State struct {
	LogID  uuid.UUID // zero before the beginning
	Parked map[string][]uuid.UUID
}

// Initialize begins a log.
type Initialize struct {
	LogID         uuid.UUID
	IdentityScope events.IdentityScope
	KeyChecks     map[string]string
}

// Park tells a group of projections to pass over an event.
type Park struct {
	EventID uuid.UUID
	Group   string
}

func (Initialize) platformCommand() {}
func (Park) platformCommand()       {}

// Format is the version of the stored format that this program writes.
const Format = 1

// Faults of this aggregate.
var (
	ErrInitialized    = fault.New(fault.Conflict, "already_initialized", "this log was begun with another id")
	ErrNotInitialized = fault.New(fault.Conflict, "not_initialized", "the log is empty: run steward init")
	ErrInvalid        = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.PlatformEvent, error) {
	switch c := c.(type) {
	case Initialize:
		return initialize(s, c)
	case Park:
		return park(s, c)
	}
	return nil, fmt.Errorf("platform: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.PlatformEvent) State {
	switch e := e.(type) {
	case events.PlatformInitialized:
		s.LogID = e.LogID
	case events.PlatformEventParked:
		parked := make(map[string][]uuid.UUID, len(s.Parked)+1)
		for group, ids := range s.Parked {
			parked[group] = ids
		}
		parked[e.Group] = append(slices.Clip(parked[e.Group]), e.EventID)
		s.Parked = parked
	}
	return s
}

func initialize(s State, c Initialize) ([]events.PlatformEvent, error) {
	switch {
	case c.IdentityScope != events.ScopeStore && c.IdentityScope != events.ScopePlatform:
		return nil, ErrInvalid.On("identity_scope", "is neither store nor platform")
	case s.LogID == c.LogID:
		return nil, nil
	case s.LogID != uuid.Nil:
		return nil, ErrInitialized
	}
	return []events.PlatformEvent{events.PlatformInitialized{
		LogID: c.LogID, Format: Format, IdentityScope: c.IdentityScope, KeyChecks: c.KeyChecks,
	}}, nil
}

func park(s State, c Park) ([]events.PlatformEvent, error) {
	switch {
	case s.LogID == uuid.Nil:
		return nil, ErrNotInitialized
	case c.Group == "":
		return nil, ErrInvalid.On("group", "is empty")
	case slices.Contains(s.Parked[c.Group], c.EventID):
		return nil, nil
	}
	return []events.PlatformEvent{events.PlatformEventParked{EventID: c.EventID, Group: c.Group}}, nil
}
