package reactions_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/vault"
)

// T12: with a secret ends the key that it was sealed under, and no other.
func TestCredentials_T12_KeysEndWithTheirSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "master.key")
	if err := vault.CreateKEKFile(file); err != nil {
		t.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.Open(t.Context(), w.pool, kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Init(t.Context(), w.logID); err != nil {
		t.Fatal(err)
	}
	names := []string{"first password", "second password", "abandoned secret", "secret", "codes", "new codes"}
	subjects := make(map[string]events.Subject)
	for _, name := range names {
		subjects[name] = events.Subject{Kind: events.SubjectCredential, ID: uuid.New()}
		if _, err := keys.Provision(t.Context(), []events.Subject{subjects[name]}); err != nil {
			t.Fatal(err)
		}
	}
	id := func(name string) uuid.UUID { return subjects[name].ID }
	_, stop := w.start(t, nil, reactions.Credentials(keys))
	defer stop()
	destroyed := make(map[string]bool)
	for _, step := range []struct {
		event events.Event
		ends  []string
	}{
		{events.LoginPasswordSet{CredentialID: id("first password")}, nil},
		{events.LoginPasswordSet{CredentialID: id("second password"), ReplacedID: id("first password")}, []string{"first password"}},
		{events.LoginTwoFactorStarted{CredentialID: id("secret"), ReplacedID: id("abandoned secret")}, []string{"abandoned secret"}},
		{events.LoginTwoFactorEnabled{CredentialID: id("secret"), RecoveryID: id("codes")}, nil},
		{events.LoginRecoveryCodesRenewed{ReplacedID: id("codes"), RecoveryID: id("new codes")}, []string{"codes"}},
		{events.LoginTwoFactorDisabled{ReplacedIDs: []uuid.UUID{id("secret"), id("new codes")}}, []string{"secret", "new codes"}},
	} {
		w.await(t, "credentials", w.write(t, step.event))
		for _, name := range step.ends {
			destroyed[name] = true
		}
		for _, name := range names {
			_, err := keys.Active(t.Context(), []events.Subject{subjects[name]})
			if erased := errors.Is(err, vault.ErrSubjectErased); erased != destroyed[name] || err != nil && !erased {
				t.Errorf("after %s the key of the %s: %v", step.event.EventType(), name, err)
			}
		}
	}
}
