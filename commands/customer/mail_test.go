package customer_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
	"github.com/stewardhq/steward/internal/policy"
)

func TestRequestMail_S1_32(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "is written", Given: history{created}, When: customer.RequestMail{Subject: " Hello ", Body: "Dear Ada,\nhow are you?"}, Anew: true,
			Then: history{events.CustomerMailRequested{CustomerID: id, Subject: events.Clear("Hello"), Body: events.Clear("Dear Ada,\nhow are you?")}},
		},
		{
			Name: "reaches somebody suspended", Given: history{created, suspended}, When: customer.RequestMail{Subject: "a", Body: "b"}, Anew: true,
			Then: history{events.CustomerMailRequested{CustomerID: id, Subject: events.Clear("a"), Body: events.Clear("b")}},
		},
		{Name: "needs a subject", Given: history{created}, When: customer.RequestMail{Body: "b"}, Err: customer.ErrInvalid, Field: "subject"},
		{Name: "needs a body", Given: history{created}, When: customer.RequestMail{Subject: "a", Body: " \n"}, Err: customer.ErrInvalid, Field: "body"},
		{Name: "has a subject of one line", Given: history{created}, When: customer.RequestMail{Subject: "a\nBcc: b", Body: "b"}, Err: customer.ErrInvalid, Field: "subject"},
		{Name: "is not a book", Given: history{created}, When: customer.RequestMail{Subject: "a", Body: strings.Repeat("b", 10_001)}, Err: customer.ErrInvalid, Field: "body"},
		{Name: "is for nobody deleted", Given: history{created, deleted}, When: customer.RequestMail{Subject: "a", Body: "b"}, Err: customer.ErrDeleted},
		{Name: "is for somebody", When: customer.RequestMail{Subject: "a", Body: "b"}, Err: customer.ErrNotFound},
	})
}

// C5: how accounts become usable by a link.
func TestActivationByLink_C5(t *testing.T) {
	t.Parallel()
	byLink := policy.Set{policy.Activation.Name: policy.ActivationLink}
	command := func(origin events.Origin, send events.LinkPurpose, policies policy.Set) customer.Create {
		return customer.Create{CustomerID: id, LoginID: login, Origin: origin, Email: "ada@example.com", Username: "ada", Send: send, Policies: policies}
	}
	as := func(origin events.Origin, status events.CustomerStatus, send events.LinkPurpose) events.CustomerCreated {
		c := created
		c.Origin, c.Status, c.Send = origin, status, send
		return c
	}
	activated := events.CustomerActivated{CustomerID: id, Before: events.StatusPending, After: events.StatusActive, Method: events.ActivatedByLink}
	reviewed := events.CustomerDetailsReviewed{CustomerID: id}
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S2-02 who registers is sent one", When: command(events.OriginSelf, "", byLink),
			Then: history{as(events.OriginSelf, events.StatusPending, events.LinkActivate)}, Again: customer.ErrExists,
		},
		{
			Name: "S2-13 so is for whom the team opens an account", When: command(events.OriginStaff, "", byLink),
			Then: history{as(events.OriginStaff, events.StatusPending, events.LinkWelcome)}, Again: customer.ErrExists,
		},
		{
			Name: "S4-20 by the mail that was asked for", When: command(events.OriginStaff, events.LinkSetPassword, byLink),
			Then: history{as(events.OriginStaff, events.StatusPending, events.LinkSetPassword)}, Again: customer.ErrExists,
		},
		{
			Name: "an import sends nothing", When: command(events.OriginImport, "", byLink),
			Then: history{as(events.OriginImport, events.StatusActive, "")}, Again: customer.ErrExists,
		},
		{
			Name: "S0-26 elsewhere one is sent if asked for", When: command(events.OriginStaff, events.LinkWelcome, nil),
			Then: history{as(events.OriginStaff, events.StatusActive, events.LinkWelcome)}, Again: customer.ErrExists,
		},
		{Name: "S2-04 follows the link", Given: history{pending}, When: customer.Activate{By: self, Proven: true}, Then: history{activated}},
		{Name: "does not say so themself", Given: history{pending}, When: customer.Activate{By: self}, Err: customer.ErrStaffOnly},
		{Name: "S0-30 reviews the details", Given: history{created}, When: customer.ReviewDetails{}, Then: history{reviewed}},
		{Name: "has reviewed them", Given: history{created, reviewed}, When: customer.ReviewDetails{}},
		{Name: "is not there to review", When: customer.ReviewDetails{}, Err: customer.ErrNotFound},
	})
}

// What ends the links that were sent to a customer moves the standing on; nothing else
// does.
func TestStanding_R4(t *testing.T) {
	t.Parallel()
	s := customer.Decider.Fold(history{created})
	for _, e := range []events.CustomerEvent{
		events.CustomerEmailChanged{CustomerID: id, After: events.Clear("new@example.com")}, suspended, banned, deleted,
	} {
		if customer.Evolve(s, e).Standing == s.Standing {
			t.Errorf("%s leaves links good", e.EventType())
		}
	}
	for _, e := range []events.CustomerEvent{
		events.CustomerUsernameChanged{CustomerID: id, After: events.Clear("new")}, events.CustomerProfileEdited{CustomerID: id}, letInOnHold,
	} {
		if customer.Evolve(s, e).Standing != s.Standing {
			t.Errorf("%s ends links", e.EventType())
		}
	}
}
