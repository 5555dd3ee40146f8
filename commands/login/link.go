package login

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// Link is one that was issued and may still lead somewhere.
type Link struct {
	ID         uuid.UUID
	Purpose    events.LinkPurpose
	ExpiresAt  time.Time
	KeyVersion int
	Standing   uint64
	Email      events.Personal
	// SessionID is the session that the link led to: it is used up, and a password
	// may be chosen in that session.
	SessionID uuid.UUID
}

// ErrLinkOver answers every link that is not good, for whatever reason.
var ErrLinkOver = fault.New(fault.Gone, "link_over", "this link is not good any more: ask for a new one")

// IssueLink issues a link. It takes the place of those that do the same.
type IssueLink struct {
	LoginID    uuid.UUID
	CustomerID uuid.UUID
	StaffID    uuid.UUID
	LinkID     uuid.UUID
	Purpose    events.LinkPurpose
	ExpiresAt  time.Time
	KeyVersion int
	Standing   uint64
	Email      string // that the link leads to, if it is about one
}

// UseLink uses a link up, whose token was checked.
type UseLink struct {
	LinkID uuid.UUID
	// Standing is the person's now.
	Standing  uint64
	SessionID uuid.UUID // that is about to begin, where the link leads to one
	Now       time.Time
}

// ChoosePassword sets the password in a session that a link led to, or a password
// that is to be changed at once.
type ChoosePassword struct {
	SessionID    uuid.UUID
	CredentialID uuid.UUID
	Hash         string
	Scheme       string
}

func (IssueLink) loginCommand()      {}
func (UseLink) loginCommand()        {}
func (ChoosePassword) loginCommand() {}

// Link returns a link that was issued and nothing took the place of.
func (s State) Link(id uuid.UUID) (Link, bool) {
	i := slices.IndexFunc(s.Links, func(l Link) bool { return l.ID == id })
	if i < 0 {
		return Link{}, false
	}
	return s.Links[i], true
}

// Chooses returns the link that led to a session in which a password may be chosen.
func (s State) Chooses(session uuid.UUID) (Link, bool) {
	i := slices.IndexFunc(s.Links, func(l Link) bool { return l.SessionID == session && session != uuid.Nil })
	if i < 0 {
		return Link{}, false
	}
	return s.Links[i], true
}

// Good reports whether a link can be used now.
func (l Link) Good(standing uint64, now time.Time) bool {
	// Who takes an account over shall not stop its owner from going back.
	current := l.Standing == standing || l.Purpose == events.LinkEmailUndo
	return l.SessionID == uuid.Nil && now.Before(l.ExpiresAt) && current
}

func issueLink(c IssueLink) []events.LoginEvent {
	issued := events.LoginLinkIssued{
		LoginID: c.LoginID, CustomerID: c.CustomerID, StaffID: c.StaffID, LinkID: c.LinkID, Purpose: c.Purpose,
		ExpiresAt: c.ExpiresAt.UTC(), KeyVersion: c.KeyVersion, Standing: c.Standing,
	}
	if c.Email != "" {
		issued.Email = events.Clear(c.Email)
	}
	return []events.LoginEvent{issued}
}

func useLink(s State, c UseLink) ([]events.LoginEvent, error) {
	link, known := s.Link(c.LinkID)
	if !known || !link.Good(c.Standing, c.Now) {
		return nil, ErrLinkOver
	}
	return []events.LoginEvent{events.LoginLinkUsed{
		LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, LinkID: link.ID, Purpose: link.Purpose, SessionID: c.SessionID,
	}}, nil
}

func choosePassword(s State, c ChoosePassword) ([]events.LoginEvent, error) {
	link, ok := s.Chooses(c.SessionID)
	cause := causes[link.Purpose]
	switch {
	case !ok && s.Temporary:
		cause = events.PasswordChanged
	case !ok:
		return nil, ErrLinkOver
	}
	return []events.LoginEvent{events.LoginPasswordSet{
		LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, CredentialID: c.CredentialID, ReplacedID: s.CredentialID,
		Hash: events.Clear(c.Hash), Scheme: c.Scheme, Cause: cause,
	}}, nil
}

// causes are how a login came by a password that was chosen by a link.
var causes = map[events.LinkPurpose]events.PasswordCause{
	events.LinkWelcome:     events.PasswordWelcomed,
	events.LinkSetPassword: events.PasswordWelcomed,
	events.LinkReset:       events.PasswordReset,
	events.LinkInvitation:  events.PasswordWelcomed,
}

// UndoTime is how long the way back to an earlier address is open.
const UndoTime = 72 * time.Hour

// maxUndo bounds how many such ways are kept, the oldest: who takes an account over
// shall not push its owner's out.
const maxUndo = 8

// evolveLinks folds e into the links, which it does not change.
func evolveLinks(links []Link, e events.LoginEvent) []Link {
	switch e := e.(type) {
	case events.LoginLinkIssued:
		kept := make([]Link, 0, len(links)+1)
		undo := 0
		for _, l := range links {
			if replaces(e, l) {
				continue
			}
			kept = append(kept, l)
			if l.Purpose == events.LinkEmailUndo {
				undo++
			}
		}
		if e.Purpose == events.LinkEmailUndo && undo >= maxUndo {
			return kept
		}
		return append(kept, Link{
			ID: e.LinkID, Purpose: e.Purpose, ExpiresAt: e.ExpiresAt, KeyVersion: e.KeyVersion, Standing: e.Standing, Email: e.Email,
		})
	case events.LoginLinkUsed:
		links = slices.Clone(links)
		if e.SessionID == uuid.Nil {
			return slices.DeleteFunc(links, func(l Link) bool { return l.ID == e.LinkID })
		}
		for i := range links {
			if links[i].ID == e.LinkID {
				links[i].SessionID = e.SessionID
			}
		}
	case events.LoginPasswordSet:
		if replacesPassword(e.Cause) {
			return slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return l.Purpose.ChoosesPassword() })
		}
	}
	return links
}

// replaces reports whether a new link ends an earlier one.
func replaces(issued events.LoginLinkIssued, earlier Link) bool {
	switch {
	case issued.Purpose.ChoosesPassword():
		return earlier.Purpose.ChoosesPassword()
	case issued.Purpose == events.LinkEmailUndo:
		return earlier.Purpose == issued.Purpose && !earlier.ExpiresAt.After(issued.ExpiresAt.Add(-UndoTime)) // over by now
	default:
		return earlier.Purpose == issued.Purpose
	}
}
