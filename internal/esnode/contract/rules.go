package contract

import (
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// ruleCases check what the rules of the append say beyond the numbered cases.
func ruleCases() []testCase {
	return []testCase{
		{"2.1", "rule_1_tombstone_comes_before_everything", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.mustTombstone()
			for _, expected := range []esdb.ExpectedRevision{noStream, anyRevision, streamExists, at(0), at(7)} {
				// Not even a repeat is one any more.
				st.refuse(deleted, expected, "0")
			}
		}},
		{"2.1", "rule_3_stream_exists_recognises_repeats", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.write(streamExists, 1, "0", "1")
			st.refuse(wrongRevision, streamExists, "1", "2")
			st.holds("0", "1")
		}},
		{"2.1", "rule_3_repeats_need_not_be_contiguous", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 2, "0", "1", "2")
			st.write(anyRevision, 2, "0", "2")
			st.holds("0", "1", "2")
		}},
		{"2.1", "rule_4_looks_at_what_is_stored_even_if_it_is_hidden", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 2, "0", "1", "2")
			st.setMetadata(`{"$maxCount":1}`)
			for i, label := range []string{"0", "1"} {
				expected := esdb.ExpectedRevision(noStream)
				if i > 0 {
					expected = at(uint64(i - 1))
				}
				result, err := st.append(expected, st.event(label))
				if err != nil || result.NextExpectedVersion != uint64(i) {
					t.Errorf("repeat of %s: %v, %v", label, result, err)
				}
			}
			st.holds("2")
		}},
		{"2.1", "rule_4_a_repeat_must_not_run_past_the_end", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 2, "0", "1", "2")
			st.refuse(wrongRevision, at(0), "1", "2", "3")
			st.write(at(0), 2, "1", "2")
			st.holds("0", "1", "2")
		}},
		{"2.1", "rule_5_far_beyond_the_end_is_wrong", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.refuse(wrongRevision, at(math.MaxInt64-1), "1")
			st.holds("0")
		}},
		{"2.1", "system_streams_can_be_written", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.name = "$" + st.name
			st.write(noStream, 0, "0")
			st.write(at(0), 1, "1")
			st.holds("0", "1")
		}},
		{"2.1", "an_append_of_many_events_is_one", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			events := make([]esdb.EventData, 1000)
			for i := range events {
				events[i] = esdb.EventData{EventID: uuid.New(), EventType: "contract.happened", ContentType: esdb.ContentTypeBinary}
			}
			if _, err := st.append(noStream, events...); err != nil {
				t.Fatal(err)
			}
			events = append(events[:999:999], st.event("other"))
			_, err := st.append(noStream, events...)
			st.failed(err, wrongRevision)
			found := only(s.log(t, before), st.name)
			if len(found) != 1000 {
				t.Fatalf("%d of 1000 events", len(found))
			}
			for i, e := range found {
				if e.Event.EventNumber != uint64(i) {
					t.Fatalf("event %d has revision %d", i, e.Event.EventNumber)
				}
			}
		}},
		{"2.1", "ids_may_be_sent_as_text", func(t *testing.T, s *server) {
			st := s.stream(t)
			message := proposed(uuid.New(), "contract.happened", nil)
			message.Id = &shared.UUID{Value: &shared.UUID_String_{String_: st.id("0").String()}}
			st.mustSend(expectNoStream, message)
			st.mustSend(expectNoStream, proposed(st.id("0"), "contract.happened", nil))
			st.holds("0")
		}},
		{"2.1", "an_append_of_nothing_must_exist_as_asked", func(t *testing.T, s *server) {
			st := s.stream(t)
			for name, expected := range map[string]expectation{"exists": expectExists, "3": expectRevision(3)} {
				got := st.mustSend(expected).GetWrongExpectedVersion()
				if _, ok := got.GetCurrentRevisionOption().(*streams.AppendResp_WrongExpectedVersion_CurrentNoStream); !ok {
					t.Errorf("append of nothing to a missing stream, expected %s: %v", name, got)
				}
			}
		}},
	}
}
