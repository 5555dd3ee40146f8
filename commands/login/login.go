// Package login decides what may happen to a login: the secrets by which somebody
// proves who they are, a customer or a member of the team.
package login

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the login.
var Decider = decider.Decider[State, Command, events.LoginEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one login.
type Command interface{ loginCommand() }

// State is what deciding needs to know of a login.
type State struct {
	LoginID    uuid.UUID // zero before the first secret
	CustomerID uuid.UUID // whose it is, or else StaffID
	StaffID    uuid.UUID
	// CredentialID is the password's, and Hash what is kept of it.
	CredentialID uuid.UUID
	Hash         events.Personal
	// Chosen says that the person chose the password, and Proven that they followed
	// a link which was sent to their address.
	Chosen bool
	Proven bool
	// Welcomed says that the customer chose their first password by a link which the
	// team sent.
	Welcomed bool
	// Temporary says that the team set the password and the customer is to choose
	// another one before anything else.
	Temporary bool
	TwoFactor TwoFactor
	// Devices is how many browsers are remembered.
	Devices int
	// Links are those that were issued and may still lead somewhere.
	Links []Link
	// Epoch counts what ended all sessions. A session of an earlier one is over.
	Epoch uint64
	// Erased says that the login has ended for good.
	Erased bool
}

// ErrUnknown is returned when there is no such login.
var ErrUnknown = fault.New(fault.NotFound, "login_not_found", "there is no login yet")

// SetPassword gives the login a password. The hash comes with it: whether it may
// be set was checked by whoever asks.
type SetPassword struct {
	LoginID      uuid.UUID
	CustomerID   uuid.UUID
	StaffID      uuid.UUID
	CredentialID uuid.UUID
	Hash         string
	Scheme       string
	Cause        events.PasswordCause
}

// Rehash keeps the same password in another form. It does nothing when the
// password is another one by now.
type Rehash struct {
	Before       uuid.UUID // the credential that was checked
	CredentialID uuid.UUID
	Hash         string
	Scheme       string
}

// EndSessions ends every session that the login has.
type EndSessions struct{}

// Unlock forgets the failed attempts that shut the customer out.
type Unlock struct{}

func (Unlock) loginCommand()      {}
func (SetPassword) loginCommand() {}
func (Rehash) loginCommand()      {}
func (EndSessions) loginCommand() {}

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.LoginEvent, error) {
	if s.Erased {
		return whenErased(c)
	}
	switch c := c.(type) {
	case Erase:
		return erase(s, c)
	case SetPassword:
		if c.Cause == events.PasswordGenerated && s.CredentialID != uuid.Nil {
			return nil, nil // there is one, which somebody may know
		}
		return []events.LoginEvent{events.LoginPasswordSet{
			LoginID: c.LoginID, CustomerID: c.CustomerID, StaffID: c.StaffID, CredentialID: c.CredentialID, ReplacedID: s.CredentialID,
			Hash: events.Clear(c.Hash), Scheme: c.Scheme, Cause: c.Cause,
		}}, nil
	case Rehash:
		if s.CredentialID != c.Before || s.LoginID == uuid.Nil {
			return nil, nil
		}
		return []events.LoginEvent{events.LoginPasswordSet{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, CredentialID: c.CredentialID, ReplacedID: s.CredentialID,
			Hash: events.Clear(c.Hash), Scheme: c.Scheme, Cause: events.PasswordRehashed,
		}}, nil
	case EndSessions:
		if s.LoginID == uuid.Nil {
			return nil, ErrUnknown
		}
		return []events.LoginEvent{events.LoginSessionsEnded{LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID}}, nil
	case AddDevice:
		return addDevice(s, c)
	case Unlock:
		if s.LoginID == uuid.Nil {
			return nil, ErrUnknown
		}
		return []events.LoginEvent{events.LoginUnlocked{LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID}}, nil
	case IssueLink:
		return issueLink(c), nil
	case UseLink:
		return useLink(s, c)
	case ChoosePassword:
		return choosePassword(s, c)
	}
	if s.LoginID == uuid.Nil {
		return nil, ErrUnknown
	}
	switch c.(type) {
	case StartTwoFactor, ConfirmTwoFactor, AcceptCode, UseRecoveryCode, RenewRecoveryCodes, DisableTwoFactor:
		return decideTwoFactor(s, c)
	}
	return nil, fmt.Errorf("login: no decision for %T", c)
}

// replacesPassword reports whether with a password set in this way another one ends,
// and what rests on it.
func replacesPassword(cause events.PasswordCause) bool {
	return cause != events.PasswordRehashed && cause != events.PasswordGenerated
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.LoginEvent) State {
	switch e := e.(type) {
	case events.LoginPasswordSet:
		s.LoginID, s.CustomerID, s.StaffID = e.LoginID, e.CustomerID, e.StaffID
		s.CredentialID, s.Hash = e.CredentialID, e.Hash
		s.Chosen = e.Cause != events.PasswordGenerated
		s.Welcomed = s.Welcomed || e.Cause == events.PasswordWelcomed
		s.Temporary = e.Cause == events.PasswordTemporary || s.Temporary && e.Cause == events.PasswordRehashed
		if replacesPassword(e.Cause) {
			s.Epoch++
		}
	case events.LoginSessionsEnded:
		s.Epoch++
	case events.LoginLinkIssued:
		s.LoginID, s.CustomerID, s.StaffID = e.LoginID, e.CustomerID, e.StaffID
	case events.LoginDeviceAdded:
		s.Devices++
	case events.LoginUnlocked:
	case events.LoginLinkUsed:
		s.Proven = s.Proven || e.Purpose.ChoosesPassword() || e.Purpose == events.LinkActivate
	case events.LoginErased:
		return State{LoginID: e.LoginID, CustomerID: e.CustomerID, Epoch: s.Epoch + 1, Erased: true}
	default:
		s.TwoFactor = evolveTwoFactor(s.TwoFactor, e)
	}
	s.Links = evolveLinks(s.Links, e)
	return s
}
