package vault_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

func newSubject(kind events.SubjectKind) events.Subject {
	return events.Subject{Kind: kind, ID: uuid.New()}
}

func mustProvision(tb testing.TB, v *vault.Vault, subject events.Subject) *vault.Key {
	tb.Helper()
	keys, err := v.Provision(tb.Context(), []events.Subject{subject})
	if err != nil {
		tb.Fatal(err)
	}
	return keys[subject]
}

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
		subjects := make([]events.Subject, 20)
		for i := range subjects {
			subjects[i] = newSubject(events.SubjectCustomer)
		}
		const callers = 16
		got := make(chan map[events.Subject]*vault.Key, callers)
		errs := make(chan error, callers)
		for i := range callers {
			own := mustOpen(t, pool, kek)
			// Each caller in another order: a fixed order of locks must come from the vault.
			order := append(append([]events.Subject(nil), subjects[i:]...), subjects[:i]...)
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

func TestActive(t *testing.T) {
	t.Parallel()
	v, pool, kek := newVault(t)

	t.Run("returns what was provisioned", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectStaff)
		want := mustProvision(t, v, subject).Commitment()
		for range 2 { // from the database, from the cache
			for _, from := range []*vault.Vault{v, mustOpen(t, pool, kek)} {
				keys, err := from.Active(t.Context(), []events.Subject{subject})
				if err != nil || keys[subject].Commitment() != want {
					t.Fatalf("got %v, %v", keys, err)
				}
			}
		}
	})

	t.Run("never mints", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		for range 2 {
			_, err := v.Active(t.Context(), []events.Subject{subject})
			wantFault(t, err, vault.ErrKeyUnavailable)
		}
		mustProvision(t, mustOpen(t, pool, kek), subject)
		if _, err := v.Active(t.Context(), []events.Subject{subject}); err != nil {
			t.Errorf("an absent key was remembered: %v", err)
		}
	})

	t.Run("of a lost row is unavailable", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		key := mustProvision(t, v, subject)
		exec(t, pool, `DELETE FROM vault.keys WHERE key_id = $1`, key.ID())
		fresh := mustOpen(t, pool, kek)
		_, err := fresh.Active(t.Context(), []events.Subject{subject})
		wantFault(t, err, vault.ErrKeyUnavailable)
		_, err = fresh.ByID(t.Context(), []uuid.UUID{key.ID()})
		wantFault(t, err, vault.ErrKeyUnavailable)
		var rows int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM vault.keys WHERE subject = $1`, subject.String()).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows were made, %v", rows, err)
		}
	})

	t.Run("seals with the newest version and opens with all", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		first := mustProvision(t, v, subject)
		id, material := uuid.New(), []byte("0123456789abcdef0123456789abcdef")
		second, err := vault.NewKey(id, subject, material)
		if err != nil {
			t.Fatal(err)
		}
		commitment, _ := hex.DecodeString(second.Commitment().Commitment)
		wrapped, err := kek.Wrap(t.Context(), lengthPrefixed("steward-key/1", id.String(), subject.String(), "data", "2"), material)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, pool, `INSERT INTO vault.keys (key_id, subject, version, state, wrapped, kek_id, commitment)
			VALUES ($1, $2, 2, 'active', $3, $4, $5)`, id, subject.String(), wrapped, kek.ID(), commitment)
		fresh := mustOpen(t, pool, kek)
		active, err := fresh.Active(t.Context(), []events.Subject{subject})
		if err != nil || active[subject].ID() != id {
			t.Fatalf("got %v, %v", active, err)
		}
		both, err := fresh.ByID(t.Context(), []uuid.UUID{first.ID(), id})
		if err != nil || both[first.ID()].Commitment() != first.Commitment() || both[id].Commitment() != second.Commitment() {
			t.Fatalf("got %v, %v", both, err)
		}
		if active, err = fresh.Active(t.Context(), []events.Subject{subject}); err != nil || active[subject].ID() != id {
			t.Errorf("after reading the old version: %v, %v", active, err)
		}
		destroyed, err := fresh.Erase(t.Context(), subject)
		if err != nil || len(destroyed) != 2 {
			t.Errorf("erased %v, %v, want both versions", destroyed, err)
		}
	})
}

func TestErase(t *testing.T) {
	t.Parallel()
	v, pool, kek := newVault(t)

	t.Run("destroys the material and leaves a fence", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		key := mustProvision(t, v, subject)
		destroyed, err := v.Erase(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]events.KeyCommitment{key.Commitment()}, destroyed); diff != "" {
			t.Error(diff)
		}
		again, err := v.Erase(t.Context(), subject)
		if err != nil || cmp.Diff(destroyed, again) != "" {
			t.Errorf("again: %v, %v", again, err)
		}
		for _, from := range []*vault.Vault{v, v, mustOpen(t, pool, kek)} {
			_, err := from.Provision(t.Context(), []events.Subject{subject})
			wantFault(t, err, vault.ErrSubjectErased)
			_, err = from.Active(t.Context(), []events.Subject{subject})
			wantFault(t, err, vault.ErrSubjectErased)
			keys, err := from.ByID(t.Context(), []uuid.UUID{key.ID()})
			if err != nil || !keys[key.ID()].Erased() || keys[key.ID()].Commitment() != key.Commitment() {
				t.Errorf("got %v, %v, want the mark of an erased key", keys, err)
			}
			_, err = keys[key.ID()].Seal(nil, nil, nil)
			wantFault(t, err, vault.ErrSubjectErased)
			_, err = keys[key.ID()].Open(nil, nil, nil)
			wantFault(t, err, vault.ErrSubjectErased)
		}
		var left int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM vault.keys WHERE subject = $1 AND wrapped IS NOT NULL`, subject.String()).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d keys are left, %v", left, err)
		}
	})

	t.Run("fences a subject that has no key yet", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		destroyed, err := v.Erase(t.Context(), subject)
		if err != nil || len(destroyed) != 0 {
			t.Fatalf("got %v, %v", destroyed, err)
		}
		_, err = v.Provision(t.Context(), []events.Subject{subject})
		wantFault(t, err, vault.ErrSubjectErased)
	})

	t.Run("stands in another process for new people at once", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		other := mustOpen(t, pool, kek)
		mustProvision(t, other, subject)
		if _, err := v.Erase(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
		_, err := other.Provision(t.Context(), []events.Subject{subject})
		wantFault(t, err, vault.ErrSubjectErased)
	})

	t.Run("wins against provisioning at the same time", func(t *testing.T) {
		t.Parallel()
		for range 50 {
			subject := newSubject(events.SubjectCustomer)
			done := make(chan error)
			go func() {
				_, err := v.Provision(t.Context(), []events.Subject{subject})
				if errors.Is(err, vault.ErrSubjectErased) {
					err = nil
				}
				done <- err
			}()
			if _, err := v.Erase(t.Context(), subject); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			_, err := v.Active(t.Context(), []events.Subject{subject})
			wantFault(t, err, vault.ErrSubjectErased)
		}
	})

	t.Run("cannot be undone in the database", func(t *testing.T) {
		t.Parallel()
		subject := newSubject(events.SubjectCustomer)
		key := mustProvision(t, v, subject)
		if _, err := v.Erase(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			`DELETE FROM vault.keys WHERE key_id = $1`,
			`UPDATE vault.keys SET state = 'active', wrapped = 'x', erased_at = NULL WHERE key_id = $1`,
			`UPDATE vault.keys SET wrapped = 'x' WHERE key_id = $1`,
			`UPDATE vault.keys SET subject = 'x' WHERE key_id = $1`,
		} {
			if _, err := pool.Exec(t.Context(), sql, key.ID()); err == nil {
				t.Errorf("%s was let through", sql)
			}
		}
	})
}

func TestAlteredRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string // $1 is the victim's key, $2 another's
		want error
	}{
		"wrapped bytes of another key": {
			`UPDATE vault.keys k SET wrapped = o.wrapped FROM vault.keys o WHERE k.key_id = $1 AND o.key_id = $2`, vault.ErrAltered,
		},
		"wrapped bytes and commitment of another key": {
			`UPDATE vault.keys k SET wrapped = o.wrapped, commitment = o.commitment FROM vault.keys o WHERE k.key_id = $1 AND o.key_id = $2`, vault.ErrAltered,
		},
		"another commitment": {
			`UPDATE vault.keys k SET commitment = o.commitment FROM vault.keys o WHERE k.key_id = $1 AND o.key_id = $2`, vault.ErrWrongKey,
		},
		"another purpose": {
			`UPDATE vault.keys SET purpose = CASE key_id WHEN $1 THEN 'p' WHEN $2 THEN purpose END WHERE key_id IN ($1, $2)`, vault.ErrAltered,
		},
		"another version": {
			`UPDATE vault.keys SET version = CASE key_id WHEN $1 THEN 2 WHEN $2 THEN version END WHERE key_id IN ($1, $2)`, vault.ErrAltered,
		},
		"another person": {
			`UPDATE vault.keys SET subject = CASE key_id WHEN $1 THEN 'customer:6f1a2f0e-6f4b-5a55-9d0e-2b9c1f7a4e10' WHEN $2 THEN subject END WHERE key_id IN ($1, $2)`, vault.ErrAltered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, pool, kek := newVault(t)
			victim := mustProvision(t, v, newSubject(events.SubjectCustomer))
			other := mustProvision(t, v, newSubject(events.SubjectCustomer))
			exec(t, pool, c.sql, victim.ID(), other.ID())
			if _, err := mustOpen(t, pool, kek).ByID(t.Context(), []uuid.UUID{victim.ID()}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}

	t.Run("a key that was wrapped anew under the master key", func(t *testing.T) {
		t.Parallel()
		v, pool, kek := newVault(t)
		subject := newSubject(events.SubjectCustomer)
		victim := mustProvision(t, v, subject)
		wrapped, err := kek.Wrap(t.Context(), lengthPrefixed("steward-key/1", victim.ID().String(), subject.String(), "data", "1"),
			[]byte("0123456789abcdef0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		exec(t, pool, `UPDATE vault.keys SET wrapped = $2 WHERE key_id = $1`, victim.ID(), wrapped)
		if _, err := mustOpen(t, pool, kek).Active(t.Context(), []events.Subject{subject}); !errors.Is(err, vault.ErrWrongKey) {
			t.Errorf("got %v, want %v", err, vault.ErrWrongKey)
		}
	})
}

func TestKeyShowsNothing(t *testing.T) {
	t.Parallel()
	material := []byte("0123456789abcdef0123456789abcdef")
	key, err := vault.NewKey(uuid.New(), newSubject(events.SubjectCustomer), material)
	if err != nil {
		t.Fatal(err)
	}
	want := "key " + key.ID().String()
	if got := fmt.Sprintf("%v|%+v|%#v|%s", key, key, key, key); got != strings.Join([]string{want, want, want, want}, "|") {
		t.Errorf("shows as %s", got)
	}
	if _, err := vault.NewKey(uuid.New(), key.Subject(), material[:31]); err == nil {
		t.Error("a short key was accepted")
	}
}

// lengthPrefixed is what a wrapping is bound to, written down a second time.
func lengthPrefixed(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, 0, 0, 0, byte(len(p)))
		b = append(b, p...)
	}
	return b
}
