package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

const (
	// tries is how often an event is tried before its group stalls.
	tries = 3
	// retryPause is the pause between tries.
	retryPause = 100 * time.Millisecond
	// stallPause is how often a stalled group looks for a way on.
	stallPause = 500 * time.Millisecond
)

// struggle deals with an event that failed: it tries again, then stalls until the
// event can be applied after all or is parked.
func (p *Projector) struggle(ctx context.Context, b batch, err error) error {
	for range tries - 1 {
		if !sleep(ctx, retryPause) {
			return ctx.Err()
		}
		if done, retried := p.again(ctx, &b); done {
			return retried
		} else {
			err = retried
		}
	}
	r := b.items[0].record
	stalled := &StalledEvent{
		ID: r.ID, Stream: r.Stream, Revision: r.Revision, Type: r.Type, Position: r.Position, Reason: cause(err),
	}
	for {
		if err := p.parked.read(ctx, p.log); err != nil {
			return err
		}
		if p.parked.has(r.ID) {
			if err := p.commit(ctx, b); err != nil {
				return err
			}
			p.logger.WarnContext(ctx, "parked event passed over", "event_id", r.ID, "stream", r.Stream, "revision", r.Revision, "type", r.Type)
			p.condition.set(Running, "", nil)
			return nil
		}
		reason := fmt.Sprintf("event %s (%s %s@%d) cannot be applied: %s; fix it, or run: steward projections park %s --reason ...",
			r.ID, r.Type, r.Stream, r.Revision, stalled.Reason, r.ID)
		if p.condition.set(Stalled, reason, stalled) {
			p.logger.ErrorContext(ctx, "projection stalled", "event_id", r.ID, "stream", r.Stream, "revision", r.Revision, "type", r.Type, "reason", stalled.Reason)
		}
		if !sleep(ctx, stallPause) {
			return ctx.Err()
		}
		if done, err := p.again(ctx, &b); done {
			if err == nil {
				p.condition.set(Running, "", nil)
			}
			return err
		}
	}
}

// again tries to decode, open and apply an event once more. It returns true when
// there is nothing left to try: it succeeded, or failed for other reasons.
func (p *Projector) again(ctx context.Context, b *batch) (done bool, err error) {
	fresh, err := p.group.prepare(ctx, b.after, []events.Record{b.items[0].record})
	if err != nil {
		return true, err
	}
	*b = fresh
	err = p.commit(ctx, *b)
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, errMoved), gone(err), transient(err):
		return true, err
	case errors.Is(err, errVersion):
		return true, p.group.misfit()
	}
	return false, err
}

// parked is the set of events that the log tells the group to pass over. They are
// passed over for good, by a rebuild too: otherwise it would depend on the size of
// a batch or the version of the code what the tables say.
type parked struct {
	group string
	mu    sync.Mutex
	ids   map[uuid.UUID]bool
	next  uint64 // the revision of the platform's stream to read on from
}

// read takes in what was parked since.
func (k *parked) read(ctx context.Context, log Log) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	records, err := log.ReadStream(ctx, events.PlatformStream, k.next)
	if err != nil {
		return fmt.Errorf("read the parked events: %w", err)
	}
	for _, r := range records {
		if r.Type == events.TypePlatformEventParked {
			env, err := events.Decode(r)
			if err != nil {
				return fmt.Errorf("read the parked events: %w", err)
			}
			if e, ok := env.Event.(events.PlatformEventParked); ok && e.Group == k.group {
				if k.ids == nil {
					k.ids = make(map[uuid.UUID]bool)
				}
				k.ids[e.EventID] = true
			}
		}
		k.next = r.Revision + 1
	}
	return nil
}

func (k *parked) has(id uuid.UUID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[id]
}
