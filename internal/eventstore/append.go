package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/events"
)

// Revision is the place of an event in its stream, from 0, or [NoStream].
type Revision int64

// NoStream is the revision of a stream without events.
const NoStream Revision = -1

// Appended is where a batch ended up.
type Appended struct {
	// Revision is that of the last event of the batch. After a resend it need
	// not be the head of the stream.
	Revision Revision
	// Position is that of the last event of the batch.
	Position events.Position
}

// MaxAppendSize is the most that one append may hold: data, metadata and twice
// the type of each event, summed up.
const MaxAppendSize = 1 << 20

const (
	// appendTimeout bounds an append with all its resends.
	appendTimeout = 10 * time.Second
	// attemptTimeout bounds one sending, so that a link that went silent is
	// left for another while there is time. The server gives up after 2 s.
	attemptTimeout = 2500 * time.Millisecond
)

// Append writes all of batch to stream if its last revision is exactly
// expected, or nothing. A batch that is already there, right after expected and
// with the same ids, counts as written.
//
// It fails with [ErrWrongRevision], [ErrStreamDeleted], [ErrTooLarge], [ErrFull] or [ErrReadOnly] when
// nothing was written, with [ErrUnavailable] when nothing was sent, and with
// [ErrOutcomeUnknown] when the batch was sent and resending it brought no
// answer before ctx ended or ten seconds had passed. Other errors mean that the
// store refused the batch.
func (s *Store) Append(ctx context.Context, stream string, expected Revision, batch []events.Proposed) (Appended, error) {
	data, err := proposal(stream, expected, batch)
	if err != nil {
		s.metrics.appends.WithLabelValues(outcomeRejected).Inc()
		return Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	begun := time.Now()
	done, outcome, err := s.resend(ctx, stream, expected, data)
	s.metrics.appendTime.Observe(time.Since(begun).Seconds())
	s.metrics.appends.WithLabelValues(outcome).Inc()
	if err != nil {
		return Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	return done, nil
}

// resend sends the same append until its outcome is known or time is up.
func (s *Store) resend(ctx context.Context, stream string, expected Revision, data []esdb.EventData) (Appended, string, error) {
	until := time.Now().Add(appendTimeout)
	unknown := false // a sending may have been carried out
	for wait := (backoff{}); ; {
		done, begun, err := s.send(ctx, until, stream, expected, data)
		switch {
		case err == nil:
			return done, outcomeCommitted, nil
		case isCode(err, esdb.ErrorCodeWrongExpectedVersion):
			// Also after an unknown sending: the batch is not where it had to
			// be, and the stream has moved past that place for good.
			return Appended{}, outcomeRejected, ErrWrongRevision
		case begun && !unknown && judge(err) == refused:
			return Appended{}, outcomeRejected, s.refusal(err)
		case begun && judge(err) == away:
			unknown = true
		}
		if (unknown || begun) && !errors.Is(err, ErrClosed) && wait.sleep(ctx) && time.Now().Before(until) {
			s.metrics.resends.Inc()
			continue
		}
		if unknown {
			return Appended{}, outcomeUnknown, fmt.Errorf("%w (%w)", ErrOutcomeUnknown, err)
		}
		return Appended{}, outcomeUnavailable, unavailable(err)
	}
}

// refusal names a refusal that callers tell apart.
func (s *Store) refusal(err error) error {
	switch {
	case isCode(err, esdb.ErrorCodeStreamDeleted):
		return ErrStreamDeleted
	case status.Code(err) == codes.ResourceExhausted:
		return s.closedTo(ErrFull, err)
	case status.Code(err) == codes.FailedPrecondition:
		return s.closedTo(ErrReadOnly, err)
	}
	return err
}

// unwritable is why, and when, the store last refused to write at all.
type unwritable struct {
	why error
	at  time.Time
}

func (s *Store) closedTo(why, cause error) error {
	s.unwritable.Store(&unwritable{why, time.Now()})
	return fmt.Errorf("%w (%w)", why, cause)
}

// unwritableFor is how long the store counts as closed to writes after it said so:
// long enough for a probe to notice, and no longer, since only the next append finds
// out.
const unwritableFor = 10 * time.Second

// Writable fails with [ErrFull] or [ErrReadOnly] when an append was refused for that
// reason within the last ten seconds.
func (s *Store) Writable() error {
	if last := s.unwritable.Load(); last != nil && time.Since(last.at) < unwritableFor {
		return last.why
	}
	return nil
}

// send sends an append once. begun is false if nothing can have left.
func (s *Store) send(ctx context.Context, until time.Time, stream string, expected Revision, data []esdb.EventData) (Appended, bool, error) {
	now := time.Now()
	limit := min(attemptTimeout, until.Sub(now))
	later := limit + 2*grace // the client's own deadline has no grace, so it comes after ours
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}, Deadline: &later}
	if expected != NoStream {
		opts.ExpectedRevision = esdb.Revision(uint64(expected))
	}
	result, begun, err := s.pool.call(ctx, now.Add(limit), func(ctx context.Context, c *esdb.Client) (any, error) {
		return c.AppendToStream(ctx, stream, opts, data...)
	})
	if err != nil {
		return Appended{}, begun, err
	}
	written := result.(*esdb.WriteResult)
	done := Appended{
		Revision: Revision(written.NextExpectedVersion),
		Position: events.Position{Commit: written.CommitPosition, Prepare: written.PreparePosition},
	}
	if want := expected + Revision(len(data)); done.Revision != want {
		return Appended{}, true, fmt.Errorf("the store answered revision %d instead of %d", done.Revision, want)
	}
	return done, true, nil
}

// proposal checks an append and brings it into the client's form, once: every
// sending repeats the same bytes.
func proposal(stream string, expected Revision, batch []events.Proposed) ([]esdb.EventData, error) {
	switch {
	case stream == "" || stream == "$all":
		return nil, errors.New("a stream needs a name of its own")
	case expected < NoStream:
		return nil, fmt.Errorf("expected revision %d: want %d or more", expected, NoStream)
	case len(batch) == 0:
		return nil, errors.New("nothing to append")
	}
	data := make([]esdb.EventData, len(batch))
	size := 0
	for i, e := range batch {
		if e.ID == uuid.Nil || e.Type == "" {
			return nil, fmt.Errorf("event %d has no id or no type", i)
		}
		size += len(e.Data) + len(e.Metadata) + 2*len(e.Type)
		data[i] = esdb.EventData{
			EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: e.Metadata,
		}
		if e.Binary {
			data[i].ContentType = esdb.ContentTypeBinary
		}
	}
	if size > MaxAppendSize {
		return nil, fmt.Errorf("%w (%d bytes of %d)", ErrTooLarge, size, MaxAppendSize)
	}
	return data, nil
}
