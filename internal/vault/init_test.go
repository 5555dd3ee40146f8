package vault_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/vault"
)

func TestInit(t *testing.T) {
	t.Parallel()

	t.Run("makes every secret and keeps it", func(t *testing.T) {
		t.Parallel()
		v, pool, kek := newVault(t)
		again := mustOpen(t, pool, kek)
		if again.LogID() != v.LogID() {
			t.Errorf("log id %s, want %s", again.LogID(), v.LogID())
		}
		seen := make(map[string]bool)
		for _, name := range vault.SecretNames() {
			a, err := v.Secret(name)
			if err != nil {
				t.Fatal(err)
			}
			b, err := again.Secret(name)
			if err != nil || len(a) != 32 || string(a) != string(b) || seen[string(a)] {
				t.Errorf("secret %s: not the same 32 bytes of its own each time, %v", name, err)
			}
			seen[string(a)] = true
		}
		if diff := cmp.Diff(v.Checks(), again.Checks()); diff != "" || len(v.Checks()) != 5 {
			t.Errorf("checks: %s", diff)
		}
	})

	t.Run("hands out copies", func(t *testing.T) {
		t.Parallel()
		v, _, _ := newVault(t)
		a, _ := v.Secret(vault.SecretIndex)
		clear(a)
		if b, _ := v.Secret(vault.SecretIndex); string(a) == string(b) {
			t.Error("the vault's own secret was changed")
		}
	})

	t.Run("is the same twice and refuses another log", func(t *testing.T) {
		t.Parallel()
		v, pool, kek := newVault(t)
		before := v.Checks()
		if err := v.Init(t.Context(), v.LogID()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, mustOpen(t, pool, kek).Checks()); diff != "" {
			t.Errorf("the secrets changed: %s", diff)
		}
		if err := v.Init(t.Context(), uuid.New()); !errors.Is(err, vault.ErrWrongVault) {
			t.Errorf("got %v, want %v", err, vault.ErrWrongVault)
		}
		if err := mustOpen(t, pgtest.New(t), kek).Init(t.Context(), uuid.Nil); err == nil {
			t.Error("a log without an id was accepted")
		}
	})

	t.Run("has one winner", func(t *testing.T) {
		t.Parallel()
		pool, kek := pgtest.New(t), newKEK(t)
		errs := make(chan error)
		const callers = 8
		for range callers {
			v := mustOpen(t, pool, kek)
			go func() { errs <- v.Init(t.Context(), uuid.New()) }()
		}
		won := 0
		for range callers {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, vault.ErrWrongVault):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d logs share the vault", won)
		}
	})
}
