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
			events := st.reads(forwards(esdb.Start{}), math.MaxUint64, labels...)
			for i, number := range revisions(events) {
				if number != uint64(i) {
					t.Fatalf("event %d has revision %d", i, number)
				}
			}
			back, err := st.read(backwards(esdb.End{}), math.MaxUint64)
			if err != nil || len(back) != size || back[0].Event.EventNumber != size-1 || back[size-1].Event.EventNumber != 0 {
				t.Fatalf("backwards: %d events, %v", len(back), err)
			}
		}},
		{"2.5", "count_zero_is_refused", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			options := st.readRequest()
			options.CountOption = &streams.ReadReq_Options_Count{Count: 0}
			_, _, err := st.ask(options)
			if code := status.Code(err); code != codes.Unknown && code != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		}},
	}
}

func allReadCases() []testCase {
	return []testCase{
		{"2.6", "order_of_appends_across_streams", func(t *testing.T, s *server) {
			a, b := s.stream(t), s.stream(t)
			first := a.write(noStream, 1, "0", "1")
			b.write(noStream, 0, "0")
			a.write(at(1), 2, "2")
			found := only(s.log(t, start()), a.name, b.name)
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
			st.write(noStream, 3, "0", "1", "2", "3")
			log := s.log(t, start())
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
				options.CountOption = &streams.ReadReq_Options_Count{Count: 1}
				answers := st.mustAsk(options)
				if len(answers) != 1 || answers[0].GetEvent().GetCommitPosition() != p {
					t.Errorf("from %d/%d: %v", c.commit, c.prepare, answers)
				}
			}
			options := st.allRequest()
			options.StreamOption = allFrom(p, p+1)
			if _, _, err := st.ask(options); err == nil {
				t.Error("a prepare position after the commit position was accepted")
			}
		}},
		{"2.6", "backwards_is_exclusive", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			p := positionOf(st.write(at(0), 1, "1"))
			found, err := s.client.ReadAll(st.ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: p}, math.MaxUint64)
			if err != nil {
				t.Fatal(err)
			}
			events, err := drain(found)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(st.ids("0"), ids(only(events, st.name))); diff != "" {
				t.Errorf("before %v (-want +got):\n%s", p, diff)
			}
			for i := 1; i < len(events); i++ {
				if events[i].Event.Position.Commit >= events[i-1].Event.Position.Commit {
					t.Fatalf("%v after %v", events[i].Event.Position, events[i-1].Event.Position)
				}
			}
		}},
		{"2.6", "ends_of_the_log", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			read := func(direction esdb.Direction, from esdb.AllPosition, count uint64) int {
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
			st.setMetadata(`{"$maxCount":1,"$tb":2}`)
			st.write(noStream, 2, "0", "1", "2")
			if found := only(s.log(t, start()), st.name); len(found) != 3 {
				t.Errorf("%d of 3 events", len(found))
			}
		}},
		{"2.6", "count_limits_what_a_filter_returns", func(t *testing.T, s *server) {
			st := s.stream(t)
			for i := range 5 {
				expected := esdb.ExpectedRevision(noStream)
				if i > 0 {
					expected = at(uint64(i - 1))
				}
				st.write(expected, uint64(i), fmt.Sprint(i))
				s.stream(t).write(noStream, 0, "between")
			}
			options := st.allRequest()
			options.CountOption = &streams.ReadReq_Options_Count{Count: 3}
			options.FilterOption = streamFilter(st.name)
			answers := st.mustAsk(options)
			if len(answers) != 3 {
				t.Errorf("%d of 3 events", len(answers))
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
