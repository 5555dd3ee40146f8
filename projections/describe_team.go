package projections

import (
	"github.com/stewardhq/steward/events"
)

func describeStaff(e events.StaffEvent) Description {
	d := Description{Category: CategoryTeam}
	switch e := e.(type) {
	case events.StaffCreated:
		d.Event = "Team member added"
		d.Changes = changed(
			personal("email", events.Personal{}, e.Email),
			personal("name", events.Personal{}, e.Name),
			Change{Field: SettingRole, After: word(e.Role)},
		)
	case events.StaffRenamed:
		d.Event, d.Setting = "Team member renamed", SettingName
		d.Changes = changed(personal("name", e.Before, e.After))
	case events.StaffEmailChanged:
		d.Event, d.Setting = "Email address of a team member changed", SettingEmail
		d.Changes = changed(personal("email", e.Before, e.After))
	case events.StaffRoleChanged:
		d.Event, d.Setting = "Role of a team member changed", SettingRole
		d.Changes = changed(Change{Field: SettingRole, Before: word(e.Before), After: word(e.After)})
	case events.StaffDeactivated:
		d.Event, d.Setting = "Team member deactivated", SettingStatus
		d.Changes = []Change{{Field: "active", Before: true, After: false}}
	case events.StaffReactivated:
		d.Event, d.Setting = "Team member reactivated", SettingStatus
		d.Changes = []Change{{Field: "active", Before: false, After: true}}
	case events.UniqClaimAborted:
		return describeAbortedClaim()
	}
	return d
}

func describeAPIKey(e events.APIKeyEvent) Description {
	d := Description{Category: CategoryAPIKeys}
	switch e := e.(type) {
	case events.APIKeyCreated:
		d.Event = "API key created"
		d.Changes = changed(
			Change{Field: "prefix", After: word(e.Prefix)},
			Change{Field: "staff_id", After: e.StaffID.String()},
			personal("label", events.Personal{}, e.Label),
			Change{Field: "source", After: word(e.Source)},
			Change{Field: "expires_at", After: e.ExpiresAt},
			scopes(e.Scopes),
		)
	case events.APIKeyRevoked:
		d.Event = "API key revoked"
		d.Changes = []Change{{Field: "revoked", Before: false, After: true}}
	case events.APIKeyRotated:
		d.Event = "API key given another secret"
		d.Changes = []Change{{Field: "previous_until", After: e.PreviousUntil}}
	case events.APIKeyUsed:
		d.Event = "API key used on this day"
		d.Changes = []Change{{Field: "day", After: e.Day}}
	}
	return d
}

// scopes is what a key may do, none for whatever its team member may.
func scopes(all []string) Change {
	if len(all) == 0 {
		return Change{Field: "scopes"}
	}
	return Change{Field: "scopes", After: all}
}
