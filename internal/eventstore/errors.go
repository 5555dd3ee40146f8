package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/fault"
)

// What a caller may have to tell apart, by errors.Is.
var (
	// ErrUnavailable says that the store is away. An append that fails with it
	// was not sent.
	ErrUnavailable = fault.New(fault.Unavailable, "event_store_unavailable",
		"The event store cannot be reached; try again in a moment.").After(time.Second)
	// ErrOutcomeUnknown says that an append was sent and that it could not be
	// learned in time whether it was written.
	ErrOutcomeUnknown = fault.New(fault.Unknown, "outcome_unknown",
		"Whether the change was recorded could not be learned in time.")
	// ErrFull says that the store has no room left. Nothing was written.
	ErrFull = fault.New(fault.Unavailable, "event_store_full",
		"The event store has no room left; nothing was recorded. The operator has to make room.").After(10 * time.Second)
	// ErrReadOnly says that the store takes no more writes until somebody has looked
	// at it, as after its disk failed. Nothing was written.
	ErrReadOnly = fault.New(fault.Unavailable, "event_store_read_only",
		"The event store takes no more writes; nothing was recorded. The operator has to look at it.").After(10 * time.Second)
	// ErrTooLarge says that a batch exceeds [MaxAppendSize]; it was not sent.
	ErrTooLarge = fault.New(fault.TooLarge, "events_too_large",
		"The change is too large to be recorded at once.")
	// ErrWrongRevision says that the stream is not at the expected revision.
	// Nothing was written: decide again.
	ErrWrongRevision = errors.New("wrong expected revision")
	// ErrStreamDeleted says that the stream was deleted for ever.
	ErrStreamDeleted = errors.New("stream is deleted")
	// ErrClosed says that the store was closed. Appends and reads wrap it in
	// ErrUnavailable.
	ErrClosed = errors.New("event store is closed")
	// ErrAhead says that the log does not hold what stood at a position to resume
	// after, as after restoring an older backup. Following it would skip events.
	ErrAhead = errors.New("the log does not reach that position")
)

// verdict is what an error of the client says about the call that got it.
type verdict int

const (
	// refused: the store looked at the call and turned it down.
	refused verdict = iota
	// away: nothing is known of the call, because the link or the node failed.
	away
	// unsent: the call was certainly not carried out, and may be elsewhere.
	unsent
)

// judge classifies an error of the client. Codes it does not know count as
// away: for an append, a resend then finds out.
func judge(err error) verdict {
	var e *esdb.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case esdb.ErrorCodeConnectionClosed, esdb.ErrorCodeNotLeader:
			return unsent
		case esdb.ErrorCodeWrongExpectedVersion, esdb.ErrorCodeStreamDeleted,
			esdb.ErrorCodeResourceNotFound, esdb.ErrorCodeParsing:
			return refused
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return away
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated,
		codes.Unimplemented, codes.NotFound, codes.AlreadyExists, codes.OutOfRange, codes.ResourceExhausted:
		return refused
	default:
		return away
	}
}

// isCode sees through wrapping, which esdb.FromError does not.
func isCode(err error, code esdb.ErrorCode) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.IsErrorCode(code)
}

// unavailable is [ErrUnavailable] with its cause.
func unavailable(cause error) error {
	if errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w (%w)", ErrUnavailable, cause)
}
