package projections_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

// TestEveryEventHasADescription_LOG03 walks the registry.
func TestEveryEventHasADescription_LOG03(t *testing.T) {
	t.Parallel()
	types, err := events.Types()
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range types {
		if d := projections.Describe(e); d.Category == "" || d.Event == "" {
			t.Errorf("%s has no description: %+v", name, d)
		}
	}
}

func TestDescribe_LOG03(t *testing.T) {
	t.Parallel()
	id, other := uuid.New(), uuid.New()
	for name, c := range map[string]struct {
		event events.Event
		want  projections.Description
	}{
		"a switch": {
			events.DomainLockSet{Before: true, After: false},
			projections.Description{Category: "Settings", Event: "Domain unlocked", Setting: "lock", Changes: []projections.Change{
				{Field: "lock", Before: true, After: false},
			}},
		},
		"an edit shows the changed fields only": {
			events.CustomerProfileEdited{
				Before: events.Profile{Phone: events.Clear("1"), City: events.Clear("Rome")},
				After:  events.Profile{Phone: events.Clear("2")},
			},
			projections.Description{Category: "Account", Event: "Profile changed", Setting: "profile", Changes: []projections.Change{
				{Field: "phone", Before: "1", After: "2"},
				{Field: "city", Before: "Rome"},
			}},
		},
		"erased values are marked": {
			events.CustomerEmailChanged{Before: events.Erased(), After: events.Erased()},
			projections.Description{Category: "Account", Event: "Email address changed", Setting: "email", Changes: []projections.Change{
				{Field: "email", Before: "[erased]", After: "[erased]"},
			}},
		},
		"a suspension says why": {
			events.CustomerSuspended{
				Before: events.StatusActive, After: events.StatusSuspended, ReasonCode: events.ReasonFraud,
				Reason: events.Clear("card stolen"), HoldServices: true,
			},
			projections.Description{Category: "Account", Event: "Account suspended", Setting: "status", Changes: []projections.Change{
				{Field: "status", Before: "active", After: "suspended"},
				{Field: "reason_code", After: "fraud"},
				{Field: "reason", After: "card stolen"},
				{Field: "hold_services", After: true},
			}},
		},
		"a push names both ends": {
			events.DomainPushed{FromCustomerID: id, ToCustomerID: other, ReasonCode: events.PushSale},
			projections.Description{Category: "Domain", Event: "Domain pushed to another customer", Setting: "owner", Changes: []projections.Change{
				{Field: "owner", Before: id.String(), After: other.String()},
				{Field: "reason_code", After: "sale"},
			}},
		},
		"lists are never null": {
			events.DomainNameserversChanged{After: []string{"a.example", "b.example"}},
			projections.Description{Category: "Settings", Event: "Nameservers changed", Setting: "nameservers", Changes: []projections.Change{
				{Field: "nameservers", Before: []string{}, After: []string{"a.example", "b.example"}},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, projections.Describe(c.event)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}
