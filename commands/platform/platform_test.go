package platform_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.PlatformEvent
	tcase   = decidertest.Case[platform.Command, events.PlatformEvent]
)

var (
	id      = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	poison  = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	checks  = map[string]string{"index": "00ff"}
	begun   = events.PlatformInitialized{LogID: id, Format: platform.Format, IdentityScope: events.ScopeStore, KeyChecks: checks}
	parked  = events.PlatformEventParked{EventID: poison, Group: "core"}
	begin   = platform.Initialize{LogID: id, IdentityScope: events.ScopeStore, KeyChecks: checks}
	another = platform.Initialize{LogID: poison, IdentityScope: events.ScopeStore, KeyChecks: checks}
)

func TestPlatform(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, platform.Decider, []tcase{
		{Name: "begins", When: begin, Then: history{begun}},
		{Name: "has begun already", Given: history{begun}, When: begin},
		{Name: "begins once", Given: history{begun}, When: another, Err: platform.ErrInitialized},
		{Name: "needs a scope", When: platform.Initialize{LogID: id}, Err: platform.ErrInvalid, Field: "identity_scope"},
		{Name: "parks an event", Given: history{begun}, When: platform.Park{EventID: poison, Group: "core"}, Then: history{parked}},
		{Name: "has parked it already", Given: history{begun, parked}, When: platform.Park{EventID: poison, Group: "core"}},
		{Name: "parks for one group only", Given: history{begun, parked}, When: platform.Park{EventID: poison, Group: "analytics"}, Then: history{events.PlatformEventParked{EventID: poison, Group: "analytics"}}},
		{Name: "parks nothing before it begins", When: platform.Park{EventID: poison, Group: "core"}, Err: platform.ErrNotInitialized},
	})
}
