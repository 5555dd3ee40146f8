package contract

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// expire gives the stream a $maxAge of a second and waits until all its events are older.
func (st stream) expire() {
	st.t.Helper()
	st.setMetadata(`{"$maxAge":1}`)
	until(st.ctx, st.t, "every event is too old", func() bool {
		// At no time is the stream missing.
		events, err := st.read(forwards(esdb.Start{}), 100)
		if err != nil {
			st.t.Fatal(err)
		}
		return len(events) == 0
	})
}

func ageCases() []testCase {
	return []testCase{
		{"2.5", "expired_events_leave_an_empty_stream", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.write(noStream, 1, "0", "1")
			st.expire()
			st.reads(backwards(esdb.End{}), 10)
			st.reads(backwards(at(0)), 10)
			if found := only(s.log(t, positionOf(first)), st.name); len(found) != 1 {
				t.Errorf("$all has %d of 1 event", len(found))
			}
			st.write(at(1), 2, "2")
			// The old come back with a longer age.
			st.setMetadata(`{"$maxAge":86400}`)
			st.holds("0", "1", "2")
		}},
		{"2.9", "stream_expired_history_is_left_out", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.expire()
			f := st.follow(esdb.Start{})
			f.caughtUp()
			st.write(at(1), 2, "2")
			f.events(st, "2")
		}},
		{"2.10", "links_to_what_expired", func(t *testing.T, s *server) {
			target, links := s.stream(t), s.stream(t)
			target.write(noStream, 0, "0")
			links.link("0@" + target.name)
			if got := links.resolved(true)[0]; got.Event == nil || got.Event.EventID != target.id("0") {
				t.Errorf("while it is young: %+v", got)
			}
			target.expire()
			if got := links.resolved(true)[0]; got.Link == nil || got.Event != nil {
				t.Errorf("when it is old: %+v", got)
			}
		}},
	}
}
