package decider

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Loaded is a stream folded to its tail.
type Loaded[S any] struct {
	State S
	// StoreID is the store that the stream belongs to.
	StoreID uuid.UUID
	// Revision is the last one folded, eventstore.NoStream when there is none.
	Revision eventstore.Revision
	// Position is the place of the last event folded.
	Position events.Position
	// Sealed reports that the stream holds nothing but an aborted claim: what
	// was to be created in it never will be.
	Sealed bool

	last time.Time // when the last event happened
}

// Exists reports whether the stream has events of its own.
func (l Loaded[S]) Exists() bool { return l.Revision != eventstore.NoStream && !l.Sealed }

// History is a stream folded to its tail, and the events that it was folded
// from, oldest first, their personal values open.
type History[S any] struct {
	Loaded[S]
	Events []events.Envelope
}

// Load folds a stream as of the arrival of the request (see [Arrive]), or later. A
// stream of another store looks as if it did not exist.
func (d Decider[S, C, E]) Load(ctx context.Context, e *Engine, store uuid.UUID, stream string) (Loaded[S], error) {
	loaded, _, err := d.load(ctx, e, store, stream, uuid.Nil)
	return loaded, err
}

// load is [Decider.Load], and tells whether a command may have written to the
// stream before. Its no is certain.
func (d Decider[S, C, E]) load(ctx context.Context, e *Engine, store uuid.UUID, stream string, command uuid.UUID) (Loaded[S], bool, error) {
	loaded, written, err := d.loadAny(ctx, e, stream, command)
	if err == nil && loaded.StoreID != store {
		return Loaded[S]{Revision: eventstore.NoStream}, false, nil
	}
	return loaded, written, err
}

// LoadAny folds a stream of any store. It is for credentials, whose stream says
// which store the caller belongs to; everything else goes through
// [Decider.Load].
func (d Decider[S, C, E]) LoadAny(ctx context.Context, e *Engine, stream string) (Loaded[S], error) {
	loaded, _, err := d.loadAny(ctx, e, stream, uuid.Nil)
	return loaded, err
}

func (d Decider[S, C, E]) loadAny(ctx context.Context, e *Engine, stream string, command uuid.UUID) (Loaded[S], bool, error) {
	if err := e.states.arrived(ctx); err != nil {
		return Loaded[S]{}, false, err
	}
	known, written, err := e.states.get(ctx, stream, command, func(ctx context.Context, before folded, records []events.Record) (folded, error) {
		loaded, _, after, err := d.fold(ctx, e, stream, before, records)
		after.loaded = loaded
		return after, err
	})
	if err != nil {
		return Loaded[S]{}, false, err
	}
	loaded, ok := known.loaded.(Loaded[S])
	if !ok {
		return Loaded[S]{}, false, fmt.Errorf("%s is folded into a %T elsewhere", stream, known.loaded)
	}
	return loaded, written, nil
}

// LoadHistory reads a stream with all its events. A stream of another store
// looks as if it did not exist.
func (d Decider[S, C, E]) LoadHistory(ctx context.Context, e *Engine, store uuid.UUID, stream string) (History[S], error) {
	records, err := e.Log.ReadStream(ctx, stream, 0)
	if err != nil {
		return History[S]{}, err
	}
	loaded, envelopes, _, err := d.fold(ctx, e, stream, folded{revision: eventstore.NoStream}, records)
	if err == nil && loaded.StoreID != store {
		return History[S]{Loaded: Loaded[S]{Revision: eventstore.NoStream}}, nil
	}
	return History[S]{Loaded: loaded, Events: envelopes}, err
}

// fold folds the records of a stream that follow on before.
func (d Decider[S, C, E]) fold(ctx context.Context, e *Engine, stream string, before folded, records []events.Record) (Loaded[S], []events.Envelope, folded, error) {
	loaded, ok := before.loaded.(Loaded[S])
	if !ok {
		loaded.Revision = eventstore.NoStream
	}
	envelopes, err := e.open(ctx, stream, records)
	if err != nil {
		return loaded, nil, before, err
	}
	after := before.extended(len(envelopes))
	for i, env := range envelopes {
		event, ok := env.Event.(E)
		if !ok {
			return loaded, nil, before, fmt.Errorf("%s@%d holds a foreign %s", stream, env.Revision, env.Event.EventType())
		}
		loaded = d.evolve(loaded, event, env.Metadata)
		loaded.Revision, loaded.Position = eventstore.Revision(env.Revision), env.Position
		after.add(env.Metadata.CommandID, len(records[i].Data))
	}
	after.revision = loaded.Revision
	return loaded, envelopes, after, nil
}

// evolve folds one event and what its metadata say.
func (d Decider[S, C, E]) evolve(l Loaded[S], event E, md events.Metadata) Loaded[S] {
	if l.Revision == eventstore.NoStream {
		l.StoreID, l.Sealed = md.StoreID, true
	}
	if _, aborted := events.Event(event).(events.UniqClaimAborted); !aborted {
		l.Sealed = false
	}
	l.State = d.Evolve(l.State, event)
	l.last = md.OccurredAt
	return l
}

// open decodes records and makes their personal values readable.
func (e *Engine) open(ctx context.Context, stream string, records []events.Record) ([]events.Envelope, error) {
	envelopes := make([]events.Envelope, len(records))
	for i, r := range records {
		env, err := events.Decode(r)
		if err != nil {
			return nil, err
		}
		envelopes[i] = env
	}
	opened, err := e.Sealer.OpenSecrets(ctx, envelopes)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", stream, err)
	}
	return opened, nil
}

// maxLead is how far ahead of the clock an event may be that the next one still
// follows. A larger lead means that some clock is broken.
const maxLead = 10 * time.Second

// notBefore is at, or when the last event happened if that is a little later on
// another machine's clock: time does not run backwards within a stream.
func (l Loaded[S]) notBefore(at time.Time) time.Time {
	if lead := l.last.Sub(at); lead > 0 && lead <= maxLead {
		return l.last
	}
	return at
}

// Applied returns what an earlier attempt of the same command wrote to the
// stream, and false when there was none. The same command id with another
// fingerprint is a key reused for something else.
func (h History[S]) Applied(r Request) (Outcome, bool, error) {
	var out Outcome
	for _, env := range h.Events {
		if env.Metadata.CommandID != r.CommandID {
			continue
		}
		if _, aborted := env.Event.(events.UniqClaimAborted); aborted {
			continue
		}
		if env.Metadata.Fingerprint != r.Fingerprint {
			return Outcome{}, false, ErrKeyReused
		}
		out.Revision, out.Position = eventstore.Revision(env.Revision), env.Position
		out.EventIDs = append(out.EventIDs, env.ID)
		out.Events = append(out.Events, env.Event)
	}
	return out, len(out.EventIDs) > 0, nil
}
