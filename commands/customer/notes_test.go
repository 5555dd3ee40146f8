package customer_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

func TestAddNote_S1_26(t *testing.T) {
	t.Parallel()
	note := func(text string) events.CustomerNoteAdded {
		return events.CustomerNoteAdded{CustomerID: id, Text: events.Clear(text)}
	}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "keeps every note", Given: history{created, note("called")}, When: customer.AddNote{By: staff, Text: " called\nagain "}, Then: history{note("called\nagain")}, Anew: true},
		{Name: "also of somebody who is suspended", Given: history{created, suspended}, When: customer.AddNote{By: staff, Text: "why"}, Then: history{note("why")}, Anew: true},
		{Name: "is not for customers", Given: history{created}, When: customer.AddNote{By: self, Text: "me"}, Err: customer.ErrStaffOnly},
		{Name: "nor for staff in their place", Given: history{created}, When: customer.AddNote{By: helper, Text: "me"}, Err: customer.ErrStaffOnly},
		{Name: "needs a text", Given: history{created}, When: customer.AddNote{By: staff, Text: " \n"}, Err: customer.ErrInvalid, Field: "text"},
		{Name: "up to a limit", Given: history{created}, When: customer.AddNote{By: staff, Text: strings.Repeat("é", 4001)}, Err: customer.ErrInvalid, Field: "text"},
		{Name: "needs a customer", When: customer.AddNote{By: staff, Text: "x"}, Err: customer.ErrNotFound},
		{Name: "needs one that is not deleted", Given: history{created, deleted}, When: customer.AddNote{By: staff, Text: "x"}, Err: customer.ErrDeleted},
	})
}

func TestSetTags_CUS12(t *testing.T) {
	t.Parallel()
	tagged := events.CustomerTagsChanged{CustomerID: id, Before: []string{}, After: []string{"reseller", "vip"}}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "sorts them, each once", Given: history{created}, When: customer.SetTags{By: staff, Tags: []string{"vip", "reseller", "vip"}}, Then: history{tagged}},
		{Name: "are already so in another order", Given: history{created, tagged}, When: customer.SetTags{By: staff, Tags: []string{"vip", "reseller"}}},
		{
			Name: "none removes them", Given: history{created, tagged}, When: customer.SetTags{By: staff},
			Then: history{events.CustomerTagsChanged{CustomerID: id, Before: tagged.After, After: []string{}}},
		},
		{Name: "none is already so", Given: history{created}, When: customer.SetTags{By: staff}},
		{Name: "names the one at fault", Given: history{created}, When: customer.SetTags{By: staff, Tags: []string{"vip", "Ada L."}}, Err: customer.ErrInvalid, Field: "tags[1]"},
		{Name: "have a limit", Given: history{created}, When: customer.SetTags{By: staff, Tags: make([]string, 21)}, Err: customer.ErrInvalid, Field: "tags"},
		{Name: "are not for customers", Given: history{created}, When: customer.SetTags{By: self}, Err: customer.ErrStaffOnly},
		{Name: "need a customer", When: customer.SetTags{By: staff}, Err: customer.ErrNotFound},
		{Name: "need one that is not deleted", Given: history{created, deleted}, When: customer.SetTags{By: staff}, Err: customer.ErrDeleted},
	})
}
