package customer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.CustomerEvent
	tcase   = decidertest.Case[customer.Command, events.CustomerEvent]
)

var (
	id    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	login = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")

	staff  = events.Reseller(uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003"), uuid.Nil)
	self   = events.Actor{Kind: events.ActorCustomer, ID: id.String()}
	helper = events.Actor{Kind: events.ActorAsCustomer, ID: id.String(), StaffID: staff.StaffID}

	created = events.CustomerCreated{
		CustomerID: id, LoginID: login, Origin: events.OriginStaff, Status: events.StatusActive,
		Email: events.Clear("ada@example.com"), Username: events.Clear("ada"),
	}
	pending = func() events.CustomerCreated {
		p := created
		p.Status = events.StatusPending
		return p
	}()
	suspended = events.CustomerSuspended{CustomerID: id, Before: events.StatusActive, After: events.StatusSuspended}
	onHold    = events.CustomerSuspended{CustomerID: id, Before: events.StatusActive, After: events.StatusSuspended, HoldServices: true}
	fraud     = events.CustomerSuspended{
		CustomerID: id, Before: events.StatusActive, After: events.StatusSuspended,
		ReasonCode: events.ReasonFraud, Reason: events.Clear("chargeback"),
	}
	letInOnHold = events.CustomerReactivated{CustomerID: id, Before: events.StatusSuspended, After: events.StatusActive}
	banned      = events.CustomerBanned{CustomerID: id, Before: events.StatusActive, After: events.StatusBanned}
	standIn     = events.CustomerEmailProvisionalSet{CustomerID: id, After: true}
	deleted     = events.CustomerDeleted{CustomerID: id, Before: events.StatusActive, After: events.StatusDeleted}
)

func TestCreate(t *testing.T) {
	t.Parallel()
	command := customer.Create{CustomerID: id, LoginID: login, Origin: events.OriginStaff, Email: "ada@example.com", Username: "ada"}
	with := func(change func(*customer.Create)) customer.Create {
		c := command
		change(&c)
		return c
	}
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "S0-21 needs only an email and a username", When: command, Then: history{created}, Again: customer.ErrExists},
		{
			Name: "keeps the spelling and leaves empty fields out",
			When: with(func(c *customer.Create) {
				c.Email, c.Username, c.ExternalID = " Ada.Lovelace+shop@Example.com ", "Ada", "crm-1"
				c.Profile = events.Profile{FirstName: events.Clear(" Ada "), City: events.Clear("")}
			}),
			Then: history{events.CustomerCreated{
				CustomerID: id, LoginID: login, Origin: events.OriginStaff, Status: events.StatusActive,
				Email: events.Clear("Ada.Lovelace+shop@Example.com"), Username: events.Clear("Ada"),
				ExternalID: events.Clear("crm-1"), Profile: events.Profile{FirstName: events.Clear("Ada")},
			}},
			Again: customer.ErrExists,
		},
		{
			Name: "accepts a name that a spreadsheet would run",
			When: with(func(c *customer.Create) { c.Profile.LastName = events.Clear("=cmd|' /C calc'!A0") }),
			Then: func() history {
				e := created
				e.Profile.LastName = events.Clear("=cmd|' /C calc'!A0")
				return history{e}
			}(),
			Again: customer.ErrExists,
		},
		{
			Name: "S4-16 marks a stand-in for an email", When: with(func(c *customer.Create) { c.Provisional = true }),
			Then: history{created, standIn}, Again: customer.ErrExists,
		},
		{Name: "S0-21 names a missing email", When: with(func(c *customer.Create) { c.Email = "" }), Err: customer.ErrInvalid, Field: "email"},
		{Name: "S0-21 names a missing username", When: with(func(c *customer.Create) { c.Username = "" }), Err: customer.ErrInvalid, Field: "username"},
		{Name: "refuses a name with an address", When: with(func(c *customer.Create) { c.Email = "Ada <ada@example.com>" }), Err: customer.ErrInvalid, Field: "email"},
		{Name: "refuses a host without a dot", When: with(func(c *customer.Create) { c.Email = "ada@localhost" }), Err: customer.ErrInvalid, Field: "email"},
		{Name: "refuses text that runs backwards", When: with(func(c *customer.Create) { c.Profile.FirstName = events.Clear("a\u202eb") }), Err: customer.ErrInvalid, Field: "profile.first_name"},
		{Name: "refuses control characters", When: with(func(c *customer.Create) { c.Profile.City = events.Clear("a\x00b") }), Err: customer.ErrInvalid, Field: "profile.city"},
		{Name: "refuses bytes that are not text", When: with(func(c *customer.Create) { c.ExternalID = "a\xffb" }), Err: customer.ErrInvalid, Field: "external_id"},
		{Name: "refuses a long company", When: with(func(c *customer.Create) { c.Profile.Company = events.Clear(strings.Repeat("é", 201)) }), Err: customer.ErrInvalid, Field: "profile.company"},
		{Name: "refuses an unknown country", When: with(func(c *customer.Create) { c.Profile.Country = events.Clear("Germany") }), Err: customer.ErrInvalid, Field: "profile.country"},
		{Name: "happens once", Given: history{created}, When: command, Err: customer.ErrExists},
	})
}

func TestEditProfile(t *testing.T) {
	t.Parallel()
	named := created
	named.Profile = events.Profile{FirstName: events.Clear("Ada"), City: events.Clear("London")}
	edit := func(p events.Profile) customer.EditProfile { return customer.EditProfile{Profile: p} }
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S1-09 records before and after of what changed", Given: history{named},
			When: edit(events.Profile{FirstName: events.Clear("Ada"), City: events.Clear("Paris"), Phone: events.Clear("+44 20 7946 0000")}),
			Then: history{events.CustomerProfileEdited{
				CustomerID: id,
				Before:     events.Profile{City: events.Clear("London")},
				After:      events.Profile{City: events.Clear("Paris"), Phone: events.Clear("+44 20 7946 0000")},
			}},
		},
		{
			Name: "removes what is set to nothing", Given: history{named},
			When: edit(events.Profile{City: events.Clear("")}),
			Then: history{events.CustomerProfileEdited{
				CustomerID: id,
				Before:     events.Profile{City: events.Clear("London")},
				After:      events.Profile{City: events.Clear("")},
			}},
		},
		{Name: "leaves alone what is already so", Given: history{named}, When: edit(named.Profile)},
		{Name: "leaves alone what was never there", Given: history{named}, When: edit(events.Profile{Street: events.Clear("")})},
		{Name: "leaves alone what is not mentioned", Given: history{named}, When: edit(events.Profile{})},
		{
			Name: "works while suspended", Given: history{created, suspended}, When: edit(events.Profile{City: events.Clear("Paris")}),
			Then: history{events.CustomerProfileEdited{CustomerID: id, After: events.Profile{City: events.Clear("Paris")}}},
		},
		{Name: "needs a customer", When: edit(events.Profile{City: events.Clear("Paris")}), Err: customer.ErrNotFound},
		{Name: "needs one that is not deleted", Given: history{created, deleted}, When: edit(events.Profile{City: events.Clear("Paris")}), Err: customer.ErrDeleted},
		{Name: "names the field at fault", Given: history{created}, When: edit(events.Profile{Phone: events.Clear("call me")}), Err: customer.ErrInvalid, Field: "profile.phone"},
	})
}

func TestChangeIdentifiers(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S0-32 changes the email", Given: history{created}, When: customer.ChangeEmail{Email: "ada@lovelace.example"},
			Then: history{events.CustomerEmailChanged{CustomerID: id, LoginID: login, Before: created.Email, After: events.Clear("ada@lovelace.example")}},
		},
		{
			Name: "S4-16 a stand-in is marked", Given: history{created}, When: customer.ChangeEmail{Email: "ada@lovelace.example", Provisional: true},
			Then: history{
				events.CustomerEmailChanged{CustomerID: id, LoginID: login, Before: created.Email, After: events.Clear("ada@lovelace.example")},
				events.CustomerEmailProvisionalSet{CustomerID: id, After: true},
			},
		},
		{
			Name: "S4-16 another address ends that", Given: history{created, standIn}, When: customer.ChangeEmail{Email: "ada@lovelace.example"},
			Then: history{
				events.CustomerEmailChanged{CustomerID: id, LoginID: login, Before: created.Email, After: events.Clear("ada@lovelace.example")},
				events.CustomerEmailProvisionalSet{CustomerID: id, Before: true},
			},
		},
		{
			Name: "S4-16 or the word that this one is theirs", Given: history{created, standIn}, When: customer.ChangeEmail{Email: "ada@example.com"},
			Then: history{events.CustomerEmailProvisionalSet{CustomerID: id, Before: true}},
		},
		{Name: "S4-16 another stand-in stays one", Given: history{created, standIn}, When: customer.ChangeEmail{Email: "ada@example.com", Provisional: true}},
		{Name: "the email is already so", Given: history{created}, When: customer.ChangeEmail{Email: "ada@example.com"}},
		{
			Name: "another spelling is a change", Given: history{created}, When: customer.ChangeEmail{Email: "Ada@example.com"},
			Then: history{events.CustomerEmailChanged{CustomerID: id, LoginID: login, Before: created.Email, After: events.Clear("Ada@example.com")}},
		},
		{Name: "refuses a bad email", Given: history{created}, When: customer.ChangeEmail{Email: "ada"}, Err: customer.ErrInvalid, Field: "email"},
		{Name: "an email needs a customer", When: customer.ChangeEmail{Email: "ada@example.com"}, Err: customer.ErrNotFound},
		{
			Name: "S4-28 changes the username", Given: history{created}, When: customer.ChangeUsername{Username: "countess"},
			Then: history{events.CustomerUsernameChanged{CustomerID: id, LoginID: login, Before: created.Username, After: events.Clear("countess")}},
		},
		{Name: "refuses a bad username", Given: history{created}, When: customer.ChangeUsername{Username: "аda"}, Err: customer.ErrInvalid, Field: "username"},
		{
			Name: "S0-20 sets an external id", Given: history{created}, When: customer.ChangeExternalID{ExternalID: "crm-7"},
			Then: history{events.CustomerExternalIDChanged{CustomerID: id, After: events.Clear("crm-7")}},
		},
		{
			Name:  "removes an external id",
			Given: history{created, events.CustomerExternalIDChanged{CustomerID: id, After: events.Clear("crm-7")}},
			When:  customer.ChangeExternalID{},
			Then:  history{events.CustomerExternalIDChanged{CustomerID: id, Before: events.Clear("crm-7")}},
		},
		{Name: "there is no external id to remove", Given: history{created}, When: customer.ChangeExternalID{}},
	})
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S0-37 S1-34 keeps the reason", Given: history{created},
			When: customer.Suspend{By: staff, ReasonCode: events.ReasonFraud, Reason: "chargeback", HoldServices: new(true)},
			Then: history{events.CustomerSuspended{
				CustomerID: id, Before: events.StatusActive, After: events.StatusSuspended,
				ReasonCode: events.ReasonFraud, Reason: events.Clear("chargeback"), HoldServices: true,
			}},
		},
		{Name: "S0-33 is already so", Given: history{created, suspended}, When: customer.Suspend{By: staff}},
		{Name: "S0-33 is already so for the same reason", Given: history{created, fraud}, When: customer.Suspend{By: staff, ReasonCode: events.ReasonFraud, Reason: "chargeback"}},
		{
			Name: "S0-37 S1-37 keeps a reason that is given later", Given: history{created, suspended}, When: customer.Suspend{By: staff, ReasonCode: events.ReasonFraud, Reason: "chargeback"},
			Then: history{events.CustomerSuspended{CustomerID: id, Before: events.StatusSuspended, After: events.StatusSuspended, ReasonCode: events.ReasonFraud, Reason: events.Clear("chargeback")}},
		},
		{Name: "S1-36 does not release a hold", Given: history{created, onHold}, When: customer.Suspend{By: staff}},
		{
			Name: "S1-36 keeps a hold from before", Given: history{created, onHold, letInOnHold}, When: customer.Suspend{By: staff},
			Then: history{onHold},
		},
		{
			Name: "can add a hold later", Given: history{created, suspended}, When: customer.Suspend{By: staff, HoldServices: new(true)},
			Then: history{events.CustomerSuspended{CustomerID: id, Before: events.StatusSuspended, After: events.StatusSuspended, HoldServices: true}},
		},
		{Name: "is for staff", Given: history{created}, When: customer.Suspend{By: self}, Err: customer.ErrStaffOnly},
		{Name: "is not for staff inside the account", Given: history{created}, When: customer.Suspend{By: helper}, Err: customer.ErrStaffOnly},
		{Name: "is less than a ban", Given: history{created, banned}, When: customer.Suspend{By: staff}, Err: customer.ErrBanned},
		{Name: "knows its reasons", Given: history{created}, When: customer.Suspend{By: staff, ReasonCode: "whim"}, Err: customer.ErrInvalid, Field: "reason_code"},
		{Name: "needs a customer", When: customer.Suspend{By: staff}, Err: customer.ErrNotFound},
	})
}

func TestReactivate(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "S1-35 lets a suspended customer in", Given: history{created, suspended}, When: customer.Reactivate{By: staff}, Then: reactivated(events.StatusSuspended, events.StatusActive, false)},
		{Name: "S1-38 lets a banned customer in, by staff", Given: history{created, banned}, When: customer.Reactivate{By: staff}, Then: reactivated(events.StatusBanned, events.StatusActive, false)},
		{Name: "S1-38 is not for the customer", Given: history{created, banned}, When: customer.Reactivate{By: self}, Err: customer.ErrStaffOnly},
		{Name: "S1-36 releases the hold", Given: history{created, onHold}, When: customer.Reactivate{By: staff, ReleaseServices: true}, Then: reactivated(events.StatusSuspended, events.StatusActive, true)},
		{
			Name: "can release the hold later", Given: append(history{created, onHold}, reactivated(events.StatusSuspended, events.StatusActive, false)...),
			When: customer.Reactivate{By: staff, ReleaseServices: true}, Then: reactivated(events.StatusActive, events.StatusActive, true),
		},
		{
			Name:  "leads back to pending where it came from",
			Given: history{pending, events.CustomerSuspended{CustomerID: id, Before: events.StatusPending, After: events.StatusSuspended}},
			When:  customer.Reactivate{By: staff}, Then: reactivated(events.StatusSuspended, events.StatusPending, false),
		},
		{Name: "S0-33 is already so", Given: history{created}, When: customer.Reactivate{By: staff, ReleaseServices: true}},
		{Name: "does not confirm an account", Given: history{pending}, When: customer.Reactivate{By: staff}},
		{Name: "does not restore", Given: history{created, deleted}, When: customer.Reactivate{By: staff}, Err: customer.ErrDeleted},
	})
}

func TestBan(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S1-38 keeps the reason", Given: history{created}, When: customer.Ban{By: staff, ReasonCode: events.ReasonTerms, Reason: "spam"},
			Then: history{events.CustomerBanned{CustomerID: id, Before: events.StatusActive, After: events.StatusBanned, ReasonCode: events.ReasonTerms, Reason: events.Clear("spam")}},
		},
		{
			Name: "goes beyond a suspension", Given: history{created, suspended}, When: customer.Ban{By: staff},
			Then: history{events.CustomerBanned{CustomerID: id, Before: events.StatusSuspended, After: events.StatusBanned}},
		},
		{
			Name: "S1-36 keeps a hold", Given: history{created, onHold}, When: customer.Ban{By: staff},
			Then: history{events.CustomerBanned{CustomerID: id, Before: events.StatusSuspended, After: events.StatusBanned, HoldServices: true}},
		},
		{Name: "is already so", Given: history{created, banned}, When: customer.Ban{By: staff}},
		{Name: "is for staff", Given: history{created}, When: customer.Ban{By: self}, Err: customer.ErrStaffOnly},
	})
}

func TestDeleteAndRestore(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, customer.Decider, []tcase{
		{Name: "S1-41 hides the customer", Given: history{created}, When: customer.Delete{By: staff}, Then: history{deleted}},
		{Name: "is already so", Given: history{created, deleted}, When: customer.Delete{By: staff}},
		{Name: "is for staff", Given: history{created}, When: customer.Delete{By: self}, Err: customer.ErrStaffOnly},
		{
			Name: "S1-41 comes back as it was", Given: history{created, suspended, events.CustomerDeleted{CustomerID: id, Before: events.StatusSuspended, After: events.StatusDeleted}},
			When: customer.Restore{By: staff},
			Then: history{events.CustomerRestored{CustomerID: id, Before: events.StatusDeleted, After: events.StatusSuspended}},
		},
		{Name: "was never away", Given: history{created}, When: customer.Restore{By: staff}},
		{Name: "never was", When: customer.Restore{By: staff}, Err: customer.ErrNotFound},
	})
}

// A claim that somebody else aborted leaves no trace in the state.
func TestAbortedClaimChangesNothing(t *testing.T) {
	t.Parallel()
	state := customer.Decider.Fold(history{created})
	if diff := cmp.Diff(state, customer.Evolve(state, events.UniqClaimAborted{})); diff != "" {
		t.Fatal(diff)
	}
}

// The actions offered are exactly those that have an effect.
func TestActions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given history
		by    events.Actor
		want  []customer.Action
	}{
		"active, for staff":          {history{created}, staff, []customer.Action{"edit_profile", "change_email", "change_username", "change_external_id", "add_note", "set_tags", "suspend", "ban", "delete", "erase"}},
		"active, for themself":       {history{created}, self, []customer.Action{"edit_profile", "change_email", "change_username", "change_external_id", "erase"}},
		"suspended, for staff":       {history{created, suspended}, staff, []customer.Action{"edit_profile", "change_email", "change_username", "change_external_id", "add_note", "set_tags", "reactivate", "ban", "delete", "erase"}},
		"banned, for staff":          {history{created, banned}, staff, []customer.Action{"edit_profile", "change_email", "change_username", "change_external_id", "add_note", "set_tags", "reactivate", "delete", "erase"}},
		"deleted, for staff":         {history{created, deleted}, staff, []customer.Action{"restore", "erase"}},
		"to be erased, for staff":    {history{created, requested}, staff, []customer.Action{"cancel_erasure"}},
		"to be erased, for themself": {history{created, requested}, self, []customer.Action{}},
		"erased":                     {history{created, requested, erased}, staff, []customer.Action{}},
		"there is no customer":       {nil, staff, []customer.Action{}},
		"with a company called":      {history{created, events.CustomerProfileEdited{CustomerID: id, After: events.Profile{Company: events.Clear("x")}}}, self, []customer.Action{"edit_profile", "change_email", "change_username", "change_external_id", "erase"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, customer.Actions(customer.Decider.Fold(c.given), c.by, nil, asked)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func reactivated(before, after events.CustomerStatus, release bool) history {
	return history{events.CustomerReactivated{CustomerID: id, Before: before, After: after, ReleaseServices: release}}
}

func TestActivate(t *testing.T) {
	t.Parallel()
	opened := created
	opened.Origin, opened.Status = events.OriginSelf, events.StatusPending
	activated := func(method events.ActivationMethod) history {
		return history{events.CustomerActivated{CustomerID: id, Before: events.StatusPending, After: events.StatusActive, Method: method}}
	}
	shut := events.CustomerSuspended{CustomerID: id, Before: events.StatusPending, After: events.StatusSuspended}
	decidertest.Run(t, customer.Decider, []tcase{
		{
			Name: "S1-06 who comes by themself is pending", Then: history{opened}, Again: customer.ErrExists,
			When: customer.Create{CustomerID: id, LoginID: login, Origin: events.OriginSelf, Email: "ada@example.com", Username: "ada"},
		},
		{Name: "S1-30 staff confirm", Given: history{opened}, When: customer.Activate{By: staff}, Then: activated(events.ActivatedByStaff)},
		{Name: "S1-43 or the store wants nothing more", Given: history{opened}, When: customer.Activate{By: events.System("registration")}, Then: activated(events.ActivatedAutomatically)},
		{Name: "nobody activates themself", Given: history{opened}, When: customer.Activate{By: self}, Err: customer.ErrStaffOnly},
		{Name: "is usable already", Given: history{created}, When: customer.Activate{By: staff}},
		{Name: "does not lift a suspension", Given: history{opened, shut}, When: customer.Activate{By: staff}, Err: customer.ErrShutOut},
		{
			Name: "a suspension after it leads back to active", Given: append(append(history{opened}, activated(events.ActivatedByStaff)...), suspended),
			When: customer.Reactivate{By: staff}, Then: reactivated(events.StatusSuspended, events.StatusActive, false),
		},
		{
			Name: "a suspension before it leads back to pending", Given: history{opened, shut},
			When: customer.Reactivate{By: staff}, Then: reactivated(events.StatusSuspended, events.StatusPending, false),
		},
		{Name: "never was", When: customer.Activate{By: staff}, Err: customer.ErrNotFound},
	})
}
