package apikey_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.APIKeyEvent
	tcase   = decidertest.Case[apikey.Command, events.APIKeyEvent]
)

var (
	id    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	staff = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	now   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

	create = apikey.Create{
		APIKeyID: id, StaffID: staff, Prefix: "stw_live_0123456789abcdef", Hash: "hash",
		Source: events.SourceAPI, ExpiresAt: now.AddDate(0, 1, 0), At: now,
	}
	created = events.APIKeyCreated{
		APIKeyID: id, StaffID: staff, Prefix: create.Prefix, Hash: "hash", Source: events.SourceAPI, ExpiresAt: create.ExpiresAt,
	}
	revoked = events.APIKeyRevoked{APIKeyID: id, StaffID: staff}
)

func TestCreateAndRevoke(t *testing.T) {
	t.Parallel()
	with := func(change func(*apikey.Create)) apikey.Create {
		c := create
		change(&c)
		return c
	}
	decidertest.Run(t, apikey.Decider, []tcase{
		{Name: "issues a key", When: create, Then: history{created}, Again: apikey.ErrExists},
		{Name: "happens once", Given: history{created}, When: create, Err: apikey.ErrExists},
		{Name: "cannot be in the past", When: with(func(c *apikey.Create) { c.ExpiresAt = now }), Err: apikey.ErrInvalid, Field: "expires_at"},
		{Name: "lasts a year at most", When: with(func(c *apikey.Create) { c.ExpiresAt = now.AddDate(2, 0, 0) }), Err: apikey.ErrInvalid, Field: "expires_at"},
		{Name: "knows its sources", When: with(func(c *apikey.Create) { c.Source = events.SourceReaction }), Err: apikey.ErrInvalid, Field: "source"},
		{Name: "ends", Given: history{created}, When: apikey.Revoke{}, Then: history{revoked}},
		{Name: "has ended already", Given: history{created, revoked}, When: apikey.Revoke{}},
		{Name: "never was", When: apikey.Revoke{}, Err: apikey.ErrNotFound},
	})
}

func TestValid(t *testing.T) {
	t.Parallel()
	live := apikey.Decider.Fold(history{created})
	if !live.Valid(now) || live.Valid(created.ExpiresAt) {
		t.Fatal("a key is valid until it expires")
	}
	if apikey.Evolve(live, revoked).Valid(now) || (apikey.State{}).Valid(now) {
		t.Fatal("a revoked or unknown key is not valid")
	}
}
