package contract

import (
	"fmt"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func forwards(from esdb.StreamPosition) esdb.ReadStreamOptions {
	return esdb.ReadStreamOptions{Direction: esdb.Forwards, From: from}
}

func backwards(from esdb.StreamPosition) esdb.ReadStreamOptions {
	return esdb.ReadStreamOptions{Direction: esdb.Backwards, From: from}
}

func streamReadCases() []testCase {
	return []testCase{
		{"2.5", "missing_stream_is_not_found", func(t *testing.T, s *server) {
			s.stream(t).missing()
			bare := s.stream(t)
			bare.setMetadata(`{"custom":1}`)
			bare.missing()
		}},
		{"2.5", "forwards_is_inclusive_and_counted", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			st.reads(forwards(esdb.Start{}), 2, "0", "1")
			st.reads(forwards(at(2)), 2, "2", "3")
			st.reads(forwards(at(4)), 10, "4")
			st.reads(forwards(at(5)), 10)
		}},
		{"2.5", "backwards_is_inclusive_and_counted", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			st.reads(backwards(esdb.End{}), 2, "4", "3")
			st.reads(backwards(at(2)), 10, "2", "1", "0")
			st.reads(backwards(at(99)), 1, "4")
			st.reads(backwards(esdb.Start{}), 10, "0")
		}},
		{"2.5", "long_streams_come_whole_and_in_order", func(t *testing.T, s *server) {
			st := s.stream(t)
			const size = 1500
			labels := make([]string, size)
			for i := range labels {
				labels[i] = fmt.Sprint(i)
			}
			st.write(noStream, size-1, labels...)
			events := st.reads(forwards(esdb.Start{}), unlimited, labels...)
			for i, number := range revisions(events) {
				if number != uint64(i) {
					t.Fatalf("event %d has revision %d", i, number)
				}
			}
			back, err := st.read(backwards(esdb.End{}), unlimited)
			if err != nil || len(back) != size || back[0].Event.EventNumber != size-1 || back[size-1].Event.EventNumber != 0 {
				t.Fatalf("backwards: %d events, %v", len(back), err)
			}
		}},
		{"2.5", "count_zero_is_refused", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			options := st.readRequest()
			options.CountOption = counted(0)
			_, _, err := st.ask(options)
			if code := status.Code(err); code != codes.Unknown && code != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		}},
		{"2.5", "forwards_from_the_end_is_empty_or_an_error", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			options := st.readRequest()
			options.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
			answers, _, err := st.ask(options)
			if code := status.Code(err); len(answers) != 0 || code != codes.OK && code != codes.Unknown {
				t.Errorf("got %v, %v", answers, err)
			}
		}},
		{"2.5", "hidden_events_are_missing_from_both_ends", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$tb":2}`)
			st.reads(backwards(esdb.Start{}), 10)
			st.reads(backwards(at(1)), 10)
			st.reads(backwards(at(3)), 10, "3", "2")
			st.reads(backwards(esdb.End{}), 2, "4", "3")
			st.reads(forwards(esdb.Start{}), 1, "2")
			st.reads(forwards(at(0)), 2, "2", "3")
			// A stream of which everything is hidden is there, and empty.
			st.setMetadata(`{"$tb":5}`)
			st.reads(backwards(esdb.End{}), 10)
			st.reads(forwards(esdb.Start{}), 10)
		}},
	}
}

func allReadCases() []testCase {
	return []testCase{
		{"2.6", "order_of_appends_across_streams", func(t *testing.T, s *server) {
			a, b := s.stream(t), s.stream(t)
			before := s.here(t)
			first := a.write(noStream, 1, "0", "1")
			b.write(noStream, 0, "0")
			a.write(at(1), 2, "2")
			found := only(s.log(t, before), a.name, b.name)
			want := append(append(a.ids("0", "1"), b.ids("0")...), a.ids("2")...)
			if diff := cmp.Diff(want, ids(found)); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if at := found[1].Event.Position; at != positionOf(first) {
				t.Errorf("position %v, answered %v", at, positionOf(first))
			}
		}},
		{"2.6", "appends_are_contiguous", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			st.write(noStream, 3, "0", "1", "2", "3")
			log := s.log(t, before)
			for i, e := range log {
				if e.Event.EventID != st.id("0") {
					continue
				}
				if diff := cmp.Diff(st.ids("0", "1", "2", "3"), ids(log[i:i+4])); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
				return
			}
			t.Error("the append is not in the log")
		}},
		{"2.6", "forwards_is_inclusive_and_compares_pairs", func(t *testing.T, s *server) {
			st := s.stream(t)
			p := positionOf(st.write(noStream, 0, "0")).Commit
			st.write(at(0), 1, "1")
			for _, c := range []struct {
				commit, prepare uint64
				first           string
			}{{p, p, "0"}, {p, 0, "0"}} {
				options := st.allRequest()
				options.StreamOption = allFrom(c.commit, c.prepare)
				options.CountOption = counted(1)
				answers := st.mustAsk(options)
				if len(answers) != 1 || answers[0].GetEvent().GetCommitPosition() != p {
					t.Errorf("from %d/%d: %v", c.commit, c.prepare, answers)
				}
			}
			options := st.allRequest()
			options.StreamOption = allFrom(p, p+1)
			_, _, err := st.ask(options)
			wantStatus(t, err, codes.Unknown, "")
		}},
		{"2.6", "backwards_is_exclusive", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			p := positionOf(st.write(at(0), 1, "1"))
			before := p
			var seen []*esdb.ResolvedEvent
			s.walk(t, esdb.ReadAllOptions{Direction: esdb.Backwards, From: p}, func(e *esdb.ResolvedEvent) bool {
				if e.Event.Position.Commit >= before.Commit {
					t.Fatalf("%v after %v", e.Event.Position, before)
				}
				before = e.Event.Position
				seen = append(seen, only([]*esdb.ResolvedEvent{e}, st.name)...)
				return len(seen) == 0
			})
			if diff := cmp.Diff(st.ids("0"), ids(seen)); diff != "" {
				t.Errorf("before %v (-want +got):\n%s", p, diff)
			}
		}},
		{"2.6", "ends_of_the_log", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			read := func(direction esdb.Direction, from esdb.AllPosition, count uint64) int {
				t.Helper()
				found, err := s.client.ReadAll(st.ctx, esdb.ReadAllOptions{Direction: direction, From: from}, count)
				if err != nil {
					t.Fatal(err)
				}
				events, err := drain(found)
				if err != nil {
					t.Fatal(err)
				}
				return len(events)
			}
			if n := read(esdb.Forwards, esdb.End{}, 1); n != 0 {
				t.Errorf("forwards from the end: %d events", n)
			}
			if n := read(esdb.Backwards, esdb.End{}, 1); n != 1 {
				t.Errorf("backwards from the end: %d events", n)
			}
			if n := read(esdb.Backwards, esdb.Start{}, 1); n != 0 {
				t.Errorf("backwards from the start: %d events", n)
			}
			if n := read(esdb.Forwards, esdb.Start{}, 3); n > 3 || n == 0 {
				t.Errorf("forwards from the start: %d events", n)
			}
		}},
		{"2.6", "hiding_does_not_reach_the_log", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := positionOf(st.setMetadata(`{"$maxCount":1,"$tb":2}`))
			st.write(noStream, 2, "0", "1", "2")
			if found := only(s.log(t, before), st.name); len(found) != 3 {
				t.Errorf("%d of 3 events", len(found))
			}
		}},
		{"2.6", "beyond_the_end_and_between_events", func(t *testing.T, s *server) {
			st := s.stream(t)
			p := positionOf(st.write(noStream, 0, "0"))
			ask := func(direction streams.ReadReq_Options_ReadDirection, position uint64) []*streams.ReadResp {
				t.Helper()
				options := st.allRequest()
				options.ReadDirection = direction
				options.StreamOption = allFrom(position, position)
				options.CountOption = counted(1)
				answers, _, err := st.ask(options)
				// A server may insist that a position is that of a record.
				if err != nil {
					wantStatus(t, err, codes.InvalidArgument, "Trying to read from an invalid position.")
					return nil
				}
				return answers
			}
			const beyond = math.MaxInt64
			if answers := ask(streams.ReadReq_Options_Forwards, beyond); len(answers) != 0 {
				t.Errorf("forwards from beyond the end: %v", answers)
			}
			for _, answer := range ask(streams.ReadReq_Options_Backwards, beyond) {
				if answer.GetEvent().GetCommitPosition() < p.Commit {
					t.Errorf("backwards from beyond the end: %v", answer)
				}
			}
			for _, answer := range ask(streams.ReadReq_Options_Forwards, p.Commit+1) {
				if answer.GetEvent().GetCommitPosition() <= p.Commit {
					t.Errorf("forwards from behind %v: %v", p, answer)
				}
			}
			for _, answer := range ask(streams.ReadReq_Options_Backwards, p.Commit+1) {
				if answer.GetEvent().GetCommitPosition() != p.Commit {
					t.Errorf("backwards from behind %v: %v", p, answer)
				}
			}
		}},
		{"2.6", "everything_is_in_the_log", func(t *testing.T, s *server) {
			st := s.stream(t)
			system := st
			system.name = "$" + st.name
			before := s.here(t)
			st.write(noStream, 0, "0")
			st.setMetadata(`{"custom":1}`)
			system.write(noStream, 0, "0")
			system.link("0@" + st.name)
			st.mustDelete(anyRevision)
			st.write(noStream, 1, "1")
			st.mustTombstone()
			var kinds []string
			for _, e := range only(s.log(t, before), st.name, system.name, "$$"+st.name) {
				kinds = append(kinds, e.Event.StreamID+" "+e.Event.EventType)
			}
			want := []string{
				st.name + " contract.happened",
				"$$" + st.name + " $metadata",
				system.name + " contract.happened",
				system.name + " $>",
				"$$" + st.name + " $metadata", // deleted
				st.name + " contract.happened",
				"$$" + st.name + " $metadata", // and revived
				st.name + " $streamDeleted",
			}
			if diff := cmp.Diff(want, kinds); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		}},
		{"2.6", "count_limits_what_a_filter_returns", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			for i := range 5 {
				expected := esdb.ExpectedRevision(noStream)
				if i > 0 {
					expected = at(uint64(i - 1))
				}
				st.write(expected, uint64(i), fmt.Sprint(i))
				s.stream(t).write(noStream, 0, "between")
			}
			after := s.here(t)
			for _, c := range []struct {
				direction streams.ReadReq_Options_ReadDirection
				from      esdb.Position
				want      []uint64
			}{
				{streams.ReadReq_Options_Forwards, before, []uint64{0, 1, 2}},
				{streams.ReadReq_Options_Backwards, after, []uint64{4, 3, 2}},
			} {
				options := st.allRequest()
				options.ReadDirection = c.direction
				options.StreamOption = allFrom(c.from.Commit, c.from.Prepare)
				options.CountOption = counted(3)
				options.FilterOption = streamFilter(st.name)
				var got []uint64
				for _, answer := range st.mustAsk(options) {
					got = append(got, answer.GetEvent().GetEvent().GetStreamRevision())
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%v (-want +got):\n%s", c.direction, diff)
				}
			}
		}},
	}
}

func (st stream) ids(labels ...string) (ids []uuid.UUID) {
	for _, label := range labels {
		ids = append(ids, st.id(label))
	}
	return ids
}

// streamFilter wants the streams whose names begin so.
func streamFilter(prefix string) *streams.ReadReq_Options_Filter {
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{prefix}},
		},
		Window:                       &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
		CheckpointIntervalMultiplier: 1,
	}}
}
