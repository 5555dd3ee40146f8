package contract

import (
	"context"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func statusCases() []testCase {
	return []testCase{
		{"2.0", "deleted_stream_is_told_in_trailers", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.mustTombstone()
			subscription := st.readRequest()
			subscription.CountOption = toSubscribe()
			for name, call := range map[string]func() (told, error){
				"append": func() (told, error) {
					_, answer, err := st.send(expectAny, proposed(st.id("1"), "contract.happened", nil))
					return answer, err
				},
				"read":      func() (told, error) { _, answer, err := st.ask(st.readRequest()); return answer, err },
				"subscribe": func() (told, error) { _, answer, err := st.ask(subscription); return answer, err },
				"delete":    func() (told, error) { return st.deleteRaw(0) },
				"tombstone": func() (told, error) { return st.tombstoneRaw(0) },
			} {
				answer, err := call()
				if got, want := status.Convert(err), "Event stream '"+st.name+"' is deleted."; got.Code() != codes.FailedPrecondition || got.Message() != want {
					t.Errorf("%s: got %v, want %s", name, err, want)
				}
				answer.says(t, "exception", "stream-deleted")
				answer.says(t, "stream-name", st.name)
			}
		}},
		{"2.0", "deletion_at_the_wrong_revision_is_told_in_trailers", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			for _, call := range []func(uint64) (told, error){st.deleteRaw, st.tombstoneRaw} {
				answer, err := call(3)
				wantStatus(t, err, codes.FailedPrecondition,
					"Delete failed due to WrongExpectedVersion. Stream: "+st.name+", Expected version: 3, Actual version: 4")
				answer.says(t, "exception", "wrong-expected-version")
				answer.says(t, "stream-name", st.name)
				answer.says(t, "expected-version", "3")
				answer.says(t, "actual-version", "4")
			}
			missing := s.stream(t)
			answer, err := missing.deleteRaw(3)
			wantStatus(t, err, codes.FailedPrecondition, "")
			answer.says(t, "exception", "wrong-expected-version")
			answer.says(t, "actual-version", "-1")
		}},
		{"2.0", "unset_choices_are_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			for name, spoil := range map[string]func(*streams.ReadReq_Options){
				"stream": func(o *streams.ReadReq_Options) { o.StreamOption = nil },
				"count":  func(o *streams.ReadReq_Options) { o.CountOption = nil },
				"filter": func(o *streams.ReadReq_Options) { o.FilterOption = nil },
			} {
				options := st.readRequest()
				spoil(options)
				if _, _, err := st.ask(options); status.Code(err) != codes.InvalidArgument {
					t.Errorf("a read without %s option: %v", name, err)
				}
			}
			_, _, err := st.send(expectNothing, proposed(st.id("0"), "contract.happened", nil))
			wantStatus(t, err, codes.InvalidArgument, "")
			named := &shared.StreamIdentifier{StreamName: []byte(st.name)}
			_, err = s.streams.Delete(st.ctx, &streams.DeleteReq{Options: &streams.DeleteReq_Options{StreamIdentifier: named}})
			wantStatus(t, err, codes.InvalidArgument, "")
			_, err = s.streams.Tombstone(st.ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{StreamIdentifier: named}})
			wantStatus(t, err, codes.InvalidArgument, "")
		}},
		{"2.0", "combinations_that_make_no_sense_are_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			for name, options := range map[string]*streams.ReadReq_Options{"stream": st.readRequest(), "$all": st.allRequest()} {
				options.ReadDirection = streams.ReadReq_Options_Backwards
				options.CountOption = toSubscribe()
				if _, _, err := st.ask(options); status.Code(err) != codes.InvalidArgument {
					t.Errorf("a subscription to %s backwards: %v", name, err)
				}
			}
			for name, count := range map[string]func(*streams.ReadReq_Options){
				"read":         func(*streams.ReadReq_Options) {},
				"subscription": func(o *streams.ReadReq_Options) { o.CountOption = toSubscribe() },
			} {
				options := st.readRequest()
				options.FilterOption = streamFilter(st.name)
				count(options)
				if _, _, err := st.ask(options); status.Code(err) != codes.InvalidArgument {
					t.Errorf("a %s of a stream with a filter: %v", name, err)
				}
			}
		}},
		// Section 1.4: what of all that the official client passes on.
		{"2.0", "errors_as_the_client_shows_them", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			big := st.event("big")
			big.Data = make([]byte, 2<<20)
			// The reason is lost when the server answers before the client has sent everything.
			_, err := st.append(at(0), big)
			st.failed(err, esdb.ErrorCodeUnknown)
			st.holds("0")
			for name, deletion := range map[string]func(esdb.ExpectedRevision) (*esdb.DeleteResult, error){"delete": st.delete, "tombstone": st.tombstone} {
				_, err := deletion(at(7))
				st.failed(err, esdb.ErrorCodeUnknown)
				if !isStatus(err, codes.FailedPrecondition) {
					t.Errorf("%s: %v", name, err)
				}
			}
			cancelled, cancel := context.WithCancel(st.ctx)
			cancel()
			_, err = s.client.AppendToStream(cancelled, st.name, esdb.AppendToStreamOptions{ExpectedRevision: at(0)}, st.event("1"))
			st.failed(err, esdb.ErrorCodeUnknown)
			st.holds("0")
		}},
	}
}

// told is what an answer carries beside its body.
type told struct{ headers, trailers metadata.MD }

// says insists on a trailer with exactly this value, and on none in the headers.
func (a told) says(t *testing.T, key, value string) {
	t.Helper()
	if got := a.trailers.Get(key); len(got) != 1 || got[0] != value {
		t.Errorf("trailer %s is %q, want %q", key, got, value)
	}
	if got := a.headers.Get(key); len(got) != 0 {
		t.Errorf("%s is in the headers: %q", key, got)
	}
}

func wantStatus(t *testing.T, err error, code codes.Code, message string) {
	t.Helper()
	s, ok := status.FromError(err)
	if !ok || s.Code() != code {
		t.Fatalf("got %v, want %v", err, code)
	}
	if message != "" && s.Message() != message {
		t.Fatalf("message %q, want %q", s.Message(), message)
	}
}

// wantRefused insists on an answer that the contract leaves open between a reason and none.
func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if code := status.Code(err); code != codes.Unknown && code != codes.InvalidArgument && code != codes.PermissionDenied {
		t.Errorf("%s: got %v, want it refused", what, err)
	}
}

// withoutMatch is a text that no stream and no event type begins with.
func withoutMatch() string { return "none-" + uuid.NewString() }
