package uniq_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/uniq"
)

var errNoKeys = errors.New("no key can be had")

// noKeys opens nothing.
type noKeys struct{}

func (noKeys) Open(context.Context, []events.Envelope) ([]events.Envelope, error) {
	return nil, errNoKeys
}

func errOf(_ events.Envelope, err error) error { return err }

// wantFields checks a refusal and the fields that it names, in any order.
func wantFields(t *testing.T, err error, want *fault.Error, fields ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	f, _ := fault.As(err)
	var got []string
	for _, field := range f.Fields {
		got = append(got, field.Name)
	}
	if slices.Sort(got); !slices.Equal(got, fields) {
		t.Fatalf("the fault names %q, want %q", got, fields)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	perStore := uniq.New(uniq.Config{IndexKey: []byte("k"), Scope: events.ScopeStore})
	platform := uniq.New(uniq.Config{IndexKey: []byte("k"), Scope: events.ScopePlatform})
	other := uniq.New(uniq.Config{IndexKey: []byte("other"), Scope: events.ScopeStore})
	a, b := uuid.New(), uuid.New()
	for kind, crosses := range map[events.NameKind]struct{ perStore, platform bool }{
		events.NameEmail:      {false, true},
		events.NameUsername:   {false, true},
		events.NameExternalID: {false, false},
		events.NameStaffEmail: {false, false},
		events.NameHost:       {true, true},
	} {
		n := uniq.Name{Kind: kind, Key: "x"}
		if got := uniq.StreamOf(perStore, a, n) == uniq.StreamOf(perStore, b, n); got != crosses.perStore {
			t.Errorf("%s, scope store: one name in two stores is %v", kind, got)
		}
		if got := uniq.StreamOf(platform, a, n) == uniq.StreamOf(platform, b, n); got != crosses.platform {
			t.Errorf("%s, scope platform: one name in two stores is %v", kind, got)
		}
		name := uniq.StreamOf(perStore, a, n)
		if category := events.Category(name); category != "uniq_"+string(kind) || len(name) != len(category)+1+32 {
			t.Errorf("%s: stream %q", kind, name)
		}
		if name == uniq.StreamOf(other, a, n) {
			t.Errorf("%s: the key does not matter", kind)
		}
	}
}

// TestMetadata proves that nothing about a person reaches a reservation stream,
// and that sealing a stream does not look like a command applied to it.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, names, address := t.Context(), w.registry(), "somebody@example.com"
	slow, next := w.newCustomer(), w.newCustomer()
	claim := events.Claim{Stream: slow.stream(), ExpectedRevision: -1}
	slowly, quickly := uuid.New(), uuid.New()
	if err := names.Reserve(ctx, slow.metadata(slowly), claim, []uniq.Name{emailName(address)}); err != nil {
		t.Fatal(err)
	}
	w.pass(11 * time.Second)
	env, err := next.do(ctx, names, quickly, next.created(address))
	if err != nil {
		t.Fatal(err)
	}
	if err := names.Settle(ctx, env); err != nil {
		t.Fatal(err)
	}
	all, err := w.log.ReadStream(ctx, uniq.StreamOf(names, w.store, emailName(address)), 0)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := w.log.ReadStream(ctx, slow.stream(), 0)
	if err != nil || len(sealed) != 1 {
		t.Fatal(len(sealed), err)
	}
	for i, r := range append(all, sealed...) {
		if text := string(r.Data) + string(r.Metadata); strings.Contains(text, address) || strings.Contains(text, "T-1") {
			t.Errorf("%s holds what it should not: %s", r.Type, text)
		}
		md, err := events.DecodeMetadata(r.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		if !md.Reason.IsZero() || !md.Net.IsZero() || md.StoreID != w.store {
			t.Errorf("%s: metadata %+v", r.Type, md)
		}
		want := []events.Metadata{
			{Actor: events.System("test"), CommandID: slowly, CausationID: slowly},
			{Actor: events.System("test"), CommandID: quickly, CausationID: quickly},
			{Actor: events.System("reservations"), CommandID: quickly, CausationID: env.ID},
			{Actor: events.System("reservations"), CommandID: md.CommandID, CausationID: quickly},
		}[i]
		if md.Actor != want.Actor || md.CommandID != want.CommandID || md.CausationID != want.CausationID {
			t.Errorf("%s: actor %v, command %v, cause %v", r.Type, md.Actor, md.CommandID, md.CausationID)
		}
		if r.Type == events.TypeUniqClaimAborted && (md.CommandID == quickly || md.CommandID == slowly) {
			t.Error("the sealed stream looks as if a command had been applied to it")
		}
		if r.Type == events.TypeUniqReserved {
			var e events.UniqReserved
			if err := json.Unmarshal(r.Data, &e); err != nil || e.Deadline.IsZero() || e.Kind != events.NameEmail {
				t.Errorf("%+v, %v", e, err)
			}
		}
	}
}
