package api

import (
	"slices"

	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// permission is the right to do one kind of thing. Every route names one.
type permission string

// The permissions.
const (
	permitStoreRead        permission = "store:read"
	permitStoreWrite       permission = "store:write"
	permitStaffRead        permission = "staff:read"
	permitStaffWrite       permission = "staff:write"
	permitKeysRead         permission = "api_keys:read"
	permitKeysWrite        permission = "api_keys:write"
	permitCustomersRead    permission = "customers:read"
	permitCustomersWrite   permission = "customers:write"
	permitCustomersSuspend permission = "customers:suspend"
	permitCustomersBan     permission = "customers:ban"
	permitCustomersDelete  permission = "customers:delete"
	permitCustomersErase   permission = "customers:erase"
	permitCustomersExport  permission = "customers:export"
	permitDomainsRead      permission = "domains:read"
	permitDomainsWrite     permission = "domains:write"
	permitDomainsPush      permission = "domains:push"
	permitLogsRead         permission = "logs:read"
	permitEventsRead       permission = "events:read"

	permitCustomersImpersonate permission = "customers:impersonate"

	// permitSelf is for what concerns nobody but whoever asks: every role has it.
	permitSelf permission = "self"

	// permitAnyone is for what shows nothing of any store: health, this
	// documentation.
	permitAnyone permission = "public"
)

// permissions lists every permission that a role can have.
var permissions = []permission{
	permitStoreRead, permitStoreWrite, permitStaffRead, permitStaffWrite, permitKeysRead, permitKeysWrite,
	permitCustomersRead, permitCustomersWrite, permitCustomersSuspend, permitCustomersBan, permitCustomersDelete, permitCustomersErase, permitCustomersExport,
	permitCustomersImpersonate,
	permitDomainsRead, permitDomainsWrite, permitDomainsPush, permitLogsRead, permitEventsRead,
}

// granted says what each role may do. What is not here is denied. Owners differ
// from admins in that only they make and unmake owners; that is decided where
// roles are given (commands/staff).
var granted = map[events.Role][]permission{
	events.RoleOwner: permissions,
	events.RoleAdmin: permissions,
	events.RoleSupport: {
		permitStoreRead,
		permitCustomersRead, permitCustomersWrite, permitCustomersSuspend,
		permitCustomersImpersonate,
		permitDomainsRead, permitDomainsWrite, permitDomainsPush,
		permitLogsRead,
	},
	events.RoleAuditor: {
		permitStoreRead, permitStaffRead, permitKeysRead, permitCustomersRead, permitDomainsRead,
		permitLogsRead, permitEventsRead,
	},
	events.RoleAnalyst: {permitStoreRead, permitCustomersRead, permitDomainsRead, permitLogsRead},
}

// errForbidden is what a role that lacks a permission gets.
var errForbidden = fault.New(fault.Forbidden, "forbidden", "your role does not permit this")

var errEnroll = fault.New(fault.Forbidden, "two_factor_required", "this store requires a second factor: set one up first")

// lower is the role that may less, of that which somebody has and the highest that
// their API key acts with, where there is such a limit.
func lower(role, limit events.Role) events.Role {
	if limit != "" && staff.Above(role, limit) {
		return limit
	}
	return role
}

// allows reports whether a role has a permission.
func allows(role events.Role, p permission) bool {
	return p == permitAnyone || p == permitSelf && slices.Contains(events.Roles, role) || slices.Contains(granted[role], p)
}

// permissionsOf lists what the caller may do.
func permissionsOf(who *caller) []string {
	held := []string{}
	for _, p := range permissions {
		if who.may(p) {
			held = append(held, string(p))
		}
	}
	return held
}

// rolesWith lists the roles that have a permission, the highest first.
func rolesWith(p permission) []events.Role {
	var with []events.Role
	for _, role := range events.Roles {
		if allows(role, p) {
			with = append(with, role)
		}
	}
	return with
}
