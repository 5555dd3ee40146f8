package vault_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

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
