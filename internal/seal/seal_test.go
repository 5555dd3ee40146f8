package seal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

func wantFault(tb testing.TB, err error, want *fault.Error) {
	tb.Helper()
	got, ok := fault.As(err)
	if !ok || got.Code != want.Code || got.Kind != want.Kind {
		tb.Fatalf("got %v, want the fault %s", err, want.Code)
	}
}

func (w *world) keyRows(tb testing.TB, subject events.Subject) int {
	tb.Helper()
	var rows int
	if err := w.pool.QueryRow(tb.Context(), `SELECT count(*) FROM vault.keys WHERE subject = $1`, subject.String()).Scan(&rows); err != nil {
		tb.Fatal(err)
	}
	return rows
}

func TestSeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	t.Run("stores nothing in the clear", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		proposed, err := w.sealer.Seal(t.Context(), c.stream, w.store, c.created("ada@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		stored := append(bytes.Clone(proposed[0].Data), proposed[0].Metadata...)
		for _, secret := range []string{"ada@", `"Ada"`, "example.com", "telephone", "192.0.2.7"} {
			if bytes.Contains(stored, []byte(secret)) {
				t.Errorf("%q is in %s", secret, stored)
			}
		}
		var form struct {
			Email map[string]any `json:"email"`
		}
		if err := json.Unmarshal(proposed[0].Data, &form); err != nil {
			t.Fatal(err)
		}
		if form.Email["$e"] != 1.0 || form.Email["k"] == nil || form.Email["c"] == nil || len(form.Email) != 3 {
			t.Errorf("the stored form is %v", form.Email)
		}
	})

	t.Run("lists new keys on the first event that creates them", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		batch := append(c.created("ada@example.com"), c.renamed("Ada", "Augusta"))
		batch = append(batch, c.created("ada@example.com")...)
		envs := w.mustSeal(t, c.stream, batch)
		keys, err := w.vault.Active(t.Context(), []events.Subject{c.subject(), c.loginSubject()})
		if err != nil {
			t.Fatal(err)
		}
		want := []events.KeyCommitment{keys[c.subject()].Commitment(), keys[c.loginSubject()].Commitment()}
		for i, want := range [][]events.KeyCommitment{want, nil, nil} {
			if diff := cmp.Diff(want, envs[i].Metadata.Keys); diff != "" {
				t.Errorf("event %d: %s", i, diff)
			}
		}
	})

	t.Run("repeats the same keys for a command that is tried again", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		first := w.mustSeal(t, c.stream, c.created("ada@example.com"))
		second := w.mustSeal(t, c.stream, c.created("ada@example.com"))
		if diff := cmp.Diff(first[0].Metadata.Keys, second[0].Metadata.Keys); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("leaves the draft as it is", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		batch := c.created("ada@example.com")
		w.mustSeal(t, c.stream, batch)
		if _, ok := batch[0].Event.(events.CustomerCreated).Email.Reveal(); !ok || batch[0].Metadata.Keys != nil {
			t.Error("the draft changed")
		}
	})

	t.Run("of nothing gives nothing", func(t *testing.T) {
		t.Parallel()
		if got, err := w.sealer.Seal(t.Context(), "customer-x", w.store, nil); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})

	t.Run("never makes a key for somebody who exists", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		_, err := w.sealer.Seal(t.Context(), c.stream, w.store, []seal.Draft{c.renamed("Ada", "Augusta")})
		wantFault(t, err, vault.ErrKeyUnavailable)
		if rows := w.keyRows(t, c.subject()); rows != 0 {
			t.Errorf("%d keys were made", rows)
		}
	})

	t.Run("makes no key when another one is missing", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		batch := c.created("ada@example.com")
		batch[0].Metadata.Actor = events.Reseller(uuid.New(), uuid.New()) // seals where the request came from
		_, err := w.sealer.Seal(t.Context(), c.stream, w.store, batch)
		wantFault(t, err, vault.ErrKeyUnavailable)
		if rows := w.keyRows(t, c.subject()); rows != 0 {
			t.Errorf("%d keys were made", rows)
		}
	})

	t.Run("refuses an erased subject", func(t *testing.T) {
		t.Parallel()
		c := w.newCustomer()
		w.mustSeal(t, c.stream, c.created("ada@example.com"))
		if _, err := w.vault.Erase(t.Context(), c.subject()); err != nil {
			t.Fatal(err)
		}
		for _, batch := range [][]seal.Draft{c.created("ada@example.com"), {c.renamed("Ada", "Augusta")}} {
			_, err := w.sealer.Seal(t.Context(), c.stream, w.store, batch)
			wantFault(t, err, vault.ErrSubjectErased)
		}
	})

	t.Run("reports a database that is away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		c := w.newCustomer()
		w.pool.Close()
		_, err := w.sealer.Seal(t.Context(), c.stream, w.store, c.created("ada@example.com"))
		wantFault(t, err, vault.ErrDatabaseUnavailable)
	})
}

func TestSealRefusesDefects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.newCustomer()
	w.mustSeal(t, c.stream, c.created("ada@example.com"))

	sealed := c.renamed("Ada", "Augusta")
	sealed.Event = events.CustomerProfileEdited{CustomerID: c.id, After: events.Profile{FirstName: events.Sealed(uuid.New(), "AAAA")}}
	erased := c.renamed("Ada", "Augusta")
	erased.Event = events.CustomerProfileEdited{CustomerID: c.id, After: events.Profile{FirstName: events.Erased()}}
	elsewhere := c.renamed("Ada", "Augusta")
	elsewhere.Metadata.StoreID = uuid.New()
	reservation := c.draft(events.UniqConfirmed{Kind: events.NameEmail, Stream: c.stream})
	system := c.renamed("Ada", "Augusta")
	system.Metadata.Actor = events.System("renewals")
	for name, c := range map[string]struct {
		stream string
		draft  seal.Draft
		want   string
	}{
		"a value that is sealed already":    {c.stream, sealed, "must be clear"},
		"a value that was erased":           {c.stream, erased, "must be clear"},
		"an event of another store":         {c.stream, elsewhere, "another store"},
		"a reason about nobody":             {"uniq_email-00ff", reservation, "nobody is known"},
		"an address that belongs to nobody": {c.stream, system, "has no key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := w.sealer.Seal(t.Context(), c.stream, w.store, []seal.Draft{c.draft})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, secret := range []string{"Ada", "Augusta", "telephone", "192.0.2.7"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v shows %q", err, secret)
				}
			}
			if _, ok := fault.As(err); ok {
				t.Errorf("%v is a fault that callers see", err)
			}
		})
	}
}
