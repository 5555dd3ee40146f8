package api

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/decider"
)

// repeats notices an Idempotency-Key that is used again for another request,
// where the stream cannot: a domain's stream follows from the name in the body,
// so two bodies meet in none. It remembers what this process wrote lately; what
// is older, or was written elsewhere, the event log has.
type repeats struct {
	mu      sync.Mutex
	written map[uuid.UUID]string // fingerprints by command
	order   []uuid.UUID
}

// maxRepeats is how many commands are remembered: more than the read models are
// ever behind.
const maxRepeats = 10_000

// claim remembers a command, and reports whether it was for the same request
// when it is known already.
func (r *repeats) claim(command uuid.UUID, fingerprint string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.written[command]; ok {
		return known == fingerprint
	}
	if r.written == nil {
		r.written = make(map[uuid.UUID]string)
	}
	r.written[command] = fingerprint
	r.order = append(r.order, command)
	if len(r.order) > maxRepeats {
		delete(r.written, r.order[0])
		r.order = r.order[1:]
	}
	return true
}

// forget takes a command back that wrote nothing.
func (r *repeats) forget(command uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, command)
}

// onceFor runs the creation of a domain unless its key stood for another request
// before; then it fails with [decider.ErrKeyReused].
func (s *Server) onceFor(ctx context.Context, keyed bool, r decider.Request, create func() (decider.Outcome, error)) error {
	if !keyed || r.DryRun {
		_, err := create()
		return err
	}
	if !s.repeats.claim(r.CommandID, r.Fingerprint) {
		return decider.ErrKeyReused
	}
	stored, found, err := s.queries.CreationFingerprint(ctx, r.StoreID, r.CommandID)
	if err == nil && found && stored != r.Fingerprint {
		err = decider.ErrKeyReused
	}
	var out decider.Outcome
	if err == nil {
		out, err = create()
	}
	if err != nil || len(out.EventIDs) == 0 {
		s.repeats.forget(r.CommandID)
	}
	return err
}
