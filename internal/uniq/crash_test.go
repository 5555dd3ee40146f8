package uniq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/uniq"
)

// TestCrashEverywhere plays one story that takes every step of the protocol,
// again and again, and crashes it at the first, the second, the third step and
// so on. After a crash the command is tried again on another node.
func TestCrashEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var crashed []string
	for at := 1; ; at++ {
		point := w.story(t, at)
		if point == "" {
			break
		}
		crashed = append(crashed, point)
	}
	for _, point := range uniq.Points() {
		if !slices.Contains(crashed, point) {
			t.Errorf("the story has no step %q", point)
		}
	}
	t.Logf("crashed at %d steps", len(crashed))
	w.audit(t, w.registry())
}

// story plays and crashes at the step with a number. It returns which one that
// was, or nothing if the story has no more than that many.
func (w *world) story(t *testing.T, at int) (point string) {
	t.Helper()
	step := 0
	sound := w.registry()
	fragile := w.registry(func(c *uniq.Config) {
		c.Crash = func(p string) {
			if step++; step == at {
				point = p
				panic(crash{p})
			}
		}
	})
	try := func(want error, fn func(names *uniq.Registry) error) {
		t.Helper()
		err, crashed := survive(func() error { return fn(fragile) })
		if crashed {
			err = fn(sound)
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Fatalf("crashing at step %d (%s): got %v, want %v", at, point, err, want)
		}
	}
	ctx := t.Context()
	first, second, third := fmt.Sprintf("1.%d@example.com", at), fmt.Sprintf("2.%d@example.com", at), fmt.Sprintf("3.%d@example.com", at)

	slow := w.newCustomer()
	w.reserves(ctx, slow, first, func(reserve func(*uniq.Registry) error, _ func(*uniq.Registry) error) { try(nil, reserve) })
	w.pass(11 * time.Second)

	next := w.newCustomer()
	try(nil, next.command(ctx, next.created(first), nil))
	w.pass(11 * time.Second)
	other := w.newCustomer()
	try(uniq.ErrNameTaken, other.command(ctx, other.created(first), nil))

	var env events.Envelope
	try(nil, other.command(ctx, other.created(second), &env))
	try(nil, func(names *uniq.Registry) error { return names.Settle(ctx, env) })
	try(nil, other.command(ctx, other.changed(second, third), &env))
	try(nil, func(names *uniq.Registry) error { return names.Settle(ctx, env) })

	w.reserves(ctx, w.newCustomer(), second, func(reserve, abandon func(*uniq.Registry) error) {
		try(nil, reserve)
		try(nil, abandon)
	})

	w.pass(time.Minute)
	for address, user := range map[string]*customer{first: next, second: nil, third: other} {
		holder, ok, err := sound.Holder(ctx, w.store, emailName(address))
		if err != nil || ok != (user != nil) || ok && holder != user.stream() {
			t.Fatalf("crashing at step %d (%s): the holder of %s is %q, %v", at, point, address, holder, err)
		}
		newcomer := w.newCustomer()
		_, err = newcomer.do(ctx, sound, uuid.New(), newcomer.created(address))
		if user == nil && err != nil || user != nil && !errors.Is(err, uniq.ErrNameTaken) {
			t.Fatalf("crashing at step %d (%s): a newcomer to %s gets %v", at, point, address, err)
		}
	}
	return point
}

// command is a command to a customer, to be tried on any number of nodes.
func (c *customer) command(ctx context.Context, e events.Event, env *events.Envelope) func(*uniq.Registry) error {
	id := uuid.New()
	return func(names *uniq.Registry) error {
		done, err := c.do(ctx, names, id, e)
		if env != nil {
			*env = done
		}
		return err
	}
}

// reserves prepares a reservation for a claim that is never used.
func (w *world) reserves(ctx context.Context, c *customer, address string, fn func(reserve, abandon func(*uniq.Registry) error)) {
	md, claim := c.metadata(uuid.New()), events.Claim{Stream: c.stream(), ExpectedRevision: -1}
	names := []uniq.Name{emailName(address)}
	fn(
		func(r *uniq.Registry) error { return r.Reserve(ctx, md, claim, names) },
		func(r *uniq.Registry) error { return r.Abandon(ctx, md, claim, names) },
	)
}
