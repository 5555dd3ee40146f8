package contract

import (
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// windowCases check how often a filtered subscription gets checkpoints. Sections 2.8 and 2.9 say it together.
func windowCases() []testCase {
	var cases []testCase
	for _, c := range []struct {
		name       string
		window     func(*streams.ReadReq_Options_FilterOptions)
		multiplier uint32
		interval   int
	}{
		{"max_8", maxWindow(8), 1, 8},
		{"max_4_three_times", maxWindow(4), 3, 12},
		{"count_is_32", func(f *streams.ReadReq_Options_FilterOptions) {
			f.Window = &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}}
		}, 1, 32},
	} {
		cases = append(cases, testCase{"2.8", "checkpoints_come_by_the_window_" + c.name, func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			options := st.allRequest()
			options.StreamOption = allFrom(before.Commit, before.Prepare)
			filter := streamFilter(withoutMatch())
			c.window(filter.Filter)
			filter.Filter.CheckpointIntervalMultiplier = c.multiplier
			options.FilterOption = filter
			call := st.subscribeRaw(options)
			begin := before.Commit // of the count: the checkpoint before CaughtUp
			for live := false; !live; {
				answer, err := call.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if mark := answer.GetCheckpoint(); mark != nil {
					begin = mark.GetCommitPosition()
				}
				live = answer.GetCaughtUp() != nil
			}
			// While the subscription is live, each interval of events has a checkpoint, of whomever they are.
			var positions []uint64
			expected := esdb.ExpectedRevision(noStream)
			for i := range 3 * c.interval {
				positions = append(positions, st.write(expected, uint64(i), fmt.Sprint(i)).CommitPosition)
				expected = at(uint64(i))
			}
			checkpoints, steady := 0, true
			var last uint64
			for last < positions[2*c.interval-1] {
				answer, err := call.Recv()
				if err != nil {
					t.Fatal(err)
				}
				switch content := answer.GetContent().(type) {
				case *streams.ReadResp_Checkpoint_:
					checkpoints++
					if got := content.Checkpoint.GetCommitPosition(); got <= last {
						t.Fatalf("checkpoint %d after %d", got, last)
					} else {
						last = got
					}
				case *streams.ReadResp_CaughtUp_:
					// A server may fall behind and catch up again. The checkpoint before that counts no events, and
					// those of a history come by the page.
					checkpoints--
					steady = false
				default:
					t.Fatalf("got %v", answer)
				}
			}
			considered := 0
			s.walk(t, esdb.ReadAllOptions{From: before}, func(e *esdb.ResolvedEvent) bool {
				if e.Event.Position.Commit > begin {
					considered++
				}
				return e.Event.Position.Commit < last
			})
			if most := considered/c.interval + 1; checkpoints > most {
				t.Errorf("%d checkpoints for %d events, want one for each %d", checkpoints, considered, c.interval)
			}
			if least := considered/c.interval - 1; steady && checkpoints < least {
				t.Errorf("%d checkpoints for %d events, want one for each %d", checkpoints, considered, c.interval)
			}
		}})
	}
	return cases
}

func maxWindow(size uint32) func(*streams.ReadReq_Options_FilterOptions) {
	return func(f *streams.ReadReq_Options_FilterOptions) {
		f.Window = &streams.ReadReq_Options_FilterOptions_Max{Max: size}
	}
}
