package customer

import (
	"slices"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/policy"
)

// Suspend shuts the customer out until reactivated. HoldServices also holds the
// customer's domains; nil leaves that to the store's policies.
type Suspend struct {
	By           events.Actor
	ReasonCode   events.ReasonCode
	Reason       string
	HoldServices *bool
	// Explained says that a reason stands beside the command.
	Explained bool
	Policies  policy.Set
}

// Ban shuts the customer out; only staff can ever let them back in.
type Ban struct {
	By           events.Actor
	ReasonCode   events.ReasonCode
	Reason       string
	HoldServices *bool
	Explained    bool
	Policies     policy.Set
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
	out, err := exclude(s, c)
	switch {
	case err != nil:
		return nil, err
	case s.Status == events.StatusBanned:
		return nil, ErrBanned
	case s.Status == events.StatusSuspended && out.already(s):
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerSuspended{
		CustomerID: s.ID, Before: s.Status, After: events.StatusSuspended,
		ReasonCode: out.ReasonCode, Reason: optional(out.Reason), HoldServices: out.HoldServices,
	}}, nil
}

func ban(s State, c Ban) ([]events.CustomerEvent, error) {
	out, err := exclude(s, Suspend(c))
	switch {
	case err != nil:
		return nil, err
	case s.Status == events.StatusBanned && out.already(s):
		return nil, nil
	}
	return []events.CustomerEvent{events.CustomerBanned{
		CustomerID: s.ID, Before: s.Status, After: events.StatusBanned,
		ReasonCode: out.ReasonCode, Reason: optional(out.Reason), HoldServices: out.HoldServices,
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
	if !out && (!s.Hold || !c.ReleaseServices) {
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

// exclusion is what a suspension or ban says, as it will be kept.
type exclusion struct {
	ReasonCode   events.ReasonCode
	Reason       string
	HoldServices bool
}

// exclude checks a suspension or ban. A hold that is in force stays, since only a
// reactivation releases it.
func exclude(s State, c Suspend) (exclusion, error) {
	out := exclusion{ReasonCode: c.ReasonCode}
	if c.By.Kind != events.ActorReseller && c.By.Kind != events.ActorSystem {
		return out, ErrStaffOnly
	}
	if c.ReasonCode != "" && !slices.Contains(ReasonCodes, c.ReasonCode) {
		return out, ErrInvalid.On("reason_code", "is not one of the known reasons")
	}
	reason, err := identity.Text(c.Reason, 1000)
	if err != nil {
		return out, ErrInvalid.On("reason", err.Error())
	}
	out.Reason = reason
	out.HoldServices = s.Hold || c.Policies.On(policy.HoldServices)
	if c.HoldServices != nil {
		out.HoldServices = s.Hold || *c.HoldServices
	}
	if err := changeable(s); err != nil {
		return out, err
	}
	return out, explained(c.Policies, c.Explained || c.ReasonCode != "" || reason != "")
}

// explained refuses what was given no reason in a store that wants one.
func explained(policies policy.Set, given bool) error {
	if policies.On(policy.RequireReason) && !given {
		return ErrNoReason
	}
	return nil
}

// already reports whether an exclusion in force says all that this one does. A
// reason that was not given says nothing; another one than before is kept too.
func (e exclusion) already(s State) bool {
	sameCode := e.ReasonCode == "" || e.ReasonCode == s.ReasonCode
	sameReason := e.Reason == "" || events.Clear(e.Reason) == s.Reason
	return s.Hold == e.HoldServices && sameCode && sameReason
}
