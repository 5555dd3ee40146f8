package projections

import (
	"github.com/stewardhq/steward/events"
)

func describeImpersonation(e events.ImpersonationEvent) Description {
	d := Description{Category: CategorySignIn}
	switch e := e.(type) {
	case events.ImpersonationIssued:
		d.Event = "Log in as customer asked for"
		d.Changes = []Change{{Field: "scope", After: word(e.Scope)}}
	case events.ImpersonationRedeemed:
		d.Event = "Logged in as customer"
	case events.ImpersonationCustomerViewed:
		d.Event = "Customer's data viewed"
	case events.ImpersonationRefused:
		d.Event = "Refused as customer"
		d.Changes = []Change{{Field: "route", After: e.Route}, {Field: "reason", After: word(e.Reason)}}
	case events.ImpersonationEnded:
		d.Event = "Logged out as customer"
		d.Changes = []Change{{Field: "reason", After: word(e.Reason)}}
	}
	return d
}
