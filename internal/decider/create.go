package decider

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/fault"
)

// MaxSealed bounds how many sealed streams a creation passes over, and so the
// attempts that [Request.NewID] is asked for.
const MaxSealed = 16

// ErrCreationAborted is returned when every stream that the command could have
// created in was sealed by someone who took its reservation over.
var ErrCreationAborted = fault.New(fault.Conflict, "creation_aborted", "the creation was cut short and cannot be resumed, repeat it with a new Idempotency-Key")

// Create handles a command that brings a new stream into being. Its id is
// derived from the command, so that a retry finds what an earlier attempt
// created. An id whose stream was sealed is passed over.
func (d Decider[S, C, E]) Create(ctx context.Context, e *Engine, kind string, stream func(uuid.UUID) string, cmd func(id uuid.UUID) C, r Request) (uuid.UUID, Outcome, error) {
	for n := range MaxSealed {
		id := r.NewID(kind, n)
		out, err := d.Handle(ctx, e, stream(id), cmd(id), r)
		if errors.Is(err, errSealed) {
			continue
		}
		return id, out, err
	}
	return uuid.Nil, Outcome{}, ErrCreationAborted
}
