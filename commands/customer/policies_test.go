package customer_test

import (
	"testing"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
	"github.com/stewardhq/steward/internal/policy"
)

// What a store decides for itself, where the sources of its behaviour disagree.
func TestPolicies(t *testing.T) {
	t.Parallel()
	var (
		needed   = policy.Set{policy.RequireReason.Name: "true"}
		holding  = policy.Set{policy.HoldServices.Name: "true"}
		kept     = policy.Set{policy.Deletion.Name: policy.DeletionDisabled}
		optional = policy.Set{policy.UsernameMode.Name: policy.UsernameOptional}
		byEmail  = policy.Set{policy.UsernameMode.Name: policy.UsernameIsEmail}
	)
	open := func(username string, policies policy.Set) customer.Create {
		return customer.Create{CustomerID: id, LoginID: login, Origin: events.OriginStaff, Email: "ada@example.com", Username: username, Policies: policies}
	}
	nameless := created
	nameless.Username = events.Personal{}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "C1 deleting is soft by default", Given: history{created}, When: customer.Delete{By: staff}, Then: history{deleted}},
		{Name: "C1 deleting can be switched off", Given: history{created}, When: customer.Delete{By: staff, Policies: kept}, Err: customer.ErrDeletionDisabled},
		{Name: "C1 what is deleted stays so", Given: history{created, deleted}, When: customer.Delete{By: staff, Policies: kept}},

		{Name: "C10 domains stay untouched by default", Given: history{created}, When: customer.Suspend{By: staff}, Then: history{suspended}},
		{Name: "C10 a store can hold them", Given: history{created}, When: customer.Suspend{By: staff, Policies: holding}, Then: history{onHold}},
		{Name: "C10 the request goes before the store", Given: history{created}, When: customer.Suspend{By: staff, HoldServices: new(false), Policies: holding}, Then: history{suspended}},

		{Name: "C11 a reason can be required", Given: history{created}, When: customer.Suspend{By: staff, Policies: needed}, Err: customer.ErrNoReason, Field: "reason"},
		{Name: "C11 also of a ban", Given: history{created}, When: customer.Ban{By: staff, Policies: needed}, Err: customer.ErrNoReason},
		{Name: "C11 and of a deletion", Given: history{created}, When: customer.Delete{By: staff, Policies: needed}, Err: customer.ErrNoReason},
		{Name: "C11 which may stand beside the command", Given: history{created}, When: customer.Suspend{By: staff, Explained: true, Policies: needed}, Then: history{suspended}},
		{
			Name: "C11 or be a code", Given: history{created}, When: customer.Suspend{By: staff, ReasonCode: events.ReasonFraud, Policies: needed},
			Then: history{events.CustomerSuspended{CustomerID: id, Before: events.StatusActive, After: events.StatusSuspended, ReasonCode: events.ReasonFraud}},
		},

		{Name: "C12 a username is required by default", When: open("", nil), Err: customer.ErrInvalid, Field: "username"},
		{Name: "C12 or optional", When: open("", optional), Then: history{nameless}, Again: customer.ErrExists},
		{Name: "C12 and then may be given", When: open("ada", optional), Then: history{created}, Again: customer.ErrExists},
		{Name: "C12 or not used", When: open("ada", byEmail), Err: customer.ErrInvalid, Field: "username"},
		{Name: "C12 and then is not needed", When: open("", byEmail), Then: history{nameless}, Again: customer.ErrExists},
		{
			Name: "C12 an optional one can be removed", Given: history{created}, When: customer.ChangeUsername{Policies: optional},
			Then: history{events.CustomerUsernameChanged{CustomerID: id, LoginID: login, Before: created.Username}},
		},
		{Name: "C12 a required one cannot", Given: history{created}, When: customer.ChangeUsername{}, Err: customer.ErrInvalid, Field: "username"},
	})
}
