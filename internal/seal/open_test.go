package seal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	t.Run("gives back what was sealed", rapid.MakeCheck(func(rt *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) events.Personal {
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				return events.Personal{}
			case 1:
				return events.Clear(strings.Repeat("long ", rapid.IntRange(0, 1000).Draw(t, "times")))
			default:
				return events.Clear(rapid.String().Draw(t, "text"))
			}
		})
		profile := func(label string) events.Profile {
			return events.Profile{
				FirstName: text.Draw(rt, label+" first name"), LastName: text.Draw(rt, label+" last name"), Phone: text.Draw(rt, label+" phone"),
			}
		}
		c := w.newCustomer()
		batch := append(c.created(rapid.String().Draw(rt, "email")),
			c.draft(events.CustomerProfileEdited{CustomerID: c.id, Before: profile("before"), After: profile("after")}),
			c.draft(events.CustomerSuspended{CustomerID: c.id, Reason: text.Draw(rt, "reason")}))
		for i := range batch {
			batch[i].Metadata.Reason = text.Draw(rt, "metadata reason")
		}
		opened, err := w.sealer.Open(t.Context(), w.mustSeal(t, c.stream, batch))
		if err != nil {
			rt.Fatal(err)
		}
		for i, env := range opened {
			want := batch[i].Metadata
			want.Keys = env.Metadata.Keys
			if diff := cmp.Diff(batch[i].Event, env.Event); diff != "" {
				rt.Fatalf("event %d: %s", i, diff)
			}
			if diff := cmp.Diff(want, env.Metadata); diff != "" {
				rt.Fatalf("metadata %d: %s", i, diff)
			}
		}
	}))

	t.Run("opens the events of many people, twice if asked", func(t *testing.T) {
		t.Parallel()
		var sealed []events.Envelope
		for range 50 {
			c := w.newCustomer()
			sealed = append(sealed, w.mustSeal(t, c.stream, c.created("ada@example.com"))...)
		}
		opened, err := w.sealer.Open(t.Context(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := sealed[0].Event.(events.CustomerCreated).Email.Ciphertext(); !ok {
			t.Error("the envelopes given were changed")
		}
		again, err := w.sealer.Open(t.Context(), opened)
		if err != nil || cmp.Diff(opened, again) != "" {
			t.Errorf("again: %v", err)
		}
		for _, env := range again {
			if text, _ := env.Event.(events.CustomerCreated).Email.Reveal(); text != "ada@example.com" {
				t.Errorf("got %q", text)
			}
		}
	})

	t.Run("shows erased values as erased and the others as they are", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		sealed := w.mustSeal(t, c.stream, append(c.created("ada@example.com"), c.renamed("Ada", "")))
		if _, err := w.vault.Erase(t.Context(), c.loginSubject()); err != nil {
			t.Fatal(err)
		}
		for _, sealer := range []*seal.Sealer{w.sealer, w.sealer, seal.New(mustOpen(t, w))} {
			opened, err := sealer.Open(t.Context(), sealed)
			if err != nil {
				t.Fatal(err)
			}
			created := opened[0].Event.(events.CustomerCreated)
			if !created.Email.IsErased() || !created.Username.IsZero() || created.Profile.FirstName != events.Clear("Ada") {
				t.Errorf("got %#v, %#v, %#v", created.Email, created.Username, created.Profile.FirstName)
			}
			if after := opened[1].Event.(events.CustomerProfileEdited).After.FirstName; after != events.Clear("") {
				t.Errorf("an empty text became %#v", after)
			}
		}
		if _, err := w.vault.Erase(t.Context(), c.subject()); err != nil {
			t.Fatal(err)
		}
		opened, err := w.sealer.Open(t.Context(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []events.Personal{
			opened[0].Event.(events.CustomerCreated).Profile.FirstName, opened[1].Event.(events.CustomerProfileEdited).After.FirstName,
			opened[0].Metadata.Reason, opened[0].Metadata.Net,
		} {
			if !p.IsErased() {
				t.Errorf("got %#v, want erased", p)
			}
		}
	})

	t.Run("a lost key is not an erased one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		c := w.newCustomer()
		sealed := w.mustSeal(t, c.stream, c.created("ada@example.com"))
		lose(t, w, c.subject())
		w.restart(t)
		_, err := w.sealer.Open(t.Context(), sealed)
		wantFault(t, err, vault.ErrKeyUnavailable)
		_, err = w.sealer.Seal(t.Context(), c.stream, w.store, []seal.Draft{c.renamed("Ada", "Augusta")})
		wantFault(t, err, vault.ErrKeyUnavailable)
	})

	t.Run("refuses another key than the log committed to", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		sealed := w.mustSeal(t, c.stream, c.created("ada@example.com"))
		sealed[0].Metadata.Keys[0].Commitment = strings.Repeat("00", 32)
		if _, err := w.sealer.Open(t.Context(), sealed); !errors.Is(err, seal.ErrAltered) {
			t.Errorf("got %v, want %v", err, seal.ErrAltered)
		}
	})

	t.Run("needs no key for events without personal values", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.pool.Close()
		env := events.Envelope{Stream: "store-x", Event: events.StoreRenamed{Before: "a", After: "b"}}
		if opened, err := w.sealer.Open(t.Context(), []events.Envelope{env}); err != nil || len(opened) != 1 {
			t.Errorf("got %v, %v", opened, err)
		}
	})
}

func TestOpenRefusesMovedValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.newCustomer(), w.newCustomer()
	w.mustSeal(t, other.stream, other.created("eve@example.com"))
	batch := append(c.created("ada@example.com"), c.renamed("Ada", "Augusta"), c.renamed("Augusta", "Ada"),
		c.draft(events.CustomerSuspended{CustomerID: c.id, Reason: events.Clear("fraud")}))
	sealed := w.mustSeal(t, c.stream, batch)
	edited := func(i int) events.CustomerProfileEdited { return sealed[i].Event.(events.CustomerProfileEdited) }

	for name, move := range map[string]func(*events.Envelope){
		"to another event": func(env *events.Envelope) { env.ID = uuid.New() },
		"to another event of the stream": func(env *events.Envelope) {
			e := edited(1)
			e.After.FirstName = edited(2).After.FirstName
			env.Event = e
		},
		"to another field": func(env *events.Envelope) {
			e := edited(1)
			e.Before, e.After = e.After, e.Before
			env.Event = e
		},
		"to another field of the same group": func(env *events.Envelope) {
			e := edited(1)
			e.After.LastName = e.After.FirstName
			env.Event = e
		},
		"from metadata to data": func(env *events.Envelope) {
			e := edited(1)
			e.After.FirstName = env.Metadata.Reason
			env.Event = e
		},
		"within metadata": func(env *events.Envelope) { env.Metadata.Reason = env.Metadata.Net },
		"to another stream": func(env *events.Envelope) {
			env.Stream = events.StaffStream(c.id)
			env.Metadata.Reason = events.Personal{} // its subject would give it away
		},
		"to another store": func(env *events.Envelope) { env.Metadata.StoreID = uuid.New() },
		"to another person": func(env *events.Envelope) {
			e := edited(1)
			e.CustomerID = other.id
			env.Event = e
		},
		"to another type of event": func(env *events.Envelope) {
			env.ID = sealed[3].ID
			env.Event = events.CustomerBanned{CustomerID: c.id, Reason: sealed[3].Event.(events.CustomerSuspended).Reason}
			env.Metadata.Reason, env.Metadata.Net = events.Personal{}, events.Personal{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := sealed[1]
			move(&env)
			if _, err := w.sealer.Open(t.Context(), []events.Envelope{env}); !errors.Is(err, seal.ErrAltered) {
				t.Errorf("got %v, want %v", err, seal.ErrAltered)
			}
		})
	}

	t.Run("but opens them where they are", func(t *testing.T) {
		t.Parallel()
		if _, err := w.sealer.Open(t.Context(), sealed); err != nil {
			t.Error(err)
		}
	})
}

func mustOpen(tb testing.TB, w *world) *vault.Vault {
	tb.Helper()
	v, err := vault.Open(tb.Context(), w.pool, w.kek)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// lose deletes a key as a backup without it would.
func lose(tb testing.TB, w *world, subject events.Subject) {
	tb.Helper()
	tx, err := w.pool.Begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := tx.Exec(tb.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
		tb.Fatal(err)
	}
	if _, err := tx.Exec(tb.Context(), `DELETE FROM vault.keys WHERE subject = $1`, subject.String()); err != nil {
		tb.Fatal(err)
	}
	if err := tx.Commit(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// Whoever opens events to show them gets no secret: a password's hash stays sealed
// until somebody asks to check a password.
func TestOpenLeavesSecretsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := events.LoginPasswordSet{
		LoginID: uuid.New(), CustomerID: uuid.New(), CredentialID: uuid.New(), Hash: events.Clear("the hash"), Scheme: "argon2id",
		Cause: events.PasswordRegistered,
	}
	stream := events.LoginStream(set.LoginID)
	proposed, err := w.sealer.Seal(t.Context(), stream, w.store, []seal.Draft{{
		ID: uuid.New(), Event: set,
		Metadata: events.Metadata{Schema: events.MetadataSchema, StoreID: w.store, Actor: events.System("test"), Source: events.SourceAPI},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sealed := decode(t, stream, proposed)
	shown, err := w.sealer.Open(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := shown[0].Event.(events.LoginPasswordSet).Hash.Ciphertext(); !ok {
		t.Error("a hash was opened to be shown")
	}
	checked, err := w.sealer.OpenSecrets(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := checked[0].Event.(events.LoginPasswordSet).Hash.Reveal(); got != "the hash" {
		t.Error("a hash cannot be opened to be checked")
	}
}
