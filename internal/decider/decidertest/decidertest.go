// Package decidertest runs given/when/then tables against a decider.
package decidertest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
)

// Case is one rule: on this history this command leads to these events, or to
// this fault. A case with neither says that things are already so.
type Case[C any, E events.Event] struct {
	Name  string
	Given []E
	When  C
	Then  []E
	Err   error
	// Field is the input that the fault must name first.
	Field string
	// Again is the fault of sending the command a second time; nil says that
	// things are then already so.
	Again error
	// Anew says that the command sets no value: sent again it happens again.
	Anew bool
}

// Run checks every case. It also folds each outcome and sends the command
// again, which must then decide nothing: things are already so, or the
// repetition is refused with the fault that the case names. And it checks that
// what was decided comes back from the log as it was: the state after an append
// is folded from the one, and every later one from the other.
func Run[S, C any, E events.Event](t *testing.T, d decider.Decider[S, C, E], cases []Case[C, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			state := d.Fold(c.Given)
			got, err := d.Decide(state, c.When)
			if !errors.Is(err, c.Err) {
				t.Fatalf("decided with error %v, want %v", err, c.Err)
			}
			if diff := cmp.Diff(c.Then, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("wrong events (-want +got):\n%s", diff)
			}
			if c.Field != "" {
				f, ok := fault.As(err)
				if !ok || len(f.Fields) == 0 || f.Fields[0].Name != c.Field {
					t.Fatalf("fault %v does not name field %q first", f, c.Field)
				}
			}
			for _, e := range got {
				state = d.Evolve(state, e)
				if diff := cmp.Diff(events.Event(e), stored(t, e)); diff != "" {
					t.Fatalf("the log returns another event (-decided +read):\n%s", diff)
				}
			}
			again, err := d.Decide(state, c.When)
			if c.Anew {
				if err != nil || len(again) == 0 {
					t.Fatalf("sent again, the command decided %v, %v", again, err)
				}
				return
			}
			if len(again) > 0 {
				t.Fatalf("sent again, the command decided %v", again)
			}
			want := c.Again
			if c.Err != nil {
				want = c.Err
			}
			if !errors.Is(err, want) {
				t.Fatalf("sent again, it ended with %v, want %v", err, want)
			}
		})
	}
}

// stored is an event as it comes back from the log.
func stored(t *testing.T, e events.Event) events.Event {
	t.Helper()
	clear := make(map[uuid.UUID]events.Personal)
	sealed, err := events.MapPersonal(e, func(f events.Field) (events.Personal, error) {
		key := uuid.New()
		clear[key] = f.Value
		return events.Sealed(key, "ciphertext"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	data, metadata, err := events.Encode(sealed, events.Metadata{Schema: events.MetadataSchema})
	if err != nil {
		t.Fatal(err)
	}
	env, err := events.Decode(events.Record{ID: uuid.New(), Type: e.EventType(), Data: data, Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := events.MapPersonal(env.Event, func(f events.Field) (events.Personal, error) {
		key, _, _ := f.Value.Ciphertext()
		return clear[key], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}
