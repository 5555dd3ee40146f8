package vault_test

import (
	"encoding/hex"
	"testing"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

func TestProvision(t *testing.T) {
	t.Parallel()
	v, pool, kek := newVault(t)

	t.Run("makes a key per subject once", func(t *testing.T) {
		t.Parallel()
		a, b := newSubject(events.SubjectCustomer), newSubject(events.SubjectLogin)
		keys, err := v.Provision(t.Context(), []events.Subject{a, b, a})
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) != 2 || keys[a].ID() == keys[b].ID() || keys[a].Subject() != a || keys[b].Subject() != b {
			t.Fatalf("got %v", keys)
		}
		if again := mustProvision(t, mustOpen(t, pool, kek), a); again.Commitment() != keys[a].Commitment() {
			t.Errorf("got %v, want %v", again.Commitment(), keys[a].Commitment())
		}
		commitment, err := hex.DecodeString(keys[a].Commitment().Commitment)
		if err != nil || len(commitment) != 32 {
			t.Errorf("commitment of %d bytes, %v", len(commitment), err)
		}
	})

	t.Run("gives all callers at once the same key", func(t *testing.T) {
		t.Parallel()
		subjects := make([]events.Subject, 400)
		for i := range subjects {
			subjects[i] = newSubject(events.SubjectCustomer)
		}
		const callers = 8
		got := make(chan map[events.Subject]*vault.Key, callers)
		errs := make(chan error, callers)
		for i := range callers {
			own := mustOpen(t, pool, kek)
			// Each caller in another order: a fixed order of locks must come from the vault.
			order := append(append([]events.Subject(nil), subjects[50*i:]...), subjects[:50*i]...)
			go func() {
				keys, err := own.Provision(t.Context(), order)
				got <- keys
				errs <- err
			}()
		}
		var first map[events.Subject]*vault.Key
		for range callers {
			keys := <-got
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = keys
			}
			for _, s := range subjects {
				if keys[s].Commitment() != first[s].Commitment() {
					t.Fatalf("two keys for %s", s)
				}
			}
		}
	})

	t.Run("of nobody asks nothing", func(t *testing.T) {
		t.Parallel()
		if keys, err := v.Provision(t.Context(), nil); err != nil || len(keys) != 0 {
			t.Errorf("got %v, %v", keys, err)
		}
	})
}

// The test server itself commits without waiting for the disk.
func TestKeysAreOnDiskBeforeUse(t *testing.T) {
	t.Parallel()
	v, pool, _ := newVault(t)
	for _, sql := range []string{
		`CREATE TABLE seen (tg_op text, synchronous_commit text)`,
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO seen VALUES (TG_OP, current_setting('synchronous_commit')); RETURN NULL; END $$`,
		`CREATE TRIGGER note AFTER INSERT OR UPDATE ON vault.keys FOR EACH ROW EXECUTE FUNCTION note()`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	subject := newSubject(events.SubjectCustomer)
	mustProvision(t, v, subject)
	if _, err := v.Erase(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
	var seen string
	err := pool.QueryRow(t.Context(), `SELECT string_agg(DISTINCT tg_op || ' ' || synchronous_commit, ', ') FROM seen`).Scan(&seen)
	if err != nil || seen != "INSERT on, UPDATE on" {
		t.Errorf("wrote with %s, %v", seen, err)
	}
}
