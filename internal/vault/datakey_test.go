package vault_test

import (
	"encoding/hex"
	"testing"

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
		exec(t, pool, `UPDATE vault.keys SET state = 'erased', wrapped = NULL, erased_at = now() WHERE key_id = $1`, first.ID())
		_, err = mustOpen(t, pool, kek).Active(t.Context(), []events.Subject{subject})
		wantFault(t, err, vault.ErrSubjectErased)
		destroyed, err := fresh.Erase(t.Context(), subject)
		if err != nil || len(destroyed) != 2 {
			t.Errorf("erased %v, %v, want both versions", destroyed, err)
		}
	})
}
