package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/events"
)

const (
	// readIdle bounds how long a read waits for its next event before it is
	// begun anew on another connection.
	readIdle = 4 * time.Second
	// readAttempts bounds how often a read is begun.
	readAttempts = 3
	// requiresLeader makes a member of a cluster that does not lead refuse a read, and
	// name the one that does: whatever was acknowledged is there, and may not be here.
	// The client has an option for it and never sends it.
	requiresLeader = "requires-leader"
	// everything asks for all there is; a server may hold counts in a signed
	// number.
	everything = math.MaxInt64
)

// ReadStream returns the events of stream from revision from on, oldest first.
// A stream that does not exist, or ends before, is empty. It fails with
// [ErrStreamDeleted] or [ErrUnavailable].
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) ([]events.Record, error) {
	opts := esdb.ReadStreamOptions{Direction: esdb.Forwards, From: esdb.Revision(from)}
	records, err := s.read(ctx, "stream", events.Position{}, func(ctx context.Context, c *esdb.Client) (*esdb.ReadStream, error) {
		return c.ReadStream(ctx, stream, opts, everything)
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, err)
	}
	return records, nil
}

// ReadStreamBackwards returns up to limit events of stream, newest first; the
// first one is its head. A stream that does not exist is empty. It fails with
// [ErrStreamDeleted] or [ErrUnavailable].
func (s *Store) ReadStreamBackwards(ctx context.Context, stream string, limit int) ([]events.Record, error) {
	if limit < 1 {
		return nil, fmt.Errorf("read %s backwards: limit %d", stream, limit)
	}
	opts := esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}
	records, err := s.read(ctx, "stream", events.Position{}, func(ctx context.Context, c *esdb.Client) (*esdb.ReadStream, error) {
		return c.ReadStream(ctx, stream, opts, uint64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("read %s backwards: %w", stream, err)
	}
	return records, nil
}

// ReadAll returns up to limit events of the log after a position, oldest first;
// the zero position is the start. Records of the event store itself are among
// them (see [events.IsSystem]), so that a reader can go on after the last one.
// Fewer than limit means that the end was reached. It fails with
// [ErrUnavailable].
func (s *Store) ReadAll(ctx context.Context, after events.Position, limit int) ([]events.Record, error) {
	if limit < 1 {
		return nil, fmt.Errorf("read the log: limit %d", limit)
	}
	opts := esdb.ReadAllOptions{Direction: esdb.Forwards, From: esdb.Start{}}
	count := uint64(limit)
	if after != (events.Position{}) {
		if err := checkPosition(after); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		opts.From = esdb.Position{Commit: after.Commit, Prepare: after.Prepare}
		count++ // the store begins with the event at the position itself
	}
	records, err := s.read(ctx, "all", after, func(ctx context.Context, c *esdb.Client) (*esdb.ReadStream, error) {
		return c.ReadAll(ctx, opts, count)
	})
	if err != nil {
		return nil, fmt.Errorf("read the log after %d/%d: %w", after.Commit, after.Prepare, err)
	}
	return records[:min(len(records), limit)], nil
}

// ReadOn is [Store.ReadAll] for a reader who goes on after an event that it has
// read. It fails with [ErrAhead] when the log holds no event at that position
// any more, as after an older backup was restored: what the reader knows is then
// not what is in the log.
func (s *Store) ReadOn(ctx context.Context, after events.Position, limit int) ([]events.Record, error) {
	if err := checkPosition(after); err != nil || after == (events.Position{}) || limit < 1 {
		return nil, fmt.Errorf("read on: position %d/%d, limit %d", after.Commit, after.Prepare, limit)
	}
	opts := esdb.ReadAllOptions{Direction: esdb.Forwards, From: esdb.Position{Commit: after.Commit, Prepare: after.Prepare}}
	records, err := s.read(ctx, "all", events.Position{}, func(ctx context.Context, c *esdb.Client) (*esdb.ReadStream, error) {
		return c.ReadAll(ctx, opts, uint64(limit)+1)
	})
	if err == nil && (len(records) == 0 || records[0].Position != after) {
		err = ErrAhead
	}
	if err != nil {
		return nil, fmt.Errorf("read the log on from %d/%d: %w", after.Commit, after.Prepare, err)
	}
	return records[1:], nil
}

// Head returns the position of the newest event in the log, zero when there is
// none. It fails with [ErrUnavailable].
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	records, err := s.read(ctx, "head", events.Position{}, openNewest)
	if err != nil {
		return events.Position{}, fmt.Errorf("read the head of the log: %w", err)
	}
	return newestOf(records), nil
}

// newest is [Store.Head] on a given client.
func newest(ctx context.Context, c *esdb.Client) (events.Position, error) {
	records, err := collect(ctx, c, events.Position{}, openNewest)
	return newestOf(records), err
}

func openNewest(ctx context.Context, c *esdb.Client) (*esdb.ReadStream, error) {
	return c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
}

func newestOf(records []events.Record) events.Position {
	if len(records) == 0 {
		return events.Position{}
	}
	return records[0].Position
}

// opener begins a read.
type opener func(context.Context, *esdb.Client) (*esdb.ReadStream, error)

// read collects what open reads, beginning anew on another connection when the
// link fails. Records up to skip are left out.
func (s *Store) read(ctx context.Context, kind string, skip events.Position, open opener) ([]events.Record, error) {
	s.metrics.reads.WithLabelValues(kind).Inc()
	wait := backoff{}
	for attempt := 1; ; attempt++ {
		result, begun, err := s.pool.call(ctx, time.Time{}, func(ctx context.Context, c *esdb.Client) (any, error) {
			return collect(metadata.AppendToOutgoingContext(ctx, requiresLeader, "true"), c, skip, open)
		})
		switch {
		case err == nil:
			return result.([]events.Record), nil
		case isCode(err, esdb.ErrorCodeStreamDeleted):
			return nil, ErrStreamDeleted
		case isCode(err, esdb.ErrorCodeResourceNotFound) && status.Code(err) != codes.NotFound:
			return nil, nil // and not a server that would not say who leads
		case begun && judge(err) == refused:
			return nil, err
		case errors.Is(err, ErrClosed):
			return nil, unavailable(err)
		case ctx.Err() != nil:
			return nil, unavailable(context.Cause(ctx))
		case !begun || attempt == readAttempts || !wait.sleep(ctx):
			return nil, unavailable(err)
		}
	}
}

// collect reads to the end. The time it has begins anew with every event.
func collect(ctx context.Context, c *esdb.Client, skip events.Position, open opener) ([]events.Record, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(readIdle, func() { cancel(errSlow) })
	defer idle.Stop()

	stream, err := open(ctx, c)
	if err != nil {
		return nil, slow(ctx, err)
	}
	defer stream.Close()
	var records []events.Record
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, slow(ctx, err)
		}
		idle.Reset(readIdle)
		if r, ok := record(e); ok && (skip == events.Position{} || skip.Before(r.Position)) {
			records = append(records, r)
		}
	}
}

// slow names the reason when a read ended because its time was up.
func slow(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return fmt.Errorf("%w (%w)", errSlow, err)
	}
	return err
}
