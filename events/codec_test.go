package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

var namePattern = regexp.MustCompile(`^[a-z_]+\.[a-z_]+(\.v[0-9]+)?$`)

// A stored name is the one that its event says it has, and is well formed.
func TestStoredNames(t *testing.T) {
	t.Parallel()
	types, err := events.Types()
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range types {
		if !namePattern.MatchString(name) {
			t.Errorf("%q is no <category>.<past_tense_snake>", name)
		}
		if !strings.HasPrefix(name, strings.SplitN(e.EventType(), ".v", 2)[0]) {
			t.Errorf("%q decodes to %q", name, e.EventType())
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	metadata := mustMetadata(t)
	for name, c := range map[string]struct {
		kind, data string
		metadata   []byte
	}{
		"an unknown type":        {"customer.abducted", `{}`, metadata},
		"a field it lacks":       {events.TypeStaffDeactivated, `{"staff_id":"` + id1.String() + `","more":1}`, metadata},
		"what is not JSON":       {events.TypeStaffDeactivated, `{"staff_id":`, metadata},
		"what is not metadata":   {events.TypeStaffDeactivated, `{}`, []byte(`[]`)},
		"a newer metadata":       {events.TypeStaffDeactivated, `{}`, []byte(`{"schema":2}`)},
		"metadata of no schema":  {events.TypeStaffDeactivated, `{}`, []byte(`{}`)},
		"clear personal values":  {events.TypeStaffRenamed, `{"before":"Ada"}`, metadata},
		"another sealed version": {events.TypeStaffRenamed, `{"before":{"$e":2,"k":"` + id1.String() + `","c":"x"}}`, metadata},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, err := events.Decode(events.Record{Type: c.kind, Data: []byte(c.data), Metadata: c.metadata})
			if err == nil {
				t.Fatalf("decoded %+v", env)
			}
			var unknown *events.UnknownTypeError
			if errors.As(err, &unknown) != (name == "an unknown type") {
				t.Fatalf("wrong kind of error: %v", err)
			}
		})
	}
}

// Nothing personal is ever encoded in the clear, or printed.
func TestPersonalStaysHidden(t *testing.T) {
	t.Parallel()
	const secret = "ada@example.com"
	e := events.StaffRenamed{StaffID: id1, Before: events.Clear(secret), After: sealed("after")}
	if _, _, err := events.Encode(e, sampleMetadata()); !errors.Is(err, events.ErrClearPersonal) {
		t.Fatalf("encoding a clear value: %v", err)
	}
	md := sampleMetadata()
	md.Net = events.Clear(secret)
	if _, _, err := events.Encode(events.StaffDeactivated{}, md); !errors.Is(err, events.ErrClearPersonal) {
		t.Fatalf("encoding clear metadata: %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, e); strings.Contains(text, secret) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

// A value that is absent, empty, sealed or erased can be told apart.
func TestPersonalStates(t *testing.T) {
	t.Parallel()
	all := []events.Personal{{}, events.Clear(""), events.Clear("x"), sealed("x"), events.Erased()}
	for i, p := range all {
		for j, q := range all {
			if p.Equal(q) != (i == j) {
				t.Errorf("%d and %d: equal is %v", i, j, p.Equal(q))
			}
		}
	}
	if _, ok := events.Erased().Reveal(); ok {
		t.Error("an erased value can be revealed")
	}
	if text, ok := events.Clear("").Reveal(); !ok || text != "" {
		t.Error("an empty value cannot be revealed")
	}
}

// Every personal field of every event is found, with the subject it names.
func TestMapPersonalFindsEveryField(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		want := strings.Count(fmt.Sprintf("%+v", sample), "[personal]")
		var paths []string
		mapped, err := events.MapPersonal(sample, func(f events.Field) (events.Personal, error) {
			paths = append(paths, f.Path)
			if f.Subject.Kind == "" || f.Subject.ID != id1 && f.Subject.ID != id2 && f.Subject.ID != id3 {
				t.Errorf("%s %s is about %s", name, f.Path, f.Subject)
			}
			return events.Erased(), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) != want {
			t.Errorf("%s: found %v, want %d fields", name, paths, want)
		}
		if text := fmt.Sprintf("%+v", mapped); strings.Contains(text, "[personal]") {
			t.Errorf("%s: not every field was mapped: %s", name, text)
		}
		if !reflect.DeepEqual(sample, samples()[name]) {
			t.Errorf("%s: the event given was changed", name)
		}
	}
}

// An event that creates persons seals nothing under a key that it does not
// create.
func TestCreatorsCreateWhatTheySealUnder(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		creator, ok := sample.(events.Creator)
		if !ok {
			continue
		}
		created := map[events.Subject]bool{}
		for _, s := range creator.Creates() {
			created[s] = true
		}
		for _, f := range events.PersonalFields(sample) {
			if !created[f.Subject] {
				t.Errorf("%s seals %s under %s, which it does not create", name, f.Path, f.Subject)
			}
		}
	}
}

func TestAboutAndNetSubject(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		category, _, _ := strings.Cut(name, ".")
		subject, ok := events.About(category+"-"+id1.String(), sample)
		if ok == (category == "uniq") {
			t.Errorf("%s is about %v, %v", name, subject, ok)
		}
		if ok && subject.Kind == "" {
			t.Errorf("%s is about a subject without a kind", name)
		}
	}
	// Whose login it is is said by one of two ids; the other one is not stored.
	for _, e := range []events.Event{
		events.LoginSessionsEnded{LoginID: id1, StaffID: id2}, events.SessionEnded{SessionID: id1, StaffID: id2, Reason: events.EndedByLimit},
	} {
		if subject, ok := events.About("login-"+id1.String(), e); !ok || subject != (events.Subject{Kind: events.SubjectStaff, ID: id2}) {
			t.Errorf("%s of a team member is about %v, %v", e.EventType(), subject, ok)
		}
		if data, _, err := events.Encode(e, sampleMetadata()); err != nil || strings.Contains(string(data), "customer_id") || !strings.Contains(string(data), id2.String()) {
			t.Errorf("%s of a team member is stored as %s, %v", e.EventType(), data, err)
		}
	}
	at := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	visitors := events.Subject{Kind: events.SubjectVisitor, ID: events.VisitorID(id3, at)}
	for actor, want := range map[events.Actor]events.Subject{
		events.Reseller(id1, id2):                                      {Kind: events.SubjectStaff, ID: id1},
		events.Staff(id1, id3):                                         {Kind: events.SubjectStaff, ID: id1},
		events.Customer(id2, id1):                                      {Kind: events.SubjectCustomer, ID: id2},
		events.Customer(uuid.Nil, uuid.Nil):                            visitors,
		{Kind: events.ActorAsCustomer, ID: id2.String(), StaffID: id1}: {Kind: events.SubjectStaff, ID: id1},
	} {
		if got, ok := events.NetSubject(events.Metadata{StoreID: id3, Actor: actor, OccurredAt: at}); !ok || got != want {
			t.Errorf("%s: got %v, %v", actor.Kind, got, ok)
		}
	}
	if _, ok := events.NetSubject(events.Metadata{Actor: events.System("renewals")}); ok {
		t.Error("the system is nobody")
	}
	if events.VisitorID(id3, at) == events.VisitorID(id3, at.Add(time.Second)) || events.VisitorID(id3, at) == events.VisitorID(id2, at) {
		t.Error("visitors of two months, or of two stores, are one subject")
	}
}

// A visitor who gave an unknown name has no id, which is stored as null.
func TestActorWithoutID(t *testing.T) {
	t.Parallel()
	visitor := events.Actor{Kind: events.ActorCustomer}
	stored, err := json.Marshal(visitor)
	if err != nil || string(stored) != `{"kind":"customer","id":null}` {
		t.Fatalf("stored as %s, %v", stored, err)
	}
	var back events.Actor
	if err := json.Unmarshal(stored, &back); err != nil || back != visitor {
		t.Fatalf("read back as %+v, %v", back, err)
	}
}

func TestNetRoundTrip(t *testing.T) {
	t.Parallel()
	want := events.Net{IP: "203.0.113.7", UserAgent: "curl/8"}
	p, err := want.Personal()
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := events.ParseNet(p); !ok || got != want {
		t.Fatalf("got %+v, %v", got, ok)
	}
	if p, err := (events.Net{}).Personal(); err != nil || !p.IsZero() {
		t.Fatalf("nothing known became %v, %v", p, err)
	}
	if _, ok := events.ParseNet(events.Erased()); ok {
		t.Fatal("an erased address was read")
	}
}

// Whatever bytes are stored, decoding them fails or succeeds, but returns.
func FuzzDecode(f *testing.F) {
	for name, sample := range samples() {
		data, metadata, err := events.Encode(sample, sampleMetadata())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data, metadata)
	}
	f.Fuzz(func(t *testing.T, kind string, data, metadata []byte) {
		env, err := events.Decode(events.Record{Type: kind, Data: data, Metadata: metadata})
		if err == nil && env.Event == nil {
			t.Fatal("decoded nothing")
		}
	})
}
