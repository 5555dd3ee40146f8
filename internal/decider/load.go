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

	envelopes []events.Envelope
}

// Exists reports whether the stream has events of its own.
func (l Loaded[S]) Exists() bool { return l.Revision != eventstore.NoStream && !l.Sealed }

// History returns the events that were folded, oldest first, their personal
// values open. The slice is not to be changed.
func (l Loaded[S]) History() []events.Envelope { return l.envelopes }

// Load folds a stream. A stream of another store looks as if it did not exist.
func (d Decider[S, C, E]) Load(ctx context.Context, e *Engine, store uuid.UUID, stream string) (Loaded[S], error) {
	loaded, err := d.LoadAny(ctx, e, stream)
	if err == nil && loaded.StoreID != store {
		return Loaded[S]{Revision: eventstore.NoStream}, nil
	}
	return loaded, err
}

// LoadAny folds a stream of any store. It is for credentials, whose stream says
// which store the caller belongs to; everything else goes through
// [Decider.Load].
func (d Decider[S, C, E]) LoadAny(ctx context.Context, e *Engine, stream string) (Loaded[S], error) {
	records, err := e.Log.ReadStream(ctx, stream, 0)
	if err != nil {
		return Loaded[S]{}, err
	}
	loaded := Loaded[S]{Revision: eventstore.NoStream}
	envelopes, err := decodeAll(records)
	if err != nil || len(envelopes) == 0 {
		return loaded, err
	}
	if envelopes, err = e.Sealer.Open(ctx, envelopes); err != nil {
		return Loaded[S]{}, fmt.Errorf("open %s: %w", stream, err)
	}
	loaded.Sealed = true
	loaded.StoreID = envelopes[0].Metadata.StoreID
	for _, env := range envelopes {
		event, ok := env.Event.(E)
		if !ok {
			return Loaded[S]{}, fmt.Errorf("%s@%d holds a foreign %s", stream, env.Revision, env.Event.EventType())
		}
		if _, aborted := env.Event.(events.UniqClaimAborted); !aborted {
			loaded.Sealed = false
		}
		loaded.State = d.Evolve(loaded.State, event)
	}
	last := envelopes[len(envelopes)-1]
	loaded.Revision, loaded.Position, loaded.envelopes = eventstore.Revision(last.Revision), last.Position, envelopes
	return loaded, nil
}

func decodeAll(records []events.Record) ([]events.Envelope, error) {
	envelopes := make([]events.Envelope, len(records))
	for i, r := range records {
		env, err := events.Decode(r)
		if err != nil {
			return nil, err
		}
		envelopes[i] = env
	}
	return envelopes, nil
}

// maxLead is how far ahead of the clock an event may be that the next one still
// follows. A larger lead means that some clock is broken.
const maxLead = 10 * time.Second

// notBefore is at, or when the last event happened if that is a little later on
// another machine's clock: time does not run backwards within a stream.
func (l Loaded[S]) notBefore(at time.Time) time.Time {
	if len(l.envelopes) == 0 {
		return at
	}
	last := l.envelopes[len(l.envelopes)-1].Metadata.OccurredAt
	if lead := last.Sub(at); lead > 0 && lead <= maxLead {
		return last
	}
	return at
}

// Applied returns what an earlier attempt of the same command wrote to the
// stream, and false when there was none. The same command id with another
// fingerprint is a key reused for something else.
func (l Loaded[S]) Applied(r Request) (Outcome, bool, error) {
	var out Outcome
	for _, env := range l.envelopes {
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
