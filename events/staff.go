package events

import "github.com/google/uuid"

// Stored names of a staff member. Append only: never edit or reuse a value.
const (
	TypeStaffCreated      = "staff.created"
	TypeStaffRenamed      = "staff.renamed"
	TypeStaffEmailChanged = "staff.email_changed"
	TypeStaffRoleChanged  = "staff.role_changed"
	TypeStaffDeactivated  = "staff.deactivated"
	TypeStaffReactivated  = "staff.reactivated"
)

// Role says what a staff member may do.
type Role string

// The roles, from the one that may do everything to the ones that only look.
const (
	RoleOwner   Role = "owner"
	RoleAdmin   Role = "admin"
	RoleSupport Role = "support"
	RoleAuditor Role = "auditor"
	RoleAnalyst Role = "analyst"
)

// Roles lists every role.
var Roles = []Role{RoleOwner, RoleAdmin, RoleSupport, RoleAuditor, RoleAnalyst}

// StaffCreated adds a member to a reseller's team.
type StaffCreated struct {
	StaffID uuid.UUID `json:"staff_id"`
	Email   Personal  `json:"email" subject:"staff"`
	Name    Personal  `json:"name,omitzero" subject:"staff"`
	Role    Role      `json:"role"`
	// Invite asks for a link to a first password, which is sent to the address.
	Invite bool `json:"invite,omitempty"`
}

// StaffRenamed changes a member's name.
type StaffRenamed struct {
	StaffID uuid.UUID `json:"staff_id"`
	Before  Personal  `json:"before" subject:"staff"`
	After   Personal  `json:"after" subject:"staff"`
}

// StaffEmailChanged changes a member's email address.
type StaffEmailChanged struct {
	StaffID uuid.UUID `json:"staff_id"`
	Before  Personal  `json:"before" subject:"staff"`
	After   Personal  `json:"after" subject:"staff"`
}

// StaffRoleChanged changes what a member may do.
type StaffRoleChanged struct {
	StaffID uuid.UUID `json:"staff_id"`
	Before  Role      `json:"before"`
	After   Role      `json:"after"`
}

// StaffDeactivated stops a member and every API key of theirs.
type StaffDeactivated struct {
	StaffID uuid.UUID `json:"staff_id"`
}

// StaffReactivated lets a member back in.
type StaffReactivated struct {
	StaffID uuid.UUID `json:"staff_id"`
}

func (StaffCreated) EventType() string      { return TypeStaffCreated }
func (StaffRenamed) EventType() string      { return TypeStaffRenamed }
func (StaffEmailChanged) EventType() string { return TypeStaffEmailChanged }
func (StaffRoleChanged) EventType() string  { return TypeStaffRoleChanged }
func (StaffDeactivated) EventType() string  { return TypeStaffDeactivated }
func (StaffReactivated) EventType() string  { return TypeStaffReactivated }

func (StaffCreated) staffEvent()      {}
func (StaffRenamed) staffEvent()      {}
func (StaffEmailChanged) staffEvent() {}
func (StaffRoleChanged) staffEvent()  {}
func (StaffDeactivated) staffEvent()  {}
func (StaffReactivated) staffEvent()  {}

// Creates returns the staff member.
func (e StaffCreated) Creates() []Subject {
	return []Subject{{Kind: SubjectStaff, ID: e.StaffID}}
}
