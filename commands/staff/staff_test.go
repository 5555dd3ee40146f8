package staff_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.StaffEvent
	tcase   = decidertest.Case[staff.Command, events.StaffEvent]
)

var (
	id    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	boss  = staff.Grantor{StaffID: uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002"), Role: events.RoleOwner}
	admin = staff.Grantor{StaffID: uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003"), Role: events.RoleAdmin}
	self  = staff.Grantor{StaffID: id, Role: events.RoleOwner}

	support = events.StaffCreated{StaffID: id, Email: events.Clear("sam@shop.example"), Role: events.RoleSupport}
	owner   = events.StaffCreated{StaffID: id, Email: events.Clear("sam@shop.example"), Role: events.RoleOwner}
	gone    = events.StaffDeactivated{StaffID: id}
)

func TestCreate(t *testing.T) {
	t.Parallel()
	command := staff.Create{StaffID: id, Email: "sam@shop.example", Role: events.RoleSupport, By: admin}
	decidertest.Run(t, staff.Decider, []tcase{
		{Name: "adds a member", When: command, Then: history{support}, Again: staff.ErrExists},
		{Name: "happens once", Given: history{support}, When: command, Err: staff.ErrExists},
		{Name: "needs an email", When: staff.Create{StaffID: id, Role: events.RoleSupport, By: admin}, Err: staff.ErrInvalid, Field: "email"},
		{Name: "needs a known role", When: staff.Create{StaffID: id, Email: "sam@shop.example", Role: "root", By: boss}, Err: staff.ErrInvalid, Field: "role"},
		{Name: "K1 cannot give a role above one's own", When: staff.Create{StaffID: id, Email: "sam@shop.example", Role: events.RoleOwner, By: admin}, Err: staff.ErrAboveSelf, Field: "role"},
	})
}

func TestChangeRole(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, staff.Decider, []tcase{
		{
			Name: "raises a member", Given: history{support}, When: staff.ChangeRole{Role: events.RoleAdmin, By: admin},
			Then: history{events.StaffRoleChanged{StaffID: id, Before: events.RoleSupport, After: events.RoleAdmin}},
		},
		{Name: "is already so", Given: history{support}, When: staff.ChangeRole{Role: events.RoleSupport, By: admin}},
		{Name: "K1 cannot raise above one's own", Given: history{support}, When: staff.ChangeRole{Role: events.RoleOwner, By: admin}, Err: staff.ErrAboveSelf},
		{Name: "K1 cannot lower who is above", Given: history{owner}, When: staff.ChangeRole{Role: events.RoleSupport, By: admin}, Err: staff.ErrAboveSelf},
		{Name: "K1 is not for oneself", Given: history{owner}, When: staff.ChangeRole{Role: events.RoleSupport, By: self}, Err: staff.ErrSelf},
		{Name: "needs a member", When: staff.ChangeRole{Role: events.RoleAdmin, By: boss}, Err: staff.ErrNotFound},
	})
}

func TestDeactivateAndReactivate(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, staff.Decider, []tcase{
		{Name: "stops a member", Given: history{support}, When: staff.Deactivate{By: admin}, Then: history{gone}},
		{Name: "is already stopped", Given: history{support, gone}, When: staff.Deactivate{By: admin}},
		{Name: "K1 cannot stop who is above", Given: history{owner}, When: staff.Deactivate{By: admin}, Err: staff.ErrAboveSelf},
		{Name: "K1 cannot stop oneself", Given: history{owner}, When: staff.Deactivate{By: self}, Err: staff.ErrSelf},
		{Name: "lets a member back in", Given: history{support, gone}, When: staff.Reactivate{By: admin}, Then: history{events.StaffReactivated{StaffID: id}}},
		{Name: "was never stopped", Given: history{support}, When: staff.Reactivate{By: admin}},
	})
}

func TestRenameAndChangeEmail(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, staff.Decider, []tcase{
		{
			Name: "gives a name", Given: history{support}, When: staff.Rename{Name: "Sam"},
			Then: history{events.StaffRenamed{StaffID: id, After: events.Clear("Sam")}},
		},
		{Name: "has no name already", Given: history{support}, When: staff.Rename{}},
		{
			Name: "changes the email", Given: history{support}, When: staff.ChangeEmail{Email: "sam@new.example"},
			Then: history{events.StaffEmailChanged{StaffID: id, Before: support.Email, After: events.Clear("sam@new.example")}},
		},
		{Name: "refuses a bad email", Given: history{support}, When: staff.ChangeEmail{Email: "sam"}, Err: staff.ErrInvalid, Field: "email"},
	})
}
