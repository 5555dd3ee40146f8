// Package staff decides what may happen to the members of a reseller's team.
package staff

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// Decider is the staff member.
var Decider = decider.Decider[State, Command, events.StaffEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one staff member.
type Command interface{ staffCommand() }

// State is what deciding needs to know of a staff member.
type State struct {
	ID     uuid.UUID // zero when there is no such member
	Email  events.Personal
	Name   events.Personal
	Role   events.Role
	Active bool
	// Standing counts what makes links that were sent, and sessions that began,
	// good no more: another address, and being deactivated or let back in.
	Standing uint64
}

// Grantor is who gives or takes a role: nobody grants above themselves.
type Grantor struct {
	StaffID uuid.UUID
	Role    events.Role
}

// Create adds a member to the team.
type Create struct {
	StaffID uuid.UUID
	Email   string
	Name    string
	Role    events.Role
	Invite  bool // with a link to a first password
	By      Grantor
}

// Rename changes the member's name.
type Rename struct{ Name string }

// ChangeEmail changes the member's email address.
type ChangeEmail struct{ Email string }

// ChangeRole changes what the member may do.
type ChangeRole struct {
	Role events.Role
	By   Grantor
}

// Deactivate stops the member and every API key of theirs.
type Deactivate struct{ By Grantor }

// Reactivate lets the member back in.
type Reactivate struct{ By Grantor }

func (Create) staffCommand()      {}
func (Rename) staffCommand()      {}
func (ChangeEmail) staffCommand() {}
func (ChangeRole) staffCommand()  {}
func (Deactivate) staffCommand()  {}
func (Reactivate) staffCommand()  {}

// Faults of this aggregate.
var (
	ErrNotFound    = fault.New(fault.NotFound, "staff_not_found", "no such staff member")
	ErrExists      = fault.New(fault.Conflict, "staff_exists", "this staff member exists already")
	ErrAboveSelf   = fault.New(fault.Forbidden, "role_above_own", "nobody gives or takes a role above their own")
	ErrSelf        = fault.New(fault.Conflict, "not_yourself", "ask another owner or admin: nobody changes their own role or deactivates themselves")
	ErrInvalid     = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
	errUnknownRole = "is not one of owner, admin, support, auditor, analyst"
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.StaffEvent, error) {
	if c, ok := c.(Create); ok {
		return create(s, c)
	}
	if s.ID == uuid.Nil {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Rename:
		return rename(s, c)
	case ChangeEmail:
		return changeEmail(s, c)
	case ChangeRole:
		return changeRole(s, c)
	case Deactivate:
		return deactivate(s, c)
	case Reactivate:
		return reactivate(s, c)
	}
	return nil, fmt.Errorf("staff: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.StaffEvent) State {
	switch e := e.(type) {
	case events.StaffCreated:
		return State{ID: e.StaffID, Email: e.Email, Name: e.Name, Role: e.Role, Active: true}
	case events.StaffRenamed:
		s.Name = e.After
	case events.StaffEmailChanged:
		s.Email = e.After
		s.Standing++
	case events.StaffRoleChanged:
		s.Role = e.After
	case events.StaffDeactivated:
		s.Active = false
		s.Standing++
	case events.StaffReactivated:
		s.Active = true
		s.Standing++
	}
	return s
}

func create(s State, c Create) ([]events.StaffEvent, error) {
	if s.ID != uuid.Nil {
		return nil, ErrExists
	}
	refused := ErrInvalid
	email, err := identity.Email(c.Email)
	if err != nil {
		refused = refused.On("email", err.Error())
	}
	name, err := identity.Line(c.Name, 100)
	if err != nil {
		refused = refused.On("name", err.Error())
	}
	if !slices.Contains(events.Roles, c.Role) {
		refused = refused.On("role", errUnknownRole)
	}
	switch {
	case len(refused.Fields) > 0:
		return nil, refused
	case Above(c.Role, c.By.Role):
		return nil, ErrAboveSelf.On("role", "is above your own")
	}
	created := events.StaffCreated{StaffID: c.StaffID, Email: events.Clear(email), Role: c.Role, Invite: c.Invite}
	if name != "" {
		created.Name = events.Clear(name)
	}
	return []events.StaffEvent{created}, nil
}

func rename(s State, c Rename) ([]events.StaffEvent, error) {
	name, err := identity.Line(c.Name, 100)
	if err != nil {
		return nil, ErrInvalid.On("name", err.Error())
	}
	after := events.Clear(name)
	if after == s.Name || name == "" && s.Name.IsZero() {
		return nil, nil
	}
	return []events.StaffEvent{events.StaffRenamed{StaffID: s.ID, Before: s.Name, After: after}}, nil
}

func changeEmail(s State, c ChangeEmail) ([]events.StaffEvent, error) {
	email, err := identity.Email(c.Email)
	if err != nil {
		return nil, ErrInvalid.On("email", err.Error())
	}
	after := events.Clear(email)
	if after == s.Email {
		return nil, nil
	}
	return []events.StaffEvent{events.StaffEmailChanged{StaffID: s.ID, Before: s.Email, After: after}}, nil
}

func changeRole(s State, c ChangeRole) ([]events.StaffEvent, error) {
	switch {
	case !slices.Contains(events.Roles, c.Role):
		return nil, ErrInvalid.On("role", errUnknownRole)
	case s.Role == c.Role:
		return nil, nil
	case c.By.StaffID == s.ID:
		return nil, ErrSelf
	case Above(c.Role, c.By.Role), Above(s.Role, c.By.Role):
		return nil, ErrAboveSelf
	}
	return []events.StaffEvent{events.StaffRoleChanged{StaffID: s.ID, Before: s.Role, After: c.Role}}, nil
}

func deactivate(s State, c Deactivate) ([]events.StaffEvent, error) {
	switch {
	case !s.Active:
		return nil, nil
	case c.By.StaffID == s.ID:
		return nil, ErrSelf
	case Above(s.Role, c.By.Role):
		return nil, ErrAboveSelf
	}
	return []events.StaffEvent{events.StaffDeactivated{StaffID: s.ID}}, nil
}

func reactivate(s State, c Reactivate) ([]events.StaffEvent, error) {
	switch {
	case s.Active:
		return nil, nil
	case Above(s.Role, c.By.Role):
		return nil, ErrAboveSelf
	}
	return []events.StaffEvent{events.StaffReactivated{StaffID: s.ID}}, nil
}

// Above reports whether role may do more than other. Roles are listed from the
// highest; an unknown role is below all.
func Above(role, other events.Role) bool { return rank(role) > rank(other) }

func rank(role events.Role) int {
	i := slices.Index(events.Roles, role)
	if i < 0 {
		return 0
	}
	return len(events.Roles) - i
}
