// Package customer decides what may happen to a customer account: who they are,
// how they are found, and where they stand in the life cycle.
package customer

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Decider is the customer account.
var Decider = decider.Decider[State, Command, events.CustomerEvent]{Decide: Decide, Evolve: Evolve}

// Command is an intention about one customer.
type Command interface{ customerCommand() }

// State is what deciding needs to know of a customer.
type State struct {
	ID         uuid.UUID
	LoginID    uuid.UUID
	Status     events.CustomerStatus // empty when there is no such customer
	Hold       bool                  // the customer's domains are on hold
	ReasonCode events.ReasonCode     // of the suspension or ban in force
	Reason     events.Personal
	Email      events.Personal
	Username   events.Personal
	ExternalID events.Personal
	Profile    events.Profile
	// Provisional says that the email address is a stand-in.
	Provisional bool
	Tags        []string

	// Resume is the status that a reactivation leads to, Restore the one that a
	// restoration leads to.
	Resume  events.CustomerStatus
	Restore events.CustomerStatus

	// SecurityQuestion says that the account brought one along from another system.
	SecurityQuestion bool
	// Reviewed says that the customer looked at what the account says of them.
	Reviewed bool

	// Standing counts what ends the links that were sent to the customer: another
	// address, and being shut out.
	Standing uint64

	// NamesReleased says that others may have the names of the deleted customer.
	NamesReleased bool
	Erasure       Erasure
}

// Exists reports whether the account was created.
func (s State) Exists() bool { return s.Status != "" }

// MayOwn reports whether domains may be given to the customer.
func (s State) MayOwn() bool {
	return s.Status == events.StatusActive || s.Status == events.StatusPending
}

// Faults of this aggregate.
var (
	ErrNotFound  = fault.New(fault.NotFound, "customer_not_found", "no such customer")
	ErrExists    = fault.New(fault.Conflict, "customer_exists", "this customer exists already")
	ErrStaffOnly = fault.New(fault.Forbidden, "staff_only", "only staff may do this")
	ErrDeleted   = fault.New(fault.Conflict, "customer_deleted", "the customer is deleted: restore them first")
	ErrErased    = fault.New(fault.Conflict, "customer_erased", "the customer was erased")
	ErrBanned    = fault.New(fault.Conflict, "customer_banned", "the customer is banned: reactivate them first")
	ErrShutOut   = fault.New(fault.Conflict, "customer_shut_out", "the customer is suspended or banned: reactivate them first")
	ErrInvalid   = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")

	// What the store's policies refuse.
	ErrNoReason         = fault.New(fault.Invalid, "reason_required", "this store wants a reason: send reason_code, reason or Steward-Reason").On("reason", "is missing")
	ErrDeletionDisabled = fault.New(fault.Conflict, "deletion_disabled", "this store deletes no customers: suspend them instead")
)

// Decide says what follows from c, or why it may not happen.
func Decide(s State, c Command) ([]events.CustomerEvent, error) {
	switch c := c.(type) {
	case Create:
		return create(s, c)
	case Activate:
		return activate(s, c)
	case RemoveSecurityQuestion:
		return removeSecurityQuestion(s, c)
	case ReviewDetails:
		return reviewDetails(s)
	case RequestMail:
		return requestMail(s, c)
	case EditProfile:
		return editProfile(s, c)
	case ChangeEmail:
		return changeEmail(s, c)
	case ChangeUsername:
		return changeUsername(s, c)
	case AddNote:
		return addNote(s, c)
	case SetTags:
		return setTags(s, c)
	case ChangeExternalID:
		return changeExternalID(s, c)
	case Suspend:
		return suspend(s, c)
	case Reactivate:
		return reactivate(s, c)
	case Ban:
		return ban(s, c)
	case Delete:
		return deleteCustomer(s, c)
	case Restore:
		return restore(s, c)
	case RequestErasure:
		return requestErasure(s, c)
	case CancelErasure:
		return cancelErasure(s, c)
	case Erase:
		return erase(s, c)
	case CompleteErasure:
		return completeErasure(s, c)
	case Export:
		return export(s, c)
	}
	return nil, fmt.Errorf("customer: no decision for %T", c)
}

// Evolve folds e into s. It never fails: e has already happened.
func Evolve(s State, e events.CustomerEvent) State {
	switch e := e.(type) {
	case events.CustomerCreated:
		return State{
			ID: e.CustomerID, LoginID: e.LoginID, Status: e.Status, Resume: e.Status,
			Email: e.Email, Username: e.Username, ExternalID: e.ExternalID, Profile: e.Profile,
		}
	case events.CustomerProfileEdited:
		s.Profile = overlay(s.Profile, e.After)
	case events.CustomerEmailChanged:
		s.Email = e.After
		s.Standing++
	case events.CustomerEmailProvisionalSet:
		s.Provisional = e.After
	case events.CustomerTagsChanged:
		s.Tags = e.After
	case events.CustomerUsernameChanged:
		s.Username = e.After
	case events.CustomerExternalIDChanged:
		s.ExternalID = e.After
	case events.CustomerSuspended:
		s.Status, s.Hold, s.ReasonCode, s.Reason = e.After, e.HoldServices, e.ReasonCode, e.Reason
		s.Standing++
	case events.CustomerBanned:
		s.Status, s.Hold, s.ReasonCode, s.Reason = e.After, e.HoldServices, e.ReasonCode, e.Reason
		s.Standing++
	case events.CustomerReactivated:
		s.Status, s.ReasonCode, s.Reason = e.After, "", events.Personal{}
		s.Hold = s.Hold && !e.ReleaseServices
	case events.CustomerActivated:
		s.Status, s.Resume = e.After, e.After
	case events.CustomerSecurityQuestionImported:
		s.SecurityQuestion = true
	case events.CustomerSecurityQuestionRemoved:
		s.SecurityQuestion = false
	case events.CustomerDetailsReviewed:
		s.Reviewed = true
	case events.CustomerDeleted:
		s.Status, s.Restore = e.After, e.Before
		s.Standing++
	case events.CustomerRestored:
		s.Status, s.Restore = e.After, ""
	default:
		return evolveErasure(s, e)
	}
	return s
}

// changeable refuses any change to an account that is not there, not any more,
// or only to be restored.
func changeable(s State) error {
	switch s.Status {
	case "":
		return ErrNotFound
	case events.StatusDeleted:
		if s.Erasure.Pending() {
			return ErrErasurePending
		}
		return ErrDeleted
	case events.StatusErased:
		return ErrErased
	}
	return nil
}
