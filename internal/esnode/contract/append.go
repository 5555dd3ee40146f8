package contract

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

var (
	noStream     = esdb.NoStream{}
	anyRevision  = esdb.Any{}
	streamExists = esdb.StreamExists{}
	at           = esdb.Revision
)

const (
	wrongRevision = esdb.ErrorCodeWrongExpectedVersion
	deleted       = esdb.ErrorCodeStreamDeleted
)

// sixWrites is the history that the first cases of the table share: ids 0 to 5 at revisions 0 to 5.
func sixWrites(t *testing.T, s *server) stream {
	t.Helper()
	st := s.stream(t)
	st.write(noStream, 0, "0")
	for i, label := range []string{"1", "2", "3", "4", "5"} {
		st.write(at(uint64(i)), uint64(i+1), label)
	}
	return st
}

func appendCases() []testCase {
	cases := []struct {
		name string
		run  func(t *testing.T, s *server)
	}{
		{"case_01_no_stream_again_is_idempotent", func(t *testing.T, s *server) {
			st := sixWrites(t, s)
			st.write(noStream, 0, "0")
			st.holds("0", "1", "2", "3", "4", "5")
		}},
		{"case_02_any_again_is_idempotent", func(t *testing.T, s *server) {
			st := sixWrites(t, s)
			st.write(anyRevision, 0, "0")
			st.holds("0", "1", "2", "3", "4", "5")
		}},
		{"case_03_known_id_at_the_end_is_written", func(t *testing.T, s *server) {
			st := sixWrites(t, s)
			st.write(at(5), 6, "0")
			st.holds("0", "1", "2", "3", "4", "5", "0")
		}},
		{"case_04_beyond_the_end_is_wrong", func(t *testing.T, s *server) {
			st := sixWrites(t, s)
			st.refuse(wrongRevision, at(6), "0")
			st.holds("0", "1", "2", "3", "4", "5")
		}},
		{"case_05_known_id_elsewhere_is_wrong", func(t *testing.T, s *server) {
			st := sixWrites(t, s)
			st.refuse(wrongRevision, at(4), "0")
			st.holds("0", "1", "2", "3", "4", "5")
		}},
		{"case_06_same_id_at_the_next_revision_is_written", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.write(at(0), 1, "0")
			st.holds("0", "0")
		}},
		{"case_07_no_stream_then_any_is_idempotent", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.write(anyRevision, 0, "0")
			st.holds("0")
		}},
		{"case_08_parts_of_a_batch_are_idempotent", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.write(noStream, 0, "0")
			st.write(anyRevision, 0, "0")
			st.write(at(0), 1, "1")
			st.write(anyRevision, 1, "1")
			st.holds("0", "1")
		}},
		{"case_09_longer_batch_is_wrong_and_writes_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.refuse(wrongRevision, noStream, "0", "1", "2")
			st.refuse(wrongRevision, anyRevision, "0", "1", "2")
			st.holds("0", "1")
		}},
		{"case_10_overlapping_batch_is_wrong", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.refuse(wrongRevision, at(0), "1", "2")
			st.write(noStream, 1, "0", "1")
			st.holds("0", "1")
		}},
		{"case_11_unknown_first_id_writes_all", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(anyRevision, 1, "0", "1")
			st.write(anyRevision, 3, "2", "0")
			st.holds("0", "1", "2", "0")
		}},
		{"case_12_one_id_six_times_with_any", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(anyRevision, 5, "0", "0", "0", "0", "0", "0")
			// The revision in the answer is not to be relied on.
			if _, err := st.append(anyRevision, st.events("0", "0", "0", "0", "0", "0")...); err != nil {
				t.Fatalf("repeat: %v", err)
			}
			st.holds("0", "0", "0", "0", "0", "0")
		}},
		{"case_13_one_id_six_times_with_no_stream", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 5, "0", "0", "0", "0", "0", "0")
			if _, err := st.append(noStream, st.events("0", "0", "0", "0", "0", "0")...); err != nil {
				t.Fatalf("repeat: %v", err)
			}
			st.holds("0", "0", "0", "0", "0", "0")
		}},
		{"case_14_same_id_in_two_streams", func(t *testing.T, s *server) {
			a, b := s.stream(t), s.stream(t)
			a.write(anyRevision, 0, "0")
			shared := a.event("0")
			for range 2 {
				// Whether the second append is recognised is not promised, only that it succeeds.
				if _, err := b.append(anyRevision, shared); err != nil {
					t.Fatalf("append to the second stream: %v", err)
				}
			}
			result, err := b.append(noStream, shared)
			if err != nil || result.NextExpectedVersion != 0 {
				t.Fatalf("repeat with no stream: %v, %v", result, err)
			}
			a.holds("0")
		}},
		{"case_15_payload_is_never_compared", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			other := st.event("0")
			other.EventType, other.Data = "contract.other", []byte(`{}`)
			for _, expected := range []esdb.ExpectedRevision{noStream, anyRevision} {
				if _, err := st.append(expected, other); err != nil {
					t.Fatalf("repeat with another payload: %v", err)
				}
			}
			found := st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, 10, "0")
			if got := string(found[0].Event.Data); got != `{"label":"0"}` {
				t.Fatalf("stored payload became %s", got)
			}
		}},
		// Cases 16 and 17 restart the server; TestRestart of package esnode has them.
		{"case_18_stream_exists", func(t *testing.T, s *server) {
			s.stream(t).refuse(wrongRevision, streamExists, "0")

			bare := s.stream(t)
			bare.setMetadata(`{"custom":1}`)
			bare.write(streamExists, 0, "0")

			existing := s.stream(t)
			existing.write(noStream, 0, "0")
			existing.write(streamExists, 1, "1")

			soft := s.stream(t)
			soft.write(noStream, 0, "0")
			soft.mustDelete(anyRevision)
			soft.refuse(deleted, streamExists, "1")

			hard := s.stream(t)
			hard.write(noStream, 0, "0")
			hard.mustTombstone()
			hard.refuse(deleted, streamExists, "1")
		}},
		{"case_19_missing_and_existing", func(t *testing.T, s *server) {
			s.stream(t).write(anyRevision, 0, "0")
			existing := s.stream(t)
			existing.write(noStream, 0, "0")
			existing.refuse(wrongRevision, noStream, "1")
			s.stream(t).refuse(wrongRevision, at(5), "0")
		}},
		{"case_20_no_events_at_the_end", func(t *testing.T, s *server) {
			st := s.stream(t)
			for _, expected := range []expectation{expectAny, expectNoStream} {
				got := st.mustSend(expected).GetSuccess()
				if _, ok := got.GetCurrentRevisionOption().(*streams.AppendResp_Success_NoStream); !ok {
					t.Fatalf("append of nothing to a missing stream: %v", got)
				}
			}
			st.missing()
			st.write(noStream, 1, "0", "1")
			for _, expected := range []expectation{expectAny, expectExists, expectRevision(1)} {
				got := st.mustSend(expected).GetSuccess()
				if current, ok := got.GetCurrentRevisionOption().(*streams.AppendResp_Success_CurrentRevision); !ok || current.CurrentRevision != 1 {
					t.Fatalf("append of nothing at the end: %v", got)
				}
				// The position may be left out or be the current end.
				if got.GetPositionOption() == nil {
					t.Fatalf("append of nothing says nothing of a position: %v", got)
				}
			}
			st.holds("0", "1")
		}},
		{"case_21_no_events_before_the_end", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			for _, expected := range []expectation{expectNoStream, expectRevision(0)} {
				if got := st.mustSend(expected); got.GetWrongExpectedVersion() == nil {
					t.Fatalf("append of nothing before the end: %v", got)
				}
			}
			st.holds("0", "1")
		}},
	}
	numbered := make([]testCase, len(cases))
	for i, c := range cases {
		numbered[i] = testCase{"2.1", c.name, c.run}
	}
	return numbered
}
