package projections

import (
	"strconv"

	"github.com/stewardhq/steward/events"
)

func describeCustomer(e events.CustomerEvent) Description {
	d := Description{Category: CategoryAccount}
	switch e := e.(type) {
	case events.CustomerCreated:
		d.Event = "Account created"
		d.Changes = changed(append([]Change{
			{Field: "status", After: word(e.Status)},
			{Field: "origin", After: word(e.Origin)},
			personal("email", events.Personal{}, e.Email),
			personal("username", events.Personal{}, e.Username),
			personal("external_id", events.Personal{}, e.ExternalID),
		}, profileChanges(events.Profile{}, e.Profile)...)...)
	case events.CustomerProfileEdited:
		d.Event, d.Setting = "Profile changed", SettingProfile
		d.Changes = changed(profileChanges(e.Before, e.After)...)
	case events.CustomerEmailChanged:
		d.Event, d.Setting = "Email address changed", SettingEmail
		d.Changes = changed(personal("email", e.Before, e.After))
	case events.CustomerUsernameChanged:
		d.Event, d.Setting = "Username changed", SettingUsername
		d.Changes = changed(personal("username", e.Before, e.After))
	case events.CustomerExternalIDChanged:
		d.Event, d.Setting = "External id changed", SettingExternalID
		d.Changes = changed(personal("external_id", e.Before, e.After))
	case events.CustomerEmailProvisionalSet:
		d.Event, d.Setting = choose(e.After, "Email address marked as provisional", "Email address no longer provisional"), SettingEmail
		d.Changes = []Change{{Field: "email_provisional", Before: e.Before, After: e.After}}
	case events.CustomerNoteAdded:
		d.Event = "Note added"
		d.Changes = changed(personal("note", events.Personal{}, e.Text))
	case events.CustomerTagsChanged:
		d.Event, d.Setting = "Tags changed", SettingTags
		d.Changes = []Change{{Field: "tags", Before: listed(e.Before), After: listed(e.After)}}
	case events.CustomerSuspended:
		d.Event = "Account suspended"
		return d.status(e.Before, e.After, reasons(e.ReasonCode, e.Reason, e.HoldServices)...)
	case events.CustomerReactivated:
		d.Event = "Account reactivated"
		return d.status(e.Before, e.After, Change{Field: "release_services", After: e.ReleaseServices})
	case events.CustomerBanned:
		d.Event = "Account banned"
		return d.status(e.Before, e.After, reasons(e.ReasonCode, e.Reason, e.HoldServices)...)
	case events.CustomerActivated:
		d.Event = "Account activated"
		return d.status(e.Before, e.After, Change{Field: "method", After: word(e.Method)})
	case events.CustomerSecurityQuestionImported:
		d.Event = "Security question brought along"
	case events.CustomerSecurityQuestionRemoved:
		d.Event = "Security question removed"
	case events.CustomerDetailsReviewed:
		d.Event = "Account details reviewed"
	case events.CustomerMailRequested:
		d.Event = "Mail written by hand"
		d.Changes = changed(personal("subject", events.Personal{}, e.Subject))
		return d
	case events.CustomerDeleted:
		d.Event = "Account deleted"
		return d.status(e.Before, e.After)
	case events.CustomerRestored:
		d.Event = "Account restored"
		return d.status(e.Before, e.After)
	case events.CustomerErasureRequested:
		d.Event = "Erasure asked for"
		return d.status(e.Before, e.After, Change{Field: "due_at", After: e.DueAt}, Change{Field: "release_names", After: e.ReleaseNames})
	case events.CustomerErasureCancelled:
		d.Event = "Erasure cancelled"
		return d.status(e.Before, e.After)
	case events.CustomerErased:
		d.Event = "Person erased"
		return d.status(e.Before, e.After, Change{Field: "release_names", After: e.ReleaseNames})
	case events.CustomerErasureCompleted:
		d.Event = "Erasure completed"
		d.Changes = []Change{{Field: "destroyed_keys", After: strconv.Itoa(len(e.Keys))}}
	case events.CustomerNamesReleased:
		d.Event = "Names released"
		d.Changes = changed(names(e.Email, e.Username, e.ExternalID, events.Personal{}, events.Personal{}, events.Personal{})...)
	case events.CustomerNamesClaimed:
		d.Event = "Names taken again"
		d.Changes = changed(names(events.Personal{}, events.Personal{}, events.Personal{}, e.Email, e.Username, e.ExternalID)...)
	case events.CustomerExported:
		d.Event = "Data of the person exported"
		d.Changes = changed(personal("purpose", events.Personal{}, e.Purpose))
	case events.UniqClaimAborted:
		return describeAbortedClaim()
	}
	return d
}

// status adds a change of the status and what came with it.
func (d Description) status(before, after events.CustomerStatus, more ...Change) Description {
	d.Setting = SettingStatus
	d.Changes = changed(append([]Change{{Field: "status", Before: word(before), After: word(after)}}, more...)...)
	return d
}

func names(email, username, externalID, emailAfter, usernameAfter, externalIDAfter events.Personal) []Change {
	return []Change{
		personal("email", email, emailAfter), personal("username", username, usernameAfter),
		personal("external_id", externalID, externalIDAfter),
	}
}

func reasons(code events.ReasonCode, text events.Personal, hold bool) []Change {
	return []Change{
		{Field: "reason_code", After: word(code)},
		personal("reason", events.Personal{}, text),
		{Field: "hold_services", After: hold},
	}
}

func profileChanges(before, after events.Profile) []Change {
	return []Change{
		personal("first_name", before.FirstName, after.FirstName),
		personal("last_name", before.LastName, after.LastName),
		personal("company", before.Company, after.Company),
		personal("phone", before.Phone, after.Phone),
		personal("street", before.Street, after.Street),
		personal("postal_code", before.PostalCode, after.PostalCode),
		personal("city", before.City, after.City),
		personal("region", before.Region, after.Region),
		personal("country", before.Country, after.Country),
	}
}
