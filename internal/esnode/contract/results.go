package contract

import (
	"fmt"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

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
				t.Errorf("truncated: answer %v", got)
			}
			st.mustDelete(anyRevision)
			got = st.mustSend(expectRevision(0), proposed(st.id("1"), "contract.happened", nil)).GetSuccess()
			if got.GetCurrentRevision() != 1 || got.GetPosition() != nil {
				t.Errorf("deleted: answer %v", got)
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
			// With any revision only a repeat that is not whole can be wrong.
			known := proposed(st.id("0"), "contract.happened", nil)
			if got := st.mustSend(expectAny, known, message).GetWrongExpectedVersion(); got.GetExpectedAny() == nil || got.GetCurrentRevision() != 1 {
				t.Errorf("any: %v", got)
			}
		}},
		{"2.1", "success_means_readable", func(t *testing.T, s *server) {
			st := s.stream(t)
			result := st.write(noStream, 0, "0")
			st.holds("0")
			var found []*esdb.ResolvedEvent
			s.walk(t, esdb.ReadAllOptions{From: positionOf(result)}, func(e *esdb.ResolvedEvent) bool {
				found = append(found, e)
				return false
			})
			if len(found) != 1 || found[0].Event.EventID != st.id("0") {
				t.Errorf("$all holds %v, want the event", found)
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
