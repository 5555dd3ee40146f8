package decider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
)

// maxAttempts bounds how often a command is decided again after another writer
// got in first.
const maxAttempts = 4

// Faults of handling any command.
var (
	ErrBusy      = fault.New(fault.Conflict, "busy", "changed by someone else at the same moment, try again").After(time.Second)
	ErrStale     = fault.New(fault.Stale, "stale", "changed since you read it: read it again and repeat the change")
	ErrKeyReused = fault.New(fault.Invalid, "idempotency_key_reused", "this Idempotency-Key was used for another request").On("Idempotency-Key", "was used with other content")
)

// errSealed means that the stream was sealed before the command could create
// in it.
var errSealed = errors.New("the stream is sealed")

// Outcome is what a command led to.
type Outcome struct {
	// Revision is that of the last event written, or folded when none was.
	Revision eventstore.Revision
	Position events.Position
	// EventIDs and Events are empty when things were already so. A dry run
	// fills Events only.
	EventIDs []uuid.UUID
	Events   []events.Event
}

// Handle decides cmd on the current state of stream and appends the outcome.
// When another writer gets in first it decides again on the newer state; a caller
// who insists on a revision then gets [ErrStale].
//
// A command that was applied before is not decided again: its earlier outcome
// is returned. Names that the events take are reserved before the append.
func (d Decider[S, C, E]) Handle(ctx context.Context, e *Engine, stream string, cmd C, r Request) (Outcome, error) {
	return d.HandleFrom(ctx, e, stream, func(context.Context, S) (C, error) { return cmd, nil }, r)
}

// HandleFrom is [Decider.Handle] for a command that needs facts of another stream,
// which the state names. It is made anew whenever the state is read anew.
func (d Decider[S, C, E]) HandleFrom(ctx context.Context, e *Engine, stream string, command func(context.Context, S) (C, error), r Request) (Outcome, error) {
	var reserved *reservation
	for range maxAttempts {
		loaded, written, err := d.load(ctx, e, r.StoreID, stream, r.CommandID)
		if err != nil {
			return Outcome{}, err
		}
		if written {
			// Which is as good as certain: only the events tell what it led to.
			if out, done, err := d.applied(ctx, e, stream, r); done || err != nil {
				return out, err
			}
		}
		out, err := d.attempt(ctx, e, loaded, stream, command, r, &reserved)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, eventstore.ErrWrongRevision) || errors.Is(err, uniq.ErrClaimStale) {
			// Also for a caller who insists on a revision: the other writer may have
			// been another attempt of this very command.
			again(ctx)
			continue
		}
		return Outcome{}, errors.Join(err, reserved.abandon(ctx, e, err))
	}
	return Outcome{}, errors.Join(fmt.Errorf("%s: %w", stream, ErrBusy), reserved.abandon(ctx, e, nil))
}

// applied returns what an earlier attempt of the command wrote.
func (d Decider[S, C, E]) applied(ctx context.Context, e *Engine, stream string, r Request) (Outcome, bool, error) {
	history, err := d.LoadHistory(ctx, e, r.StoreID, stream)
	if err != nil {
		return Outcome{}, false, err
	}
	return history.Applied(r)
}

func (d Decider[S, C, E]) attempt(ctx context.Context, e *Engine, loaded Loaded[S], stream string, command func(context.Context, S) (C, error), r Request, reserved **reservation) (Outcome, error) {
	stale := r.IfMatch != nil && eventstore.Revision(*r.IfMatch) != loaded.Revision
	if stale && loaded.Exists() {
		return Outcome{}, ErrStale
	}
	cmd, err := command(ctx, loaded.State)
	if err != nil {
		return Outcome{}, err
	}
	decided, err := d.Decide(loaded.State, cmd)
	switch {
	case err != nil:
		return Outcome{}, err
	case stale: // of something that is not there, which the decision may know better
		return Outcome{}, ErrStale
	}
	out := Outcome{Revision: loaded.Revision, Position: loaded.Position}
	if len(decided) == 0 {
		return out, nil
	}
	if loaded.Sealed {
		return Outcome{}, errSealed
	}
	for _, event := range decided {
		out.Events = append(out.Events, event)
	}
	if r.DryRun {
		return out, e.available(ctx, r, stream, out.Events)
	}
	r.At = loaded.notBefore(r.At)
	drafts, err := drafts(r, stream, out.Events)
	if err != nil {
		return Outcome{}, err
	}
	if names := taken(out.Events); len(names) > 0 {
		claim := events.Claim{Stream: stream, ExpectedRevision: int64(loaded.Revision)}
		if err := e.Names.Reserve(ctx, drafts[0].Metadata, claim, names); err != nil {
			return Outcome{}, err
		}
		*reserved = &reservation{metadata: drafts[0].Metadata, claim: claim, names: names, repeatable: r.CommandID.Version() != 4}
	}
	proposed, err := e.Sealer.Seal(ctx, stream, r.StoreID, drafts)
	if err != nil {
		return Outcome{}, err
	}
	appended, err := e.Log.Append(ctx, stream, loaded.Revision, proposed)
	if err != nil {
		return Outcome{}, err
	}
	out.Revision, out.Position = appended.Revision, appended.Position
	for _, p := range proposed {
		out.EventIDs = append(out.EventIDs, p.ID)
	}
	after := loaded
	for _, event := range decided {
		after = d.evolve(after, event, drafts[0].Metadata)
		after.Revision = appended.Revision
	}
	after.Position = appended.Position
	if !e.states.wrote(writing{stream, loaded.Revision, appended.Revision, after, r.CommandID, proposed}) {
		again(ctx)
	}
	return out, nil
}

func drafts(r Request, stream string, decided []events.Event) ([]seal.Draft, error) {
	md, err := r.metadata()
	if err != nil {
		return nil, err
	}
	all := make([]seal.Draft, len(decided))
	for i, event := range decided {
		all[i] = seal.Draft{ID: events.NewID(r.CommandID, r.Fingerprint, stream, i), Event: event, Metadata: md}
	}
	return all, nil
}
