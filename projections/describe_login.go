package projections

import "github.com/stewardhq/steward/events"

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
	}
	return d
}

func describeSession(e events.SessionEvent) Description {
	d := Description{Category: CategorySignIn}
	switch e := e.(type) {
	case events.SessionStarted:
		d.Event = "Signed in"
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
	return d
}
