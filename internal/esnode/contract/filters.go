package contract

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// mixed writes events of two types in turns and returns the labels of each. The types belong to the stream
// alone, so a filter by type sees no other case.
func (st stream) mixed(count int) (kinds [2]string, labels [2][]string) {
	st.t.Helper()
	kinds = [2]string{"even." + st.name, "odd." + st.name}
	expected := esdb.ExpectedRevision(noStream)
	for i := range count {
		label := fmt.Sprint(i)
		e := st.event(label)
		e.EventType = kinds[i%2]
		if _, err := st.append(expected, e); err != nil {
			st.t.Fatal(err)
		}
		labels[i%2] = append(labels[i%2], label)
		expected = at(uint64(i))
	}
	return kinds, labels
}

// less compares positions as pairs. Some servers send checkpoints with a prepare position of their own.
func less(a, b esdb.Position) bool {
	return a.Commit < b.Commit || a.Commit == b.Commit && a.Prepare < b.Prepare
}

func filterCases() []testCase {
	return []testCase{
		{"2.8", "by_type_and_by_stream_with_prefix_and_regex", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			kinds, labels := st.mixed(10)
			all := make([]string, 10)
			for i := range all {
				all[i] = fmt.Sprint(i)
			}
			for _, c := range []struct {
				filter esdb.SubscriptionFilter
				want   []string
			}{
				{esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{kinds[0]}}, labels[0]},
				{esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"nothing", kinds[1]}}, labels[1]},
				{esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: kinds[:]}, all},
				{esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "dd." + st.name[:20]}, labels[1]},
				{esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{st.name}}, all},
				{esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: st.name[9:] + "$"}, all},
			} {
				s.followAll(t, esdb.SubscribeToAllOptions{From: before, Filter: &c.filter}, st).events(st, c.want...)
			}
		}},
		{"2.8", "prefixes_compare_bytes", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			kinds, labels := st.mixed(2)
			filter := &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{strings.ToUpper(kinds[0]), kinds[1]}}
			s.followAll(t, esdb.SubscribeToAllOptions{From: before, Filter: filter}, st).events(st, labels[1]...)
		}},
		{"2.8", "a_regular_expression_wins_over_prefixes", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			kinds, _ := st.mixed(4)
			after := s.here(t)
			options := st.allRequest()
			options.StreamOption = allFrom(before.Commit, before.Prepare)
			options.CountOption = counted(2)
			filter := streamFilter(st.name)
			filter.Filter.Filter = &streams.ReadReq_Options_FilterOptions_EventType{
				EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{kinds[0]}, Regex: "^" + regexp.QuoteMeta(kinds[1]) + "$"},
			}
			options.FilterOption = filter
			for _, answer := range st.mustAsk(options) {
				if got := answer.GetEvent().GetEvent(); got.GetMetadata()["type"] != kinds[1] || got.GetCommitPosition() >= after.Commit {
					t.Errorf("got %v", got)
				}
			}
		}},
		{"2.8", "system_events_can_be_excluded", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.setMetadata(`{"custom":1}`)
			st.write(noStream, 0, "0")
			f := s.followAll(t, esdb.SubscribeToAllOptions{From: positionOf(first), Filter: esdb.ExcludeSystemEventsFilter()})
			for {
				e := f.next().EventAppeared
				if e == nil {
					continue
				}
				if strings.HasPrefix(e.Event.EventType, "$") {
					t.Fatalf("got %s", e.Event.EventType)
				}
				if e.Event.EventID == st.id("0") {
					return
				}
			}
		}},
		{"2.8", "checkpoints_grow_and_lose_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			kinds, labels := st.mixed(40)
			end := st.write(at(39), 40, "end")
			options := esdb.SubscribeToAllOptions{
				From:               before,
				Filter:             &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{kinds[1]}},
				MaxSearchWindow:    5,
				CheckpointInterval: 1,
			}
			f := s.followAll(t, options)
			var checkpoints []esdb.Position
			var matched []esdb.Position
			for caughtUp := false; !caughtUp; {
				message := f.next()
				switch {
				case message.EventAppeared != nil:
					p := message.EventAppeared.OriginalEvent().Position
					if n := len(checkpoints); n > 0 && !less(checkpoints[n-1], p) {
						t.Fatalf("event at %v after the checkpoint %v", p, checkpoints[n-1])
					}
					matched = append(matched, p)
				case message.CheckPointReached != nil:
					p := *message.CheckPointReached
					if n := len(checkpoints); n > 0 && !less(checkpoints[n-1], p) {
						t.Fatalf("checkpoint %v after %v", p, checkpoints[n-1])
					}
					checkpoints = append(checkpoints, p)
				case message.CaughtUp != nil:
					caughtUp = true
				}
			}
			if len(matched) != len(labels[1]) {
				t.Fatalf("%d of %d events", len(matched), len(labels[1]))
			}
			if n := len(checkpoints); n == 0 || checkpoints[n-1].Commit < end.CommitPosition {
				t.Fatalf("checkpoints %v end before %d", checkpoints, end.CommitPosition)
			}
			// Of many checkpoints a few tell as much as all.
			for i := 0; i < len(checkpoints); i += max(1, len(checkpoints)/8) {
				rest := 0
				for rest < len(matched) && !less(checkpoints[i], matched[rest]) {
					rest++
				}
				options.From = checkpoints[i]
				again := s.followAll(t, options, st)
				again.events(st, labels[1][rest:]...)
				again.caughtUp()
			}
		}},
		{"2.8", "a_filter_that_matches_nothing_still_moves_on", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.write(noStream, 0, "0")
			f := s.followAll(t, esdb.SubscribeToAllOptions{
				From:               positionOf(first),
				Filter:             &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{withoutMatch()}},
				MaxSearchWindow:    1,
				CheckpointInterval: 1,
			})
			last := st.write(at(0), 1, "1")
			for {
				message := f.next()
				if message.EventAppeared != nil {
					t.Fatalf("got %v", message.EventAppeared.Event)
				}
				if p := message.CheckPointReached; p != nil && p.Commit >= last.CommitPosition {
					return
				}
			}
		}},
		{"2.8", "broken_filters_are_refused", func(t *testing.T, s *server) {
			st := s.stream(t)
			for name, spoil := range map[string]func(*streams.ReadReq_Options_FilterOptions){
				"no filter":     func(f *streams.ReadReq_Options_FilterOptions) { f.Filter = nil },
				"no window":     func(f *streams.ReadReq_Options_FilterOptions) { f.Window = nil },
				"no multiplier": func(f *streams.ReadReq_Options_FilterOptions) { f.CheckpointIntervalMultiplier = 0 },
			} {
				options := st.allRequest()
				options.CountOption = toSubscribe()
				filter := streamFilter(st.name)
				spoil(filter.Filter)
				options.FilterOption = filter
				_, _, err := st.ask(options)
				wantRefused(t, name, err)
			}
		}},
	}
}
