package eventstore_test

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

func TestAResendRepeatsEveryByte(t *testing.T) {
	t.Parallel()
	server := &stub{append: func(call int, s streams.Streams_AppendServer) error {
		switch call {
		case 1:
			return status.Error(codes.Aborted, "Operation timed out")
		case 2:
			return status.Error(codes.Unknown, "Exception was thrown by handler.")
		case 3:
			return success(s, 999) // not where this append could have ended
		case 4:
			return status.Error(codes.Unavailable, "Server Is Not Ready")
		case 5: // no sense at all: the client takes a name that is not there
			s.SetTrailer(metadata.Pairs("exception", "stream-deleted"))
			return status.Error(codes.FailedPrecondition, "deleted")
		default:
			return success(s, 7)
		}
	}}
	s := open(t, startStub(t, server))
	if done := mustAppend(t, s, stream(), 4, proposed(3)); done.Revision != 7 {
		t.Errorf("at revision %d", done.Revision)
	}
	if len(server.appends) != 6 {
		t.Fatalf("sent %d times", len(server.appends))
	}
	for i, again := range server.appends {
		if len(again) != 4 {
			t.Fatalf("sending %d has %d messages", i+1, len(again))
		}
		for j := range again {
			if !proto.Equal(again[j], server.appends[0][j]) {
				t.Errorf("sending %d differs in message %d", i+1, j)
			}
		}
	}
	options := server.appends[0][0].(*streams.AppendReq).GetOptions()
	if _, exact := options.GetExpectedStreamRevision().(*streams.AppendReq_Options_Revision); !exact || options.GetRevision() != 4 {
		t.Errorf("expected %v", options.GetExpectedStreamRevision())
	}
}

func TestARefusalIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			server := &stub{append: func(int, streams.Streams_AppendServer) error { return status.Error(code, "no") }}
			s := open(t, startStub(t, server))
			_, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1))
			if err == nil || errors.Is(err, eventstore.ErrOutcomeUnknown) || errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			if len(server.appends) != 1 {
				t.Errorf("sent %d times", len(server.appends))
			}
		})
	}

	t.Run("a full store says so, also to whoever asks", func(t *testing.T) {
		t.Parallel()
		server := &stub{append: func(int, streams.Streams_AppendServer) error { return status.Error(codes.ResourceExhausted, "no room") }}
		s := open(t, startStub(t, server))
		if err := s.Writable(); err != nil {
			t.Errorf("before: %v", err)
		}
		_, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1))
		if !errors.Is(err, eventstore.ErrFull) || len(server.appends) != 1 {
			t.Errorf("got %v after %d sendings", err, len(server.appends))
		}
		if err := s.Writable(); !errors.Is(err, eventstore.ErrFull) {
			t.Errorf("after: %v", err)
		}
	})

	t.Run("unless an earlier sending may have been carried out", func(t *testing.T) {
		t.Parallel()
		server := &stub{append: func(call int, _ streams.Streams_AppendServer) error {
			if call == 1 {
				return status.Error(codes.Aborted, "Operation timed out")
			}
			return status.Error(codes.PermissionDenied, "no")
		}}
		s := open(t, startStub(t, server))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := s.Append(ctx, stream(), eventstore.NoStream, proposed(1)); !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
	})
}

func TestADeletedStream(t *testing.T) {
	t.Parallel()
	deleted := func(s interface{ SetTrailer(metadata.MD) }) error {
		s.SetTrailer(metadata.Pairs("exception", "stream-deleted", "stream-name", "thing-1"))
		return status.Error(codes.FailedPrecondition, "Event stream 'thing-1' is deleted.")
	}
	server := &stub{
		append: func(_ int, s streams.Streams_AppendServer) error { return deleted(s) },
		read:   func(_ int, s streams.Streams_ReadServer) error { return deleted(s) },
	}
	s := open(t, startStub(t, server))
	if _, err := s.Append(t.Context(), "thing-1", 3, proposed(1)); !errors.Is(err, eventstore.ErrStreamDeleted) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.ReadStream(t.Context(), "thing-1", 0); !errors.Is(err, eventstore.ErrStreamDeleted) {
		t.Errorf("read: %v", err)
	}
}

func TestMoreCallsThanAConnectionCarries(t *testing.T) {
	t.Parallel()
	const calls = 260
	arrived, release := make(chan struct{}, calls), make(chan struct{})
	server := &stub{append: func(_ int, s streams.Streams_AppendServer) error {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-s.Context().Done():
		}
		return success(s, 0)
	}}
	s := open(t, startStub(t, server))
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if _, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1)); err != nil {
				t.Error(err)
			}
		})
	}
	within(t, recovery, "sending them all at once", func() {
		for range calls {
			<-arrived
		}
	})
	close(release)
	all.Wait()
}

func TestAFollowerNamesTheLeader(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leader := &stub{append: func(_ int, s streams.Streams_AppendServer) error { return success(s, 0) }}
	startStub(t, leader, l)
	host, port, _ := net.SplitHostPort(l.Addr().String())
	follower := &stub{append: func(_ int, s streams.Streams_AppendServer) error {
		s.SetTrailer(metadata.Pairs("exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port))
		return status.Error(codes.NotFound, "Leader info available")
	}}
	s := open(t, startStub(t, follower), oneClient)
	mustAppend(t, s, stream(), eventstore.NoStream, proposed(1))
	mustAppend(t, s, stream(), eventstore.NoStream, proposed(1))
	if len(follower.appends) != 1 || len(leader.appends) != 2 {
		t.Errorf("the follower got %d appends, the leader %d", len(follower.appends), len(leader.appends))
	}
}

func TestAReadThatMakesNoSense(t *testing.T) {
	t.Parallel()
	server := &stub{read: func(call int, s streams.Streams_ReadServer) error {
		if call <= 3 {
			return s.Send(caughtUp()) // a read has no such message
		}
		return s.Send(event(3))
	}}
	s := open(t, startStub(t, server))
	if _, err := s.ReadStream(t.Context(), "thing-1", 0); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if records := mustRead(t, s, "thing-1"); len(records) != 1 {
		t.Errorf("%d records", len(records))
	}
}

func TestAReadThatHangsIsBegunAnew(t *testing.T) {
	t.Parallel()
	server := &stub{read: func(call int, s streams.Streams_ReadServer) error {
		if call == 1 {
			<-s.Context().Done()
			return s.Context().Err()
		}
		return s.Send(event(3))
	}}
	s := open(t, startStub(t, server))
	within(t, recovery, "reading", func() {
		if records, err := s.ReadStream(t.Context(), "thing-1", 0); err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
}

func TestASubscriptionThatTheServerForgot(t *testing.T) {
	t.Parallel()
	server := &stub{
		// The log goes on, as a reader sees.
		read: func(_ int, s streams.Streams_ReadServer) error { return s.Send(event(5)) },
		subscribe: func(call int, r *streams.ReadReq_Options, s streams.Streams_ReadServer) error {
			var messages []*streams.ReadResp
			switch p := r.GetAll().GetPosition(); {
			case call == 1 && r.GetAll().GetStart() != nil:
				messages = []*streams.ReadResp{confirmation(), event(3), caughtUp(), checkpoint(math.MaxUint64)}
			case call == 2 && p.GetCommitPosition() == 3 && p.GetPreparePosition() == 3:
				messages = []*streams.ReadResp{confirmation(), event(3), event(5), event(5), caughtUp()}
			default:
				return status.Errorf(codes.InvalidArgument, "call %d from %v", call, p)
			}
			if err := sendAll(s, messages...); err != nil {
				return err
			}
			<-s.Context().Done()
			return s.Context().Err()
		},
	}
	s := open(t, startStub(t, server))
	f := follow(t, s, events.Position{})
	within(t, recovery, "both events", func() {
		got := f.take(t, 2)
		if got[0].Position.Commit != 3 || got[1].Position.Commit != 5 {
			t.Errorf("got %v and %v", got[0].Position, got[1].Position)
		}
	})
	<-f.caught
	<-f.caught
	select {
	case r := <-f.records:
		t.Errorf("and %v", r.Position)
	default:
	}
}

func TestASubscriptionThatIsRefused(t *testing.T) {
	t.Parallel()
	server := &stub{subscribe: func(int, *streams.ReadReq_Options, streams.Streams_ReadServer) error {
		return status.Error(codes.PermissionDenied, "Access Denied")
	}}
	s := open(t, startStub(t, server))
	within(t, recovery, "refusing", func() {
		if err := s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{}); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestASubscriptionThatIsNeverConfirmed(t *testing.T) {
	t.Parallel()
	server := &stub{subscribe: func(call int, _ *streams.ReadReq_Options, s streams.Streams_ReadServer) error {
		if call > 1 {
			if err := sendAll(s, confirmation(), event(3)); err != nil {
				return err
			}
		}
		<-s.Context().Done()
		return s.Context().Err()
	}}
	s := open(t, startStub(t, server))
	f := follow(t, s, events.Position{})
	within(t, recovery, "an event", func() { f.take(t, 1) })
}
