package customer

import (
	"slices"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
)

// Suspend shuts the customer out until reactivated. HoldServices also holds
// the customer's domains.
type Suspend struct {
	By           events.Actor
	ReasonCode   events.ReasonCode
	Reason       string
	HoldServices bool
}

// Ban shuts the customer out; only staff can ever let them back in.
type Ban struct {
	By           events.Actor
	ReasonCode   events.ReasonCode
	Reason       string
	HoldServices bool
}

// Reactivate lets a suspended or banned customer back in. ReleaseServices also
// lifts the hold on their domains.
type Reactivate struct {
	By              events.Actor
	ReleaseServices bool
}

func (Suspend) customerCommand()    {}
func (Ban) customerCommand()        {}
func (Reactivate) customerCommand() {}

// ReasonCodes lists what a suspension or ban may be classified as.
var ReasonCodes = []events.ReasonCode{
	events.ReasonFraud, events.ReasonCustomerRequest, events.ReasonTerms,
	events.ReasonNonPayment, events.ReasonOther,
}

func suspend(s State, c Suspend) ([]events.CustomerEvent, error) {
	reason, err := exclusion(s, c.By, c.ReasonCode, c.Reason)
	switch {
	case err != nil:
		return nil, err
	case s.Status == events.StatusBanned:
		return nil, ErrBanned
	case s.Status == events.StatusSuspended && s.Hold == c.HoldServices:
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerSuspended{
		CustomerID: s.ID, Before: s.Status, After: events.StatusSuspended,
		ReasonCode: c.ReasonCode, Reason: optional(reason), HoldServices: c.HoldServices,
	}}, nil
}

func ban(s State, c Ban) ([]events.CustomerEvent, error) {
	reason, err := exclusion(s, c.By, c.ReasonCode, c.Reason)
	switch {
	case err != nil:
		return nil, err
	case s.Status == events.StatusBanned && s.Hold == c.HoldServices:
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerBanned{
		CustomerID: s.ID, Before: s.Status, After: events.StatusBanned,
		ReasonCode: c.ReasonCode, Reason: optional(reason), HoldServices: c.HoldServices,
	}}, nil
}

func reactivate(s State, c Reactivate) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	out := s.Status == events.StatusSuspended || s.Status == events.StatusBanned
	switch {
	case !out && s.Status != events.StatusActive:
		return nil, ErrNotSuspended
	case !out && (!s.Hold || !c.ReleaseServices):
		return nil, nil
	}
	after := s.Status
	if out {
		after = s.Resume
	}
	return []events.CustomerEvent{events.CustomerReactivated{
		CustomerID: s.ID, Before: s.Status, After: after, ReleaseServices: c.ReleaseServices,
	}}, nil
}

// exclusion checks what suspending and banning have in common and returns the
// reason as it will be kept.
func exclusion(s State, by events.Actor, code events.ReasonCode, text string) (string, error) {
	if by.Kind != events.ActorReseller && by.Kind != events.ActorSystem {
		return "", ErrStaffOnly
	}
	if code != "" && !slices.Contains(ReasonCodes, code) {
		return "", ErrInvalid.On("reason_code", "is not one of the known reasons")
	}
	reason, err := identity.Text(text, 1000)
	if err != nil {
		return "", ErrInvalid.On("reason", err.Error())
	}
	return reason, changeable(s)
}
