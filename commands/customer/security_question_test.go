package customer_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

func TestSecurityQuestion_S1_40_C26(t *testing.T) {
	t.Parallel()
	imported := events.CustomerSecurityQuestionImported{CustomerID: id, Question: events.Clear("First pet?")}
	removed := events.CustomerSecurityQuestionRemoved{CustomerID: id}
	create := func(question string) customer.Create {
		return customer.Create{
			CustomerID: id, LoginID: login, Origin: events.OriginStaff, Email: "ada@example.com", Username: "ada", SecurityQuestion: question,
		}
	}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "comes with an account", When: create(" First pet? "), Then: history{created, imported}, Again: customer.ErrExists},
		{Name: "is a question", When: create(strings.Repeat("x", 301)), Err: customer.ErrInvalid, Field: "security_question"},
		{
			Name: "is removed", Given: history{created, imported}, When: customer.RemoveSecurityQuestion{By: staff},
			Then: history{removed}, Again: customer.ErrNoQuestion,
		},
		{Name: "is removed by the team", Given: history{created, imported}, When: customer.RemoveSecurityQuestion{By: self}, Err: customer.ErrStaffOnly},
		{Name: "is not there", Given: history{created}, When: customer.RemoveSecurityQuestion{By: staff}, Err: customer.ErrNoQuestion},
		{Name: "is nobody's", When: customer.RemoveSecurityQuestion{By: staff}, Err: customer.ErrNotFound},
	})
}
