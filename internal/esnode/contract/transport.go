package contract

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func transportCases() []testCase {
	return []testCase{
		{"2.0", "version_is_three_numbers_and_24_or_later", func(t *testing.T, s *server) {
			methods, err := s.features.GetSupportedMethods(testContext(t), &shared.Empty{})
			if err != nil {
				t.Fatal(err)
			}
			if version := methods.GetEventStoreServerVersion(); !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
				t.Errorf("version %q", version)
			}
			version, err := s.client.GetServerVersion()
			if err != nil {
				t.Fatal(err)
			}
			if version.Major < 24 {
				t.Errorf("the client reads version %v", version)
			}
		}},
		{"2.0", "supported_methods_are_in_lower_case", func(t *testing.T, s *server) {
			methods, err := s.features.GetSupportedMethods(testContext(t), &shared.Empty{})
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, m := range methods.GetMethods() {
				if !lowerCase(m.GetServiceName()) || !lowerCase(m.GetMethodName()) {
					t.Errorf("%s/%s", m.GetServiceName(), m.GetMethodName())
				}
				found[m.GetServiceName()+"/"+m.GetMethodName()] = true
			}
			for _, method := range []string{"read", "append", "delete", "tombstone"} {
				if !found["event_store.client.streams.streams/"+method] {
					t.Errorf("%s is not announced", method)
				}
			}
		}},
		{"2.0", "gossip_knows_a_living_leader", func(t *testing.T, s *server) {
			cluster, err := s.gossip.Read(testContext(t), &shared.Empty{})
			if err != nil {
				t.Fatal(err)
			}
			leaders := 0
			for _, m := range cluster.GetMembers() {
				if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
					leaders++
				}
			}
			if leaders != 1 {
				t.Errorf("%d living leaders in %v", leaders, cluster)
			}
		}},
		{"2.0", "deleted_stream_is_told_in_trailers", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.mustTombstone()
			_, trailers, err := st.send(expectAny, proposed(st.id("1"), "contract.happened", nil))
			wantStatus(t, err, codes.FailedPrecondition, "Event stream '"+st.name+"' is deleted.")
			wantTrailer(t, trailers, "exception", "stream-deleted")
			wantTrailer(t, trailers, "stream-name", st.name)
			_, trailers, err = st.ask(st.readRequest())
			wantStatus(t, err, codes.FailedPrecondition, "Event stream '"+st.name+"' is deleted.")
			wantTrailer(t, trailers, "exception", "stream-deleted")
		}},
		{"2.0", "unset_choices_are_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			for name, spoil := range map[string]func(*streams.ReadReq_Options){
				"stream": func(o *streams.ReadReq_Options) { o.StreamOption = nil },
				"count":  func(o *streams.ReadReq_Options) { o.CountOption = nil },
				"filter": func(o *streams.ReadReq_Options) { o.FilterOption = nil },
				"uuid":   func(o *streams.ReadReq_Options) { o.UuidOption = nil },
			} {
				options := st.readRequest()
				spoil(options)
				if _, _, err := st.ask(options); status.Code(err) != codes.InvalidArgument {
					t.Errorf("no %s option: %v", name, err)
				}
			}
			_, _, err := st.send(expectNothing, proposed(st.id("0"), "contract.happened", nil))
			wantStatus(t, err, codes.InvalidArgument, "")
		}},
		{"2.0", "subscription_backwards_is_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			options := st.readRequest()
			options.ReadDirection = streams.ReadReq_Options_Backwards
			options.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
			_, _, err := st.ask(options)
			wantStatus(t, err, codes.InvalidArgument, "")
		}},
		{"2.0", "many_calls_at_once_on_one_connection", func(t *testing.T, s *server) {
			var group sync.WaitGroup
			failures := make(chan error, 64)
			for i := range cap(failures) {
				st := s.stream(t)
				group.Go(func() {
					if _, err := st.append(noStream, st.event(fmt.Sprint(i))); err != nil {
						failures <- err
					}
				})
			}
			group.Wait()
			close(failures)
			for err := range failures {
				t.Error(err)
			}
		}},
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

func wantTrailer(t *testing.T, trailers metadata.MD, key, value string) {
	t.Helper()
	if got := trailers.Get(key); len(got) != 1 || got[0] != value {
		t.Fatalf("trailer %s is %q, want %q", key, got, value)
	}
}

func resultCases() []testCase {
	return []testCase{
		{"2.1", "result_is_the_last_event_of_the_append", func(t *testing.T, s *server) {
			st := s.stream(t)
			result := st.write(noStream, 2, "0", "1", "2")
			events := st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, 10, "0", "1", "2")
			last := events[2].Event
			if result.CommitPosition != last.Position.Commit || result.PreparePosition != last.Position.Prepare {
				t.Errorf("answered %d/%d, stored at %v", result.CommitPosition, result.PreparePosition, last.Position)
			}
		}},
		{"2.1", "positions_grow_and_commit_equals_prepare", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.write(at(1), 2, "2")
			var before uint64
			for _, e := range st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, 10, "0", "1", "2") {
				p := e.Event.Position
				if p.Commit != p.Prepare || p.Commit <= before {
					t.Errorf("position %v after %d", p, before)
				}
				before = p.Commit
			}
		}},
		{"2.1", "repeat_answers_with_the_original_place", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.write(noStream, 0, "0")
			st.write(at(0), 1, "1")
			if again := st.write(noStream, 0, "0"); *again != *first {
				t.Errorf("first %+v, again %+v", first, again)
			}
		}},
		{"2.1", "repeat_of_hidden_events_has_no_position", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.setMetadata(`{"$tb":1}`)
			got := st.mustSend(expectNoStream, proposed(st.id("0"), "contract.happened", nil)).GetSuccess()
			if got.GetCurrentRevision() != 0 || got.GetPosition() != nil {
				t.Errorf("answer %v", got)
			}
		}},
		{"2.1", "wrong_version_names_current_and_expected", func(t *testing.T, s *server) {
			st := s.stream(t)
			message := proposed(st.id("x"), "contract.happened", nil)
			missing := st.mustSend(expectRevision(5), message).GetWrongExpectedVersion()
			if missing.GetCurrentNoStream() == nil || missing.GetNoStream_20_6_0() == nil || missing.GetExpectedRevision() != 5 || missing.GetExpectedRevision_20_6_0() != 5 {
				t.Errorf("missing stream: %v", missing)
			}
			st.write(noStream, 1, "0", "1")
			existing := st.mustSend(expectNoStream, message).GetWrongExpectedVersion()
			if existing.GetCurrentRevision() != 1 || existing.GetCurrentRevision_20_6_0() != 1 || existing.GetExpectedNoStream() == nil ||
				existing.GetExpectedRevision_20_6_0() != ^uint64(0) {
				t.Errorf("existing stream: %v", existing)
			}
			absent := s.stream(t)
			if got := absent.mustSend(expectExists, message).GetWrongExpectedVersion(); got.GetExpectedStreamExists() == nil {
				t.Errorf("stream exists: %v", got)
			}
		}},
		{"2.1", "success_means_readable", func(t *testing.T, s *server) {
			st := s.stream(t)
			result := st.write(noStream, 0, "0")
			st.holds("0")
			from := esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition}
			if found := only(s.log(t, from), st.name); len(found) != 1 {
				t.Errorf("$all holds %d of 1 event", len(found))
			}
		}},
		{"2.1", "one_revision_has_one_winner", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			var group sync.WaitGroup
			won := make(chan string, 16)
			for i := range cap(won) {
				label := fmt.Sprintf("rival %d", i)
				group.Go(func() {
					if _, err := st.append(at(0), st.event(label)); err == nil {
						won <- label
					}
				})
			}
			group.Wait()
			close(won)
			winner := <-won
			if _, second := <-won; second {
				t.Fatal("two appends won the same revision")
			}
			st.holds("0", winner)
		}},
	}
}
