package login_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

type (
	history = []events.LoginEvent
	tcase   = decidertest.Case[login.Command, events.LoginEvent]
)

var (
	id       = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	customer = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	first    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0003")
	second   = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0004")
)

func set(credential, replaced uuid.UUID, cause events.PasswordCause) events.LoginPasswordSet {
	return events.LoginPasswordSet{
		LoginID: id, CustomerID: customer, CredentialID: credential, ReplacedID: replaced,
		Hash: events.Clear("hash of " + credential.String()), Scheme: "argon2id", Cause: cause,
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	registered := set(first, uuid.Nil, events.PasswordRegistered)
	choose := func(credential uuid.UUID, cause events.PasswordCause) login.SetPassword {
		return login.SetPassword{LoginID: id, CustomerID: customer, CredentialID: credential, Hash: "hash of " + credential.String(), Scheme: "argon2id", Cause: cause}
	}
	rehash := login.Rehash{Before: first, CredentialID: second, Hash: "hash of " + second.String(), Scheme: "argon2id"}
	decidertest.Run(t, login.Decider, []tcase{
		{Name: "begins with a password", When: choose(first, events.PasswordRegistered), Then: history{registered}, Anew: true},
		{
			Name: "gets another in the place of the first", Given: history{registered}, When: choose(second, events.PasswordChanged),
			Then: history{set(second, first, events.PasswordChanged)}, Anew: true,
		},
		{Name: "S1-48 gets a better hash of the same", Given: history{registered}, When: rehash, Then: history{set(second, first, events.PasswordRehashed)}},
		{Name: "keeps one that was changed meanwhile", Given: history{registered, set(uuid.New(), first, events.PasswordChanged)}, When: rehash},
		{Name: "S0-23 keeps the one it has when one is generated", Given: history{registered}, When: choose(second, events.PasswordGenerated)},
		{Name: "S0-23 gets a generated one first", When: choose(first, events.PasswordGenerated), Then: history{set(first, uuid.Nil, events.PasswordGenerated)}},
		{Name: "rehashes nothing when there is nothing", When: rehash},
		{Name: "ends its sessions", Given: history{registered}, When: login.EndSessions{}, Then: history{events.LoginSessionsEnded{LoginID: id, CustomerID: customer}}, Anew: true},
		{
			Name: "remembers a device", Given: history{registered}, When: login.AddDevice{DeviceID: first, SessionID: second}, Anew: true,
			Then: history{events.LoginDeviceAdded{LoginID: id, CustomerID: customer, DeviceID: first, SessionID: second, First: true}},
		},
		{
			Name: "remembers another", Given: history{registered, events.LoginDeviceAdded{LoginID: id, CustomerID: customer, DeviceID: first}},
			When: login.AddDevice{DeviceID: second, SessionID: second}, Anew: true,
			Then: history{events.LoginDeviceAdded{LoginID: id, CustomerID: customer, DeviceID: second, SessionID: second}},
		},
		{Name: "remembers none before it exists", When: login.AddDevice{DeviceID: first}, Err: login.ErrUnknown},
		{Name: "is unlocked", Given: history{registered}, When: login.Unlock{}, Then: history{events.LoginUnlocked{LoginID: id, CustomerID: customer}}, Anew: true},
		{Name: "cannot be unlocked before it exists", When: login.Unlock{}, Err: login.ErrUnknown},
		{Name: "has none before it exists", When: login.EndSessions{}, Err: login.ErrUnknown},
	})
}

// What ends sessions moves the epoch on; another hash of the same password does
// not.
func TestEpoch(t *testing.T) {
	t.Parallel()
	s := login.Decider.Fold([]events.LoginEvent{set(first, uuid.Nil, events.PasswordRegistered)})
	begun := s.Epoch
	s = login.Evolve(s, set(second, first, events.PasswordRehashed))
	if s.Epoch != begun || s.CredentialID != second {
		t.Errorf("after a rehash: %+v", s)
	}
	for _, e := range []events.LoginEvent{set(first, second, events.PasswordChanged), events.LoginSessionsEnded{LoginID: id, CustomerID: customer}} {
		before := s.Epoch
		if s = login.Evolve(s, e); s.Epoch <= before {
			t.Errorf("%s leaves sessions alive", e.EventType())
		}
	}
}
