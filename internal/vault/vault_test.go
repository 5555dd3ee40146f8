package vault_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/vault"
)

func newKEK(tb testing.TB) *vault.FileKEK {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "master.key")
	if err := vault.CreateKEKFile(path); err != nil {
		tb.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return kek
}

func mustOpen(tb testing.TB, pool *pgxpool.Pool, kek vault.KEK) *vault.Vault {
	tb.Helper()
	v, err := vault.Open(tb.Context(), pool, kek)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// newVault is a vault of a new log, with the pool under it.
func newVault(tb testing.TB) (*vault.Vault, *pgxpool.Pool, vault.KEK) {
	tb.Helper()
	pool, kek := pgtest.New(tb), newKEK(tb)
	v := mustOpen(tb, pool, kek)
	if err := v.Init(tb.Context(), uuid.New()); err != nil {
		tb.Fatal(err)
	}
	return v, pool, kek
}

// exec changes rows behind the vault's back, past the trigger that guards them.
func exec(tb testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	tb.Helper()
	ctx := tb.Context()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Release()
	for _, do := range []func() error{
		func() error { _, err := conn.Exec(ctx, `SET session_replication_role = replica`); return err },
		func() error { _, err := conn.Exec(ctx, sql, args...); return err },
		func() error { _, err := conn.Exec(ctx, `RESET session_replication_role`); return err },
	} {
		if err := do(); err != nil {
			tb.Fatal(err)
		}
	}
}

func wantFault(tb testing.TB, err error, want *fault.Error) {
	tb.Helper()
	got, ok := fault.As(err)
	if !ok || got.Code != want.Code || got.Kind != want.Kind {
		tb.Fatalf("got %v, want the fault %s", err, want.Code)
	}
}

func initialized(v *vault.Vault) events.PlatformInitialized {
	return events.PlatformInitialized{LogID: v.LogID(), Format: 1, KeyChecks: v.Checks()}
}

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("an empty vault has no secrets", func(t *testing.T) {
		t.Parallel()
		v := mustOpen(t, pgtest.New(t), newKEK(t))
		if _, err := v.Secret(vault.SecretIndex); !errors.Is(err, vault.ErrNotBound) {
			t.Errorf("got %v, want %v", err, vault.ErrNotBound)
		}
		if v.LogID() != uuid.Nil || len(v.Checks()) != 0 {
			t.Errorf("log %s, checks %v", v.LogID(), v.Checks())
		}
	})

	t.Run("the wrong master key is named", func(t *testing.T) {
		t.Parallel()
		_, pool, kek := newVault(t)
		other := newKEK(t)
		_, err := vault.Open(t.Context(), pool, other)
		if !errors.Is(err, vault.ErrWrongKEK) {
			t.Fatalf("got %v, want %v", err, vault.ErrWrongKEK)
		}
		for _, part := range []string{other.String(), kek.ID()} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %s", err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has more than one line", err)
		}
	})

	t.Run("a swapped secret is noticed", func(t *testing.T) {
		t.Parallel()
		_, pool, kek := newVault(t)
		exec(t, pool, `UPDATE vault.secrets SET wrapped = (SELECT wrapped FROM vault.secrets WHERE name = 'cursor') WHERE name = 'index'`)
		if _, err := vault.Open(t.Context(), pool, kek); !errors.Is(err, vault.ErrAltered) {
			t.Errorf("got %v, want %v", err, vault.ErrAltered)
		}
	})

	t.Run("a lost secret is noticed", func(t *testing.T) {
		t.Parallel()
		_, pool, kek := newVault(t)
		exec(t, pool, `DELETE FROM vault.secrets WHERE name = 'index'`)
		if _, err := vault.Open(t.Context(), pool, kek); err == nil || !strings.Contains(err.Error(), "index") {
			t.Errorf("got %v", err)
		}
		exec(t, pool, `DELETE FROM vault.secrets`)
		if _, err := vault.Open(t.Context(), pool, kek); err == nil {
			t.Error("a vault without secrets opened")
		}
	})

	t.Run("a database that is away is a fault", func(t *testing.T) {
		t.Parallel()
		v, pool, kek := newVault(t)
		pool.Close()
		_, err := vault.Open(t.Context(), pool, kek)
		wantFault(t, err, vault.ErrDatabaseUnavailable)
		customer := []events.Subject{{Kind: events.SubjectCustomer, ID: uuid.New()}}
		_, err = v.Provision(t.Context(), customer)
		wantFault(t, err, vault.ErrDatabaseUnavailable)
		_, err = v.Active(t.Context(), customer)
		wantFault(t, err, vault.ErrDatabaseUnavailable)
		_, err = v.ByID(t.Context(), []uuid.UUID{uuid.New()})
		wantFault(t, err, vault.ErrDatabaseUnavailable)
		_, err = v.Erase(t.Context(), customer[0])
		wantFault(t, err, vault.ErrDatabaseUnavailable)
	})

	t.Run("a database that does not answer is a fault", func(t *testing.T) {
		t.Parallel()
		// Nobody listens in a new directory.
		url := "postgres:///steward?host=" + t.TempDir()
		config, err := pgxpool.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = vault.Open(ctx, pool, newKEK(t))
		wantFault(t, err, vault.ErrDatabaseUnavailable)
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	v, pool, kek := newVault(t)
	other, _, _ := newVault(t)

	t.Run("accepts its own log", func(t *testing.T) {
		t.Parallel()
		if err := mustOpen(t, pool, kek).Verify(initialized(v)); err != nil {
			t.Error(err)
		}
	})

	altered := initialized(v)
	altered.KeyChecks = maps.Clone(altered.KeyChecks)
	altered.KeyChecks["index"] = other.Checks()["index"]
	more := initialized(v)
	more.KeyChecks = maps.Clone(more.KeyChecks)
	more.KeyChecks["later"] = "00"
	unchecked := initialized(v)
	unchecked.KeyChecks = nil
	for name, c := range map[string]struct {
		vault *vault.Vault
		event events.PlatformInitialized
		want  string
	}{
		"refuses the log of another vault":         {v, initialized(other), other.LogID().String()},
		"refuses a log when the vault is empty":    {mustOpen(t, pgtest.New(t), kek), initialized(v), "the vault is empty"},
		"refuses a secret that was swapped":        {v, altered, `the secret "index"`},
		"refuses a log with a secret it lacks":     {v, more, `lacks the secret "later"`},
		"refuses a log that checks nothing at all": {v, unchecked, "no check value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.vault.Verify(c.event)
			if !errors.Is(err, vault.ErrWrongVault) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}

func TestVerifyEmpty(t *testing.T) {
	t.Parallel()
	v, _, _ := newVault(t)
	if err := mustOpen(t, pgtest.New(t), newKEK(t)).VerifyEmpty(t.Context()); err != nil {
		t.Errorf("an empty vault: %v", err)
	}
	if err := v.VerifyEmpty(t.Context()); err != nil {
		t.Errorf("an initialisation that was cut short: %v", err)
	}
	if _, err := v.Provision(t.Context(), []events.Subject{events.PlatformSubject}); err != nil {
		t.Fatal(err)
	}
	if err := v.VerifyEmpty(t.Context()); err != nil {
		t.Errorf("cut short before the first event: %v", err)
	}
	if _, err := v.Provision(t.Context(), []events.Subject{{Kind: events.SubjectStore, ID: uuid.New()}}); err != nil {
		t.Fatal(err)
	}
	err := v.VerifyEmpty(t.Context())
	if !errors.Is(err, vault.ErrWrongVault) || !strings.Contains(err.Error(), v.LogID().String()) {
		t.Errorf("a lost log: %v", err)
	}
}

func TestMigrationIsRepeatable(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	for range 2 {
		if err := postgres.Migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	if err := mustOpen(t, pgtest.Connect(t, url), newKEK(t)).Init(t.Context(), uuid.New()); err != nil {
		t.Error(err)
	}
}
