package domain

import (
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Action is something that can be done to a domain now.
type Action string

// The actions, named after their routes.
const (
	ActionSetAutoRenew   Action = "set_auto_renew"
	ActionSetLock        Action = "set_lock"
	ActionSetPrivacy     Action = "set_privacy"
	ActionSetNameservers Action = "set_nameservers"
	ActionPush           Action = "push"
)

// Actions lists what by could do to a domain in state s with an effect. It asks
// the decisions themselves, so it cannot disagree with them.
func Actions(s State, holder Holder, by events.Actor) []Action {
	other := []string{"ns1.example.com", "ns2.example.com"}
	if slices.Equal(s.Settings.Nameservers, other) {
		other = nil
	}
	trials := []struct {
		action  Action
		command Command
	}{
		{ActionSetAutoRenew, SetAutoRenew{On: !s.Settings.AutoRenew, By: by, Holder: holder}},
		{ActionSetLock, SetLock{On: !s.Settings.Locked, By: by, Holder: holder}},
		{ActionSetPrivacy, SetPrivacy{On: !s.Settings.Privacy, By: by, Holder: holder}},
		{ActionSetNameservers, ChangeNameservers{Nameservers: other, By: by, Holder: holder}},
		{ActionPush, Push{By: by, To: Holder{ID: uuid.NewSHA1(s.CustomerID, []byte("another")), MayOwn: true}}},
	}
	actions := []Action{}
	for _, t := range trials {
		if decided, err := Decide(s, t.command); err == nil && len(decided) > 0 {
			actions = append(actions, t.action)
		}
	}
	return actions
}
