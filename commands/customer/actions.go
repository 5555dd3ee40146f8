package customer

import (
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/policy"
)

// Action is something that can be done to a customer now.
type Action string

// The actions, named after their routes.
const (
	ActionEditProfile      Action = "edit_profile"
	ActionChangeEmail      Action = "change_email"
	ActionChangeUsername   Action = "change_username"
	ActionChangeExternalID Action = "change_external_id"
	ActionAddNote          Action = "add_note"
	ActionSetTags          Action = "set_tags"
	ActionRemoveQuestion   Action = "remove_security_question"
	ActionActivate         Action = "activate"
	ActionSuspend          Action = "suspend"
	ActionReactivate       Action = "reactivate"
	ActionBan              Action = "ban"
	ActionDelete           Action = "delete"
	ActionRestore          Action = "restore"
	ActionErase            Action = "erase"
	ActionCancelErasure    Action = "cancel_erasure"
)

// Actions lists what by could do to a customer in state s with an effect, under
// the store's policies. It asks the decisions themselves, so it cannot disagree
// with them, but for what they know of other streams: whether there are domains in
// the way of deleting and erasing.
func Actions(s State, by events.Actor, policies policy.Set, now time.Time) []Action {
	trials := []struct {
		action  Action
		command Command
	}{
		{ActionEditProfile, EditProfile{Profile: events.Profile{Company: otherThan(s.Profile.Company)}}},
		{ActionChangeEmail, ChangeEmail{Email: otherText(s.Email, "someone@example.invalid"), Provisional: s.Provisional}},
		{ActionChangeUsername, ChangeUsername{Username: otherText(s.Username, "someone-else"), Policies: policies}},
		{ActionChangeExternalID, ChangeExternalID{ExternalID: otherText(s.ExternalID, "x")}},
		{ActionAddNote, AddNote{By: by, Text: "x"}},
		{ActionSetTags, SetTags{By: by, Tags: otherTags(s.Tags)}},
		{ActionRemoveQuestion, RemoveSecurityQuestion{By: by}},
		{ActionActivate, Activate{By: by}},
		{ActionSuspend, Suspend{By: by, Explained: true, Policies: policies}},
		{ActionReactivate, Reactivate{By: by, ReleaseServices: true}},
		{ActionBan, Ban{By: by, Explained: true, Policies: policies}},
		{ActionDelete, Delete{By: by, Explained: true, Policies: policies, Now: now}},
		{ActionRestore, Restore{By: by}},
		{ActionErase, RequestErasure{By: by, Explained: true, Policies: policies, Now: now}},
		{ActionCancelErasure, CancelErasure{By: by, Now: now}},
	}
	actions := []Action{}
	for _, t := range trials {
		if decided, err := Decide(s, t.command); err == nil && len(decided) > 0 {
			actions = append(actions, t.action)
		}
	}
	return actions
}

// otherText returns text, or a variation of it where p is that already.
func otherText(p events.Personal, text string) string {
	if p == events.Clear(text) {
		return "x" + text
	}
	return text
}

// otherTags returns tags that differ from these.
func otherTags(tags []string) []string {
	if len(tags) == 0 {
		return []string{"x"}
	}
	return nil
}

// otherThan returns a value that differs from p.
func otherThan(p events.Personal) events.Personal {
	if p == events.Clear("x") {
		return events.Clear("y")
	}
	return events.Clear("x")
}
