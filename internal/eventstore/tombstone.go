package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Tombstone deletes a stream for ever if its last revision is exactly expected.
// It is for copies of a log that holds such streams: Steward deletes nothing.
//
// It fails with [ErrStreamDeleted] when the stream is deleted already, and with
// [ErrUnavailable] or [ErrOutcomeUnknown] when that could not be learned; then
// it may be repeated.
func (s *Store) Tombstone(ctx context.Context, stream string, expected Revision) error {
	opts := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.NoStream{}}
	if expected != NoStream {
		opts.ExpectedRevision = esdb.Revision(uint64(expected))
	}
	_, begun, err := s.pool.call(ctx, time.Now().Add(attemptTimeout), func(ctx context.Context, c *esdb.Client) (any, error) {
		return c.TombstoneStream(ctx, stream, opts)
	})
	switch {
	case err == nil:
		return nil
	case isCode(err, esdb.ErrorCodeStreamDeleted):
		err = ErrStreamDeleted
	case begun && judge(err) == away && !errors.Is(err, ErrClosed):
		err = fmt.Errorf("%w (%w)", ErrOutcomeUnknown, err)
	case !begun:
		err = unavailable(err)
	}
	return fmt.Errorf("delete %s for ever: %w", stream, err)
}
