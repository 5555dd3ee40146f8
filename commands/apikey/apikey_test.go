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

var (
	limited  = events.APIKeyCreated{APIKeyID: id, StaffID: staff, Hash: "first", Source: events.SourceAPI, ExpiresAt: now.AddDate(0, 1, 0), Scopes: []string{"a", "b"}, Role: events.RoleSupport}
	rotated  = events.APIKeyRotated{APIKeyID: id, StaffID: staff, Hash: "second", PreviousUntil: now.Add(time.Hour)}
	usedOnce = events.APIKeyUsed{APIKeyID: id, StaffID: staff, Day: "2026-01-01"}
)

func TestScopes_K1_K3_NoKeyHasMoreThanItsMaker(t *testing.T) {
	t.Parallel()
	with := func(scopes ...string) apikey.Create {
		c := create
		c.Scopes, c.Allowed, c.Role = scopes, []string{"b", "a"}, events.RoleSupport
		return c
	}
	having := func(scopes ...string) history {
		e := created
		e.Scopes, e.Role = scopes, events.RoleSupport
		return history{e}
	}
	decidertest.Run(t, apikey.Decider, []tcase{
		{Name: "all that it can have", When: with(), Then: having("b", "a"), Again: apikey.ErrExists},
		{Name: "some", When: with("b", "b"), Then: having("b"), Again: apikey.ErrExists},
		{Name: "none beyond", When: with("a", "c"), Err: apikey.ErrInvalid, Field: "scopes"},
	})
}

func TestRotateAndUse_K3(t *testing.T) {
	t.Parallel()
	rotate := apikey.Rotate{Hash: "second", Grace: time.Hour, At: now}
	decidertest.Run(t, apikey.Decider, []tcase{
		{Name: "gets another secret", Given: history{limited}, When: rotate, Then: history{rotated}, Anew: true},
		{Name: "grace has an end", Given: history{limited}, When: apikey.Rotate{Hash: "x", Grace: apikey.MaxGrace + 1, At: now}, Err: apikey.ErrInvalid, Field: "grace_minutes"},
		{Name: "grace is no debt", Given: history{limited}, When: apikey.Rotate{Hash: "x", Grace: -1, At: now}, Err: apikey.ErrInvalid, Field: "grace_minutes"},
		{Name: "not after it was revoked", Given: history{limited, revoked}, When: rotate, Err: apikey.ErrOver},
		{Name: "not after it expired", Given: history{limited}, When: apikey.Rotate{Hash: "x", At: limited.ExpiresAt}, Err: apikey.ErrOver},
		{Name: "never was", When: rotate, Err: apikey.ErrNotFound},
		{Name: "is used", Given: history{limited}, When: apikey.Use{Day: "2026-01-01"}, Then: history{usedOnce}},
		{Name: "is used on another day", Given: history{limited, usedOnce}, When: apikey.Use{Day: "2026-01-02"}, Then: history{events.APIKeyUsed{APIKeyID: id, StaffID: staff, Day: "2026-01-02"}}},
		{Name: "was used on an earlier day", Given: history{limited, usedOnce}, When: apikey.Use{Day: "2025-12-31"}},
	})
}

func TestOpens_K3(t *testing.T) {
	t.Parallel()
	presents := func(secret string) func(string) bool { return func(hash string) bool { return hash == secret } }
	for _, c := range []struct {
		name, secret string
		given        history
		at           time.Time
		want         bool
	}{
		{"the only one", "first", history{limited}, now, true},
		{"another one", "second", history{limited}, now, false},
		{"nothing, of a key that was never rotated", "", history{limited}, now, false},
		{"the new one", "second", history{limited, rotated}, now, true},
		{"the one before, in its grace", "first", history{limited, rotated}, now.Add(time.Hour - 1), true},
		{"the one before, after it", "first", history{limited, rotated}, now.Add(time.Hour), false},
		{"the one before that", "first", history{limited, rotated, events.APIKeyRotated{Hash: "third", PreviousUntil: now.Add(time.Hour)}}, now, false},
		{"the one before, of a revoked key", "first", history{limited, rotated, revoked}, now, false},
		{"the new one, of an expired key", "second", history{limited, rotated}, limited.ExpiresAt, false},
	} {
		if got := apikey.Decider.Fold(c.given).Opens(presents(c.secret), c.at); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
