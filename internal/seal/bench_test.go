package seal_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
)

// memoryKeys has every key at hand, so that a benchmark measures sealing alone.
type memoryKeys struct {
	subjects map[events.Subject]*vault.Key
	ids      map[uuid.UUID]*vault.Key
}

func newMemoryKeys(tb testing.TB, subjects ...events.Subject) memoryKeys {
	tb.Helper()
	k := memoryKeys{make(map[events.Subject]*vault.Key), make(map[uuid.UUID]*vault.Key)}
	for i, s := range subjects {
		material := make([]byte, 32)
		material[0] = byte(i)
		key, err := vault.NewKey(uuid.New(), s, material)
		if err != nil {
			tb.Fatal(err)
		}
		k.subjects[s], k.ids[key.ID()] = key, key
	}
	return k
}

func (k memoryKeys) Provision(context.Context, []events.Subject) (map[events.Subject]*vault.Key, error) {
	return k.subjects, nil
}

func (k memoryKeys) Active(context.Context, []events.Subject) (map[events.Subject]*vault.Key, error) {
	return k.subjects, nil
}

func (k memoryKeys) ByID(context.Context, []uuid.UUID) (map[uuid.UUID]*vault.Key, error) {
	return k.ids, nil
}

// editFields is how many personal values the benchmarks' event has.
const editFields = 11

func benchmarkBatch(tb testing.TB) (*seal.Sealer, place, []seal.Draft) {
	tb.Helper()
	store, customer, staff := uuid.New(), uuid.New(), uuid.New()
	at := place{store: store, stream: events.CustomerStream(customer)}
	keys := newMemoryKeys(tb, events.Subject{Kind: events.SubjectCustomer, ID: customer}, events.Subject{Kind: events.SubjectStaff, ID: staff})
	p := events.Profile{
		FirstName: events.Clear("Wilhelmina"), LastName: events.Clear("Featherstonehaugh"), Phone: events.Clear("+44 20 7946 0018"),
		Street: events.Clear("221b Baker Street"), City: events.Clear("London"),
	}
	drafts := make([]seal.Draft, 100)
	for i := range drafts {
		drafts[i] = seal.Draft{
			ID:    uuid.New(),
			Event: events.CustomerProfileEdited{CustomerID: customer, Before: p, After: p},
			Metadata: events.Metadata{
				Schema: events.MetadataSchema, StoreID: store, Actor: events.Reseller(staff, uuid.New()),
				Net: events.Clear(`{"ip":"2001:db8::1","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}`),
			},
		}
	}
	return seal.New(keys), at, drafts
}

// BenchmarkSeal includes the encoding of events as JSON.
func BenchmarkSeal(b *testing.B) {
	sealer, at, drafts := benchmarkBatch(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sealer.Seal(b.Context(), at.stream, at.store, drafts); err != nil {
			b.Fatal(err)
		}
	}
	perField(b, len(drafts))
}

// BenchmarkOpen starts from decoded envelopes.
func BenchmarkOpen(b *testing.B) {
	sealer, at, drafts := benchmarkBatch(b)
	proposed, err := sealer.Seal(b.Context(), at.stream, at.store, drafts)
	if err != nil {
		b.Fatal(err)
	}
	sealed := decode(b, at.stream, proposed)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sealer.Open(b.Context(), sealed); err != nil {
			b.Fatal(err)
		}
	}
	perField(b, len(drafts))
}

// BenchmarkEncode is what of BenchmarkSeal is JSON.
func BenchmarkEncode(b *testing.B) {
	sealer, at, drafts := benchmarkBatch(b)
	proposed, err := sealer.Seal(b.Context(), at.stream, at.store, drafts)
	if err != nil {
		b.Fatal(err)
	}
	sealed := decode(b, at.stream, proposed)
	b.ReportAllocs()
	for b.Loop() {
		for _, env := range sealed {
			if _, _, err := events.Encode(env.Event, env.Metadata); err != nil {
				b.Fatal(err)
			}
		}
	}
	perField(b, len(drafts))
}

func perField(b *testing.B, events int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events*editFields), "ns/field")
}

// BenchmarkVault opens a batch with a real vault whose cache is warm, and with
// one whose cache is cold.
func BenchmarkVault(b *testing.B) {
	w := newWorld(b)
	const people = 1000
	var sealed []events.Envelope
	for range people {
		c := w.newCustomer()
		sealed = append(sealed, w.mustSeal(b, c.stream, c.created("a@example.com"))...)
	}
	ids := float64(people)
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.sealer.Open(b.Context(), sealed); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/ids, "ns/event")
	})
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			cold, err := vault.Open(b.Context(), w.pool, w.kek)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := seal.New(cold).Open(b.Context(), sealed); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/ids, "ns/event")
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			c := w.newCustomer()
			if _, err := w.sealer.Seal(b.Context(), c.stream, w.store, c.created("a@example.com")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
