package reactions_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
)

// sealer has a vault of its own in the world's database.
func (w *world) sealer(t *testing.T) *seal.Sealer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.key")
	if err := vault.CreateKEKFile(path); err != nil {
		t.Fatal(err)
	}
	kek, err := vault.OpenKEKFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), w.pool, kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Init(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	return seal.New(v)
}

// appendSealed writes an event at an exact revision.
func (w *world) appendSealed(t *testing.T, s *seal.Sealer, stream string, expected eventstore.Revision, md events.Metadata, e events.Event) events.Position {
	t.Helper()
	batch, err := s.Seal(t.Context(), stream, md.StoreID, []seal.Draft{{ID: uuid.New(), Event: e, Metadata: md}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := w.log.Append(t.Context(), stream, expected, batch)
	if err != nil {
		t.Fatal(err)
	}
	return done.Position
}

func TestReset(t *testing.T) {
	t.Parallel()
	w, heard := newWorld(t), make(chan string, 16)
	s := w.sealer(t)
	platform := w.metadata()
	platform.StoreID = uuid.Nil
	resetter := reactions.Resetter{Log: w.log, Sealer: s, Checkpoints: w.checkpoints}

	router, stop := w.start(t, nil, hears("a", heard))
	begun := w.appendSealed(t, s, events.PlatformStream, eventstore.NoStream, platform, events.PlatformInitialized{LogID: uuid.New()})
	last := w.write(t, renamed("1"), renamed("2"))
	for range 2 {
		receive(t, heard)
	}
	w.await(t, "a", last)

	// A running reaction goes back.
	platform.CommandID, platform.Reason = uuid.New(), events.Clear("mails were lost")
	if err := resetter.Reset(t.Context(), "a", begun, platform); err != nil {
		t.Fatal(err)
	}
	if one, two := receive(t, heard), receive(t, heard); one != "1" || two != "2" {
		t.Fatal(one, two)
	}
	if s := router.Statuses()[0]; !s.Healthy() {
		t.Fatalf("%+v", s)
	}

	// A stopped one skips what was before.
	stop()
	w.write(t, renamed("3"))
	now, err := resetter.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	platform.CommandID = uuid.New()
	if err := resetter.Reset(t.Context(), "a", now, platform); err != nil {
		t.Fatal(err)
	}
	w.write(t, renamed("4"))
	w.start(t, nil, hears("a", heard))
	if four := receive(t, heard); four != "4" {
		t.Fatal(four)
	}

	records, err := w.log.ReadStream(t.Context(), events.PlatformStream, 0)
	if err != nil || len(records) != 3 {
		t.Fatal(len(records), err)
	}
	for i, want := range []events.PlatformReactionReset{{Reaction: "a", To: begun}, {Reaction: "a", To: now}} {
		var got events.PlatformReactionReset
		if err := json.Unmarshal(records[i+1].Data, &got); err != nil || got != want {
			t.Errorf("recorded %+v, %v; want %+v", got, err, want)
		}
	}
	beyond := events.Position{Commit: now.Commit + 1_000_000, Prepare: now.Prepare + 1_000_000}
	if err := resetter.Reset(t.Context(), "a", beyond, platform); !errors.Is(err, reactions.ErrBeyondHead) {
		t.Fatal(err)
	}
}

func TestReservations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sealer(t)
	names := uniq.New(uniq.Config{Log: w.log, Sealer: s, IndexKey: []byte("index key"), Scope: events.ScopeStore})
	w.start(t, nil, reactions.Reservations(names))

	customer, login := uuid.New(), uuid.New()
	stream, md := events.CustomerStream(customer), w.metadata()
	do := func(expected eventstore.Revision, e events.Event) {
		t.Helper()
		taken, _ := uniq.Names(e)
		if err := names.Reserve(t.Context(), md, events.Claim{Stream: stream, ExpectedRevision: int64(expected)}, taken); err != nil {
			t.Fatal(err)
		}
		w.await(t, "reservations", w.appendSealed(t, s, stream, expected, md, e))
	}
	do(eventstore.NoStream, events.CustomerCreated{CustomerID: customer, LoginID: login, Email: events.Clear("a@example.com")})
	do(0, events.CustomerEmailChanged{CustomerID: customer, LoginID: login, Before: events.Clear("a@example.com"), After: events.Clear("b@example.com")})

	all, err := w.log.ReadAll(t.Context(), events.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, r := range all {
		got[r.Type]++
	}
	if got[events.TypeUniqReserved] != 2 || got[events.TypeUniqConfirmed] != 2 || got[events.TypeUniqReleased] != 1 {
		t.Fatalf("the log holds %v", got)
	}
}
