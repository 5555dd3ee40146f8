package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

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
