package contract

import (
	"fmt"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
)

func streamSubscriptionCases() []testCase {
	return []testCase{
		{"2.9", "stream_history_then_caught_up_then_live", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			f := st.follow(esdb.Start{})
			f.events(st, "0", "1")
			f.caughtUp()
			st.write(at(1), 3, "2", "3")
			f.events(st, "2", "3")
			st.write(at(3), 4, "4")
			f.events(st, "4")
		}},
		{"2.9", "stream_revision_is_exclusive", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 2, "0", "1", "2")
			f := st.follow(at(1))
			f.events(st, "2")
			f.caughtUp()
		}},
		{"2.9", "stream_end_means_only_new_events", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			f := st.follow(esdb.End{})
			f.caughtUp()
			st.write(at(1), 2, "2")
			f.events(st, "2")
		}},
		{"2.9", "stream_beyond_the_end_suppresses_up_to_there", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			f := st.follow(at(2))
			f.caughtUp()
			st.write(at(0), 1, "1")
			st.write(at(1), 2, "2")
			st.write(at(2), 3, "3")
			f.events(st, "3")
		}},
		{"2.9", "stream_that_is_missing_is_waited_for", func(t *testing.T, s *server) {
			st := s.stream(t)
			f := st.follow(esdb.Start{})
			f.caughtUp()
			st.write(noStream, 0, "0")
			f.events(st, "0")
		}},
		{"2.9", "stream_that_is_deleted_is_waited_for", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			f := st.follow(esdb.Start{})
			f.caughtUp()
			st.write(noStream, 2, "2")
			f.events(st, "2")
		}},
		{"2.9", "stream_tombstoned_while_live", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			f := st.follow(esdb.Start{})
			f.events(st, "0")
			f.caughtUp()
			st.mustTombstone()
			if e := f.next().EventAppeared; e == nil || e.Event.EventType != "$streamDeleted" {
				t.Fatalf("got %+v, want the tombstone", e)
			}
			wantStatus(t, f.dropped(), codes.FailedPrecondition, "Event stream '"+st.name+"' is deleted.")
		}},
		{"2.9", "stream_metadata_hides_history_and_not_the_new", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":2}`)
			f := st.follow(esdb.Start{})
			f.events(st, "3", "4")
			f.caughtUp()
			st.write(at(4), 7, "5", "6", "7")
			f.events(st, "5", "6", "7")
		}},
		{"2.9", "metastream_can_be_followed", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.setMetadata(`{"n":0}`)
			st.setMetadata(`{"n":1}`)
			f := st.metastream().follow(esdb.Start{})
			if e := f.next().EventAppeared; e == nil || e.Event.EventNumber != 1 {
				t.Fatalf("got %+v, want the newest metadata", e)
			}
			f.caughtUp()
			st.setMetadata(`{"n":2}`)
			if e := f.next().EventAppeared; e == nil || e.Event.EventNumber != 2 {
				t.Fatalf("got %+v, want the new metadata", e)
			}
		}},
		{"2.9", "confirmation_comes_first_and_is_a_guid", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			for _, options := range []*streams.ReadReq_Options{st.readRequest(), st.allRequest()} {
				options.CountOption = toSubscribe()
				call, err := s.streams.Read(st.ctx, &streams.ReadReq{Options: options})
				if err != nil {
					t.Fatal(err)
				}
				first, err := call.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := uuid.Parse(first.GetConfirmation().GetSubscriptionId()); err != nil {
					t.Errorf("first message %v", first)
				}
			}
		}},
		{"2.9", "stream_messages_come_in_order", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			call := st.subscribeRaw(st.readRequest())
			next := func() *streams.ReadResp {
				t.Helper()
				answer, err := call.Recv()
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}
			for revision := range uint64(2) {
				if got := next(); got.GetEvent() == nil || got.GetEvent().GetEvent().GetStreamRevision() != revision {
					t.Fatalf("got %v, want revision %d", got, revision)
				}
			}
			if got := next(); got.GetCaughtUp() == nil {
				t.Fatalf("got %v, want CaughtUp", got)
			}
			st.write(at(1), 2, "2")
			if got := next(); got.GetEvent().GetEvent().GetStreamRevision() != 2 {
				t.Fatalf("got %v, want revision 2", got)
			}
		}},
		{"2.9", "stream_of_a_metadata_event_only_is_waited_for", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.setMetadata(`{"custom":1}`)
			for _, from := range []esdb.StreamPosition{esdb.Start{}, esdb.End{}} {
				f := st.follow(from)
				f.caughtUp()
				defer f.events(st, "0")
			}
			st.write(noStream, 0, "0")
		}},
		{"2.9", "stream_deleted_while_live_goes_on_when_it_is_back", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			f := st.follow(esdb.Start{})
			f.events(st, "0", "1")
			f.caughtUp()
			st.mustDelete(anyRevision)
			st.write(noStream, 2, "2")
			f.events(st, "2")
		}},
		{"2.9", "stream_tombstoned_before_is_refused_without_confirmation", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.mustTombstone()
			options := st.readRequest()
			options.CountOption = toSubscribe()
			answers, _, err := st.ask(options)
			wantStatus(t, err, codes.FailedPrecondition, "Event stream '"+st.name+"' is deleted.")
			if len(answers) != 0 {
				t.Errorf("before the refusal came %v", answers)
			}
		}},
		{"2.9", "stream_slow_consumer_loses_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			f := st.follow(esdb.Start{})
			f.caughtUp()
			f.events(st, st.flood()...)
		}},
		{"2.9", "all_slow_consumer_loses_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: s.here(t)}, st)
			f.caughtUp()
			f.events(st, st.flood()...)
		}},
	}
}

// flood writes far more than any buffer between a server and a client that does not receive can hold, and
// returns its labels.
func (st stream) flood() (labels []string) {
	st.t.Helper()
	const batches, size = 15, 20
	expected := esdb.ExpectedRevision(noStream)
	for batch := range batches {
		var events []esdb.EventData
		for i := range size {
			label := fmt.Sprint(batch*size + i)
			e := st.event(label)
			e.Metadata = make([]byte, 40<<10)
			labels, events = append(labels, label), append(events, e)
		}
		result, err := st.append(expected, events...)
		if err != nil {
			st.t.Fatal(err)
		}
		expected = at(result.NextExpectedVersion)
	}
	return labels
}

func allSubscriptionCases() []testCase {
	return []testCase{
		{"2.9", "all_history_then_caught_up_then_live", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			st.write(noStream, 1, "0", "1")
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: before}, st)
			f.events(st, "0", "1")
			f.caughtUp()
			st.write(at(1), 2, "2")
			f.events(st, "2")
		}},
		{"2.9", "all_position_is_exclusive_and_compares_pairs", func(t *testing.T, s *server) {
			st := s.stream(t)
			p := positionOf(st.write(noStream, 0, "0"))
			st.write(at(0), 1, "1")
			s.followAll(t, esdb.SubscribeToAllOptions{From: p}, st).events(st, "1")
			s.followAll(t, esdb.SubscribeToAllOptions{From: esdb.Position{Commit: p.Commit}}, st).events(st, "0", "1")
		}},
		{"2.9", "all_end_means_only_new_events", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: esdb.End{}}, st)
			st.write(at(0), 1, "1")
			f.events(st, "1")
		}},
		{"2.9", "all_resumes_without_loss_or_repeat", func(t *testing.T, s *server) {
			st := s.stream(t)
			from := s.here(t)
			expected := esdb.ExpectedRevision(noStream)
			var labels []string
			for i := range 60 {
				label := fmt.Sprint(i)
				st.write(expected, uint64(i), label)
				labels, expected = append(labels, label), at(uint64(i))
			}
			for len(labels) > 0 {
				f := s.followAll(t, esdb.SubscribeToAllOptions{From: from}, st)
				part := labels[:min(7, len(labels))]
				got := f.events(st, part...)
				from = got[len(got)-1].OriginalEvent().Position
				labels = labels[len(part):]
			}
		}},
		{"2.9", "all_is_strictly_increasing_from_history_to_live", func(t *testing.T, s *server) {
			st := s.stream(t)
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: s.here(t)})
			done := make(chan error, 1)
			const total = 300
			go func() {
				expected := esdb.ExpectedRevision(noStream)
				for i := range uint64(total) {
					if _, err := st.append(expected, st.event(fmt.Sprint(i))); err != nil {
						done <- err
						return
					}
					expected = at(i)
				}
				done <- nil
			}()
			var before, seen uint64
			for seen < total {
				e := f.next().EventAppeared
				if e == nil {
					continue
				}
				if p := e.OriginalEvent().Position.Commit; p <= before {
					t.Fatalf("position %d after %d", p, before)
				} else {
					before = p
				}
				if e.OriginalEvent().StreamID == st.name {
					if e.OriginalEvent().EventNumber != seen {
						t.Fatalf("revision %d, want %d", e.OriginalEvent().EventNumber, seen)
					}
					seen++
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}},
		{"2.9", "all_beyond_the_end_is_caught_up_at_once", func(t *testing.T, s *server) {
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: esdb.Position{Commit: math.MaxInt64, Prepare: math.MaxInt64}})
			f.caughtUp()
		}},
		{"2.9", "all_beyond_the_end_suppresses_up_to_there", func(t *testing.T, s *server) {
			st := s.stream(t)
			p := positionOf(st.write(noStream, 0, "0")).Commit + 10_000
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: esdb.Position{Commit: p, Prepare: p}}, st)
			f.caughtUp()
			var want []string
			expected := at(0)
			for i := uint64(1); len(want) < 2; i++ {
				e := st.event(fmt.Sprint(i))
				e.Metadata = make([]byte, 4000)
				result, err := st.append(expected, e)
				if err != nil {
					t.Fatal(err)
				}
				if result.CommitPosition > p {
					want = append(want, fmt.Sprint(i))
				}
				expected = at(i)
			}
			f.events(st, want...)
		}},
		{"2.9", "all_start_is_the_first_event_of_the_log", func(t *testing.T, s *server) {
			st := s.stream(t)
			options := st.allRequest()
			options.CountOption = counted(1)
			first := st.mustAsk(options)[0].GetEvent().GetCommitPosition()
			got, err := st.subscribeRaw(st.allRequest()).Recv()
			if err != nil || got.GetEvent().GetCommitPosition() != first || first == 0 {
				t.Errorf("got %v, %v, want the event at %d", got, err, first)
			}
		}},
		{"2.9", "all_filtered_is_marked_before_it_is_caught_up", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			st.write(noStream, 1, "0", "1")
			options := st.allRequest()
			options.StreamOption = allFrom(before.Commit, before.Prepare)
			options.FilterOption = streamFilter(st.name)
			call := st.subscribeRaw(options)
			var events int
			var last *streams.ReadResp
			for {
				answer, err := call.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if answer.GetCaughtUp() != nil {
					break
				}
				if answer.GetEvent() != nil {
					events++
				}
				last = answer
			}
			if events != 2 || last.GetCheckpoint() == nil {
				t.Errorf("%d of 2 events, and then %v before CaughtUp, want a checkpoint", events, last)
			}
		}},
		{"2.9", "checkpoints_only_with_a_filter", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			st.write(noStream, 0, "0")
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: before, CheckpointInterval: 1, MaxSearchWindow: 1}, st)
			for {
				message := f.next()
				if message.CheckPointReached != nil {
					t.Fatal("an unfiltered subscription got a checkpoint")
				}
				if message.CaughtUp != nil {
					return
				}
			}
		}},
	}
}
