package projections

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

func describeLogin(e events.LoginEvent) Description {
	d := Description{Category: CategoryAccount}
	switch e := e.(type) {
	case events.LoginPasswordSet:
		d.Setting = SettingPassword
		d.Event = "Password set"
		if e.Cause == events.PasswordRehashed {
			d.Event = "Password stored anew"
		}
		d.Changes = []Change{{Field: "cause", After: word(e.Cause)}}
	case events.LoginSessionsEnded:
		d.Event = "All sessions ended"
	case events.LoginDeviceAdded:
		d.Event = "Signed in in a new browser"
		if e.First {
			d.Event = "Signed in in a first browser"
		}
	case events.LoginUnlocked:
		d.Event = "Failed attempts forgotten"
	case events.LoginLinkIssued:
		d.Event = "Link sent by mail"
		d.Changes = changed(Change{Field: "purpose", After: word(e.Purpose)}, personal("email", events.Personal{}, e.Email))
	case events.LoginLinkUsed:
		d.Event = "Link used"
		d.Changes = []Change{{Field: "purpose", After: word(e.Purpose)}}
	case events.LoginTwoFactorStarted:
		d.Event = "Two-factor authentication being set up"
	case events.LoginTwoFactorEnabled:
		d.Event, d.Setting = "Two-factor authentication enabled", SettingTwoFactor
		d.Changes = []Change{{Field: SettingTwoFactor, Before: len(e.ReplacedIDs) > 0, After: true}}
	case events.LoginTwoFactorDisabled:
		d.Event, d.Setting = "Two-factor authentication disabled", SettingTwoFactor
		d.Changes = []Change{{Field: SettingTwoFactor, Before: true, After: false}}
	case events.LoginCodeAccepted:
		d.Event = "Code of the authenticator app used"
	case events.LoginRecoveryCodeUsed:
		d.Event = "Recovery code used"
		d.Changes = []Change{{Field: "remaining_recovery_codes", Before: strconv.Itoa(e.Remaining + 1), After: strconv.Itoa(e.Remaining)}}
	case events.LoginRecoveryCodesRenewed:
		d.Event = "Recovery codes renewed"
	case events.LoginErased:
		d.Event = "Login erased"
	}
	if e.Staff() != uuid.Nil {
		d.Category = CategoryTeam
		d.Changes = append(d.Changes, whose(e.Staff())...)
	}
	return d
}

// whose names the team member whose login or session it is.
func whose(staff uuid.UUID) []Change {
	if staff == uuid.Nil {
		return nil
	}
	return []Change{{Field: "staff_id", After: staff.String()}}
}

func describeSession(e events.SessionEvent) Description {
	d := Description{Category: CategorySignIn}
	switch e := e.(type) {
	case events.SessionStarted:
		d.Event = "Signed in"
		if e.Scope == events.ScopePassword {
			d.Event = "Let in to choose a password"
		}
	case events.SessionRecoveryRefused:
		d.Event = "Reset of the password refused"
		d.Changes = changed(
			Change{Field: "reason", After: word(e.Reason)},
			Change{Field: "status", After: word(e.Status)},
			personal("name", events.Personal{}, e.Name),
		)
	case events.SessionChallenged:
		d.Event = "Second factor asked for"
	case events.SessionFactorRefused:
		d.Event = "Second factor refused"
		d.Changes = []Change{{Field: "reason", After: word(e.Reason)}, {Field: "method", After: word(e.Method)}}
	case events.SessionRefused:
		d.Event = "Sign-in refused"
		d.Changes = changed(
			Change{Field: "reason", After: word(e.Reason)},
			Change{Field: "status", After: word(e.Status)},
			personal("name", events.Personal{}, e.Name),
		)
	case events.SessionEnded:
		d.Event = "Session ended"
		d.Changes = []Change{{Field: "reason", After: word(e.Reason)}}
	}
	d.Changes = append(d.Changes, whose(e.Staff())...)
	return d
}
