package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.DomainEvent
	tcase   = decidertest.Case[domain.Command, events.DomainEvent]
)

var (
	store = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0000")
	id    = events.DomainID(store, "example.com")
	ada   = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	bob   = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")

	staff  = events.Reseller(uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003"), uuid.Nil)
	owner  = events.Actor{Kind: events.ActorCustomer, ID: ada.String()}
	other  = events.Actor{Kind: events.ActorCustomer, ID: bob.String()}
	worker = events.System("renewals")

	holder = domain.Holder{ID: ada, MayOwn: true}
	held   = domain.Holder{ID: ada, Hold: true}

	begin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

	settings = events.DomainSettings{AutoRenew: true, Nameservers: []string{"ns1.shop.example", "ns2.shop.example"}}
	imported = events.DomainImported{DomainID: id, CustomerID: ada, Name: "example.com", RegisteredAt: begin, ExpiresAt: end, Settings: settings}
	details  = domain.Details{DomainID: id, Name: "example.com", RegisteredAt: begin, ExpiresAt: end, Settings: settings}
)

func TestImport(t *testing.T) {
	t.Parallel()
	command := domain.Import{Details: details, Holder: holder, By: staff}
	with := func(change func(*domain.Import)) domain.Import {
		c := command
		change(&c)
		return c
	}
	cases := []tcase{
		{Name: "brings a domain in", When: command, Then: history{imported}},
		{Name: "knows the name in another spelling", When: with(func(c *domain.Import) { c.Name = "EXAMPLE.com." }), Then: history{imported}},
		{Name: "leaves a domain of the same holder as it is", Given: history{imported}, When: with(func(c *domain.Import) { c.Settings.AutoRenew = false })},
		{Name: "does not take a domain from its holder", Given: history{imported}, When: with(func(c *domain.Import) { c.Holder.ID = bob }), Err: domain.ErrHeldByOther, Field: "name"},
		{Name: "needs an eligible holder", When: with(func(c *domain.Import) { c.Holder.MayOwn = false }), Err: domain.ErrNotEligible},
		{Name: "is for staff", When: with(func(c *domain.Import) { c.By = owner }), Err: domain.ErrStaffOnly},
		{Name: "needs an order of dates", When: with(func(c *domain.Import) { c.ExpiresAt = begin }), Err: domain.ErrInvalid, Field: "expires_at"},
		{Name: "needs a sane date", When: with(func(c *domain.Import) { c.RegisteredAt = time.Time{} }), Err: domain.ErrInvalid, Field: "registered_at"},
		{Name: "needs two nameservers", When: with(func(c *domain.Import) { c.Settings.Nameservers = []string{"ns1.shop.example"} }), Err: domain.ErrInvalid, Field: "nameservers"},
		{Name: "names the nameserver at fault", When: with(func(c *domain.Import) { c.Settings.Nameservers = []string{"ns1.shop.example", "no host"} }), Err: domain.ErrInvalid, Field: "nameservers[1]"},
		{Name: "refuses a nameserver twice", When: with(func(c *domain.Import) { c.Settings.Nameservers = []string{"ns1.shop.example", "NS1.shop.example"} }), Err: domain.ErrInvalid, Field: "nameservers[1]"},
	}
	for _, bad := range []string{"", "com", "co.uk", "-a.com", "a-.com", "a..com", "a b.com", "a_b.com", "exa\u202emple.com", "example.invalidtld", "1.2.3.4", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com", "xn--a.com", "example.com\x00"} {
		cases = append(cases, tcase{Name: "refuses the name " + bad, When: with(func(c *domain.Import) { c.Name = bad }), Err: domain.ErrInvalid, Field: "name"})
	}
	decidertest.Run(t, domain.Decider, cases)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	registered := events.DomainRegistered(imported)
	decidertest.Run(t, domain.Decider, []tcase{
		{Name: "gives a new domain to a customer", When: domain.Register{Details: details, Holder: holder}, Then: history{registered}, Again: domain.ErrExists},
		{Name: "happens once", Given: history{imported}, When: domain.Register{Details: details, Holder: holder}, Err: domain.ErrExists, Field: "name"},
		{Name: "needs an eligible holder", When: domain.Register{Details: details, Holder: domain.Holder{ID: ada}}, Err: domain.ErrNotEligible},
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, domain.Decider, []tcase{
		{
			Name: "S0-56 turns auto-renew off", Given: history{imported}, When: domain.SetAutoRenew{On: false, By: staff, Holder: holder},
			Then: history{events.DomainAutoRenewSet{DomainID: id, CustomerID: ada, Before: true, After: false}},
		},
		{Name: "S0-56 auto-renew is already so", Given: history{imported}, When: domain.SetAutoRenew{On: true, By: staff, Holder: holder}},
		{
			Name: "S0-59 locks", Given: history{imported}, When: domain.SetLock{On: true, By: owner, Holder: holder},
			Then: history{events.DomainLockSet{DomainID: id, CustomerID: ada, Before: false, After: true}},
		},
		{Name: "S0-59 the lock is already so", Given: history{imported}, When: domain.SetLock{By: staff, Holder: holder}},
		{
			Name: "S0-61 hides the contacts", Given: history{imported}, When: domain.SetPrivacy{On: true, By: worker, Holder: holder},
			Then: history{events.DomainPrivacySet{DomainID: id, CustomerID: ada, Before: false, After: true}},
		},
		{
			Name: "S0-43 changes nameservers", Given: history{imported},
			When: domain.ChangeNameservers{Nameservers: []string{"A.ns.example", "b.ns.example."}, By: staff, Holder: holder},
			Then: history{events.DomainNameserversChanged{DomainID: id, CustomerID: ada, Before: settings.Nameservers, After: []string{"a.ns.example", "b.ns.example"}}},
		},
		{Name: "the nameservers are already so", Given: history{imported}, When: domain.ChangeNameservers{Nameservers: settings.Nameservers, By: staff, Holder: holder}},
		{Name: "one nameserver is too few", Given: history{imported}, When: domain.ChangeNameservers{Nameservers: settings.Nameservers[:1], By: staff, Holder: holder}, Err: domain.ErrInvalid, Field: "nameservers"},
		{Name: "needs a domain", When: domain.SetLock{On: true, By: staff, Holder: holder}, Err: domain.ErrNotFound},
		{Name: "another customer sees no domain", Given: history{imported}, When: domain.SetLock{On: true, By: other, Holder: holder}, Err: domain.ErrNotFound},
		{Name: "a hold stops the holder", Given: history{imported}, When: domain.SetLock{On: true, By: owner, Holder: held}, Err: domain.ErrOnHold},
		{Name: "a hold stops the system", Given: history{imported}, When: domain.SetLock{On: true, By: worker, Holder: held}, Err: domain.ErrOnHold},
		{
			Name: "a hold does not stop staff", Given: history{imported}, When: domain.SetLock{On: true, By: staff, Holder: held},
			Then: history{events.DomainLockSet{DomainID: id, CustomerID: ada, Before: false, After: true}},
		},
	})
}

func TestPush(t *testing.T) {
	t.Parallel()
	to := domain.Holder{ID: bob, MayOwn: true}
	there := events.DomainPushed{DomainID: id, FromCustomerID: ada, ToCustomerID: bob, ReasonCode: events.PushSale}
	back := events.DomainPushed{DomainID: id, FromCustomerID: bob, ToCustomerID: ada}
	decidertest.Run(t, domain.Decider, []tcase{
		{Name: "S0-65 S0-71 moves the domain", Given: history{imported}, When: domain.Push{By: staff, To: to, ReasonCode: events.PushSale}, Then: history{there}},
		{Name: "S0-96 moves it back", Given: history{imported, there}, When: domain.Push{By: staff, To: holder}, Then: history{back}},
		{Name: "is already there", Given: history{imported}, When: domain.Push{By: staff, To: holder}},
		{Name: "is for staff", Given: history{imported}, When: domain.Push{By: owner, To: to}, Err: domain.ErrStaffOnly},
		{Name: "needs a receiver in good standing", Given: history{imported}, When: domain.Push{By: staff, To: domain.Holder{ID: bob}}, Err: domain.ErrNotEligible, Field: "to"},
		{Name: "needs a domain", When: domain.Push{By: staff, To: to}, Err: domain.ErrNotFound},
		{Name: "knows its reasons", Given: history{imported}, When: domain.Push{By: staff, To: to, ReasonCode: "whim"}, Err: domain.ErrInvalid, Field: "reason_code"},
	})
}

// S0-73 S0-75: settings, dates and name carry over a push unchanged.
func TestPush_S0_75_C22_ConfigurationCarriesOver(t *testing.T) {
	t.Parallel()
	before := domain.Decider.Fold(history{imported})
	after := domain.Evolve(before, events.DomainPushed{DomainID: id, FromCustomerID: ada, ToCustomerID: bob})
	if after.CustomerID != bob {
		t.Fatalf("held by %s, want %s", after.CustomerID, bob)
	}
	after.CustomerID = ada
	if before.Name != after.Name || before.ExpiresAt != after.ExpiresAt || before.Settings.AutoRenew != after.Settings.AutoRenew ||
		before.Settings.Locked != after.Settings.Locked || before.Settings.Privacy != after.Settings.Privacy ||
		strings.Join(before.Settings.Nameservers, " ") != strings.Join(after.Settings.Nameservers, " ") {
		t.Fatalf("changed from %+v to %+v", before, after)
	}
}
