package contract

import (
	"errors"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func deleteCases() []testCase {
	return []testCase{
		{"2.3", "case_a_append_after_delete_continues_and_hides_the_past", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			st.mustDelete(anyRevision)
			st.missing()
			st.write(anyRevision, 5, "5")
			st.holds("5")
			st.reads(esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 10, "5")
		}},
		{"2.3", "case_b_delete_twice", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			first := st.mustDelete(anyRevision)
			second := st.mustDelete(anyRevision)
			if second.Position.Commit <= first.Position.Commit {
				t.Errorf("positions %v and %v", first, second)
			}
			st.mustDelete(at(0))
			st.missing()
		}},
		{"2.3", "case_c_delete_at_the_wrong_revision_changes_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			// The status table of section 2.0 has what the answer says.
			if _, err := st.deleteRaw(3); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("got %v", err)
			}
			st.holds("0", "1", "2", "3", "4")
		}},
		{"2.3", "case_d_no_stream_works_once_after_delete", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 4, "0", "1", "2", "3", "4")
			st.mustDelete(anyRevision)
			st.write(noStream, 5, "5")
			st.refuse(wrongRevision, noStream, "6")
			st.holds("5")
		}},
		{"2.3", "case_e_all_keeps_everything", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.write(noStream, 0, "0")
			st.write(at(0), 4, "1", "2", "3", "4")
			st.mustDelete(anyRevision)
			st.write(anyRevision, 5, "5")
			log := s.log(t, positionOf(first))
			if found := only(log, st.name); len(found) != 6 {
				t.Errorf("%d of 6 events", len(found))
			}
			if found := only(log, "$$"+st.name); len(found) != 2 {
				t.Errorf("%d of 2 metadata events", len(found))
			}
		}},
		{"2.3", "delete_what_never_existed", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := s.here(t)
			for _, expected := range []esdb.ExpectedRevision{anyRevision, noStream, streamExists, at(0)} {
				if _, err := st.delete(expected); !isStatus(err, codes.FailedPrecondition) {
					t.Errorf("deleted at %v: %v", expected, err)
				}
			}
			if found := only(s.log(t, before), "$$"+st.name); len(found) != 0 {
				t.Errorf("a refused delete wrote %d events", len(found))
			}
		}},
		{"2.3", "delete_a_stream_of_metadata_only", func(t *testing.T, s *server) {
			for _, expected := range []esdb.ExpectedRevision{anyRevision, noStream} {
				st := s.stream(t)
				st.setMetadata(`{"custom":1}`)
				st.mustDelete(expected)
				st.missing()
			}
		}},
		{"2.3", "expectations_after_delete", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(at(1))
			_, err := st.delete(streamExists)
			st.failed(err, deleted)
			if _, err := st.delete(at(0)); !isStatus(err, codes.FailedPrecondition) {
				t.Errorf("deleted at a revision that it is not at: %v", err)
			}
			st.refuse(deleted, streamExists, "x")
			st.refuse(wrongRevision, at(0), "x")
			st.write(at(1), 2, "2")
			st.holds("2")
		}},
		{"2.3", "delete_replaces_metadata_and_it_can_be_read", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.setMetadata(`{"$maxCount":3,"custom":"x"}`)
			st.write(noStream, 0, "0")
			result := st.mustDelete(anyRevision)
			events, err := st.metastream().read(esdb.ReadStreamOptions{From: esdb.Start{}}, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) != 1 || string(events[0].Event.Data) != `{"$tb":9223372036854775807}` || events[0].Event.EventType != "$metadata" {
				t.Fatalf("metadata after delete: %+v", events)
			}
			if events[0].Event.Position.Commit != result.Position.Commit {
				t.Errorf("delete answered %v, stored at %v", result.Position, events[0].Event.Position)
			}
		}},
		{"2.3", "repeat_of_events_before_delete_revives_nothing", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			st.write(noStream, 1, "0", "1")
			st.missing()
		}},
		{"2.3", "metadata_revives_without_the_past", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			st.setMetadata(`{"custom":"kept"}`)
			st.holds()
			st.write(at(1), 2, "2")
			st.holds("2")
			events, err := st.metastream().read(esdb.ReadStreamOptions{From: esdb.Start{}}, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) != 1 || !sameJSON(t, events[0].Event.Data, `{"custom":"kept","$tb":2}`) {
				t.Errorf("metadata %s", events[0].Event.Data)
			}
		}},
		{"2.3", "metadata_revives_a_stream_that_never_had_events", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.setMetadata(`{"custom":"lost"}`)
			st.mustDelete(anyRevision)
			st.setMetadata(`{"custom":"kept"}`)
			if e := st.newestMetadata(); !sameJSON(t, e.Data, `{"custom":"kept","$tb":0}`) {
				t.Errorf("metadata %s", e.Data)
			}
			st.missing()
			st.write(noStream, 0, "0")
			st.holds("0")
		}},
		{"2.3", "deletion_by_metadata_keeps_its_other_properties", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.setMetadata(`{"custom":{"deep":[1,2]},"$maxCount":5,"$tb":9223372036854775807}`)
			st.missing()
			st.refuse(deleted, streamExists, "2")
			st.write(anyRevision, 2, "2")
			st.holds("2")
			if e := st.newestMetadata(); !sameJSON(t, e.Data, `{"custom":{"deep":[1,2]},"$maxCount":5,"$tb":2}`) {
				t.Errorf("metadata %s", e.Data)
			}
		}},
		{"2.3", "append_writes_the_new_truncation_after_its_events", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			answered := positionOf(st.write(at(1), 3, "2", "3"))
			e := st.newestMetadata()
			if e.EventType != "$metadata" || e.EventNumber != 1 || !sameJSON(t, e.Data, `{"$tb":2}`) {
				t.Errorf("metadata %d is %s %s", e.EventNumber, e.EventType, e.Data)
			}
			if events := st.reads(backwards(esdb.End{}), 1, "3"); events[0].Event.Position != answered || e.Position.Commit <= answered.Commit {
				t.Errorf("answered %v, the last event is at %v and the metadata at %v", answered, events[0].Event.Position, e.Position)
			}
		}},
		{"2.3", "no_stream_after_delete_with_a_part_of_the_past_is_wrong", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			st.refuse(wrongRevision, noStream, "0", "2")
			st.missing()
		}},
		{"2.3", "metadata_that_is_not_json_shows_the_past", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			st.mustDelete(anyRevision)
			binary := esdb.EventData{EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeBinary, Data: []byte(`{}`)}
			if _, err := st.metastream().append(anyRevision, binary); err != nil {
				t.Fatal(err)
			}
			st.holds("0", "1")
		}},
	}
}

func tombstoneCases() []testCase {
	return []testCase{
		{"2.4", "everything_on_a_tombstoned_stream_fails", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.setMetadata(`{"custom":1}`)
			st.mustTombstone()
			for _, each := range []stream{st, st.metastream()} {
				for _, expected := range []esdb.ExpectedRevision{anyRevision, noStream, streamExists, at(0)} {
					each.refuse(deleted, expected, "x")
				}
				_, err := each.read(esdb.ReadStreamOptions{From: esdb.Start{}}, 10)
				each.failed(err, deleted)
				_, err = each.read(esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 10)
				each.failed(err, deleted)
				_, err = s.client.SubscribeToStream(each.ctx, each.name, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
				each.failed(err, deleted)
				_, err = each.delete(anyRevision)
				each.failed(err, deleted)
				_, err = each.tombstone(anyRevision)
				each.failed(err, deleted)
			}
		}},
		{"2.4", "tombstone_is_an_event_of_the_highest_revision", func(t *testing.T, s *server) {
			st := s.stream(t)
			first := st.write(noStream, 0, "0")
			st.write(at(0), 1, "1")
			result := st.mustTombstone()
			found := only(s.log(t, positionOf(first)), st.name)
			last := found[len(found)-1].Event
			if last.EventType != "$streamDeleted" || last.EventNumber != 9223372036854775807 || len(last.Data) != 0 ||
				last.ContentType != "application/octet-stream" || last.Position.Commit != result.Position.Commit {
				t.Errorf("tombstone %+v, answered %v", last, result.Position)
			}
			if len(found) != 3 {
				t.Errorf("$all keeps %d of 3 events", len(found))
			}
		}},
		{"2.4", "expectations", func(t *testing.T, s *server) {
			for _, expected := range []esdb.ExpectedRevision{anyRevision, noStream} {
				if _, err := s.stream(t).tombstone(expected); err != nil {
					t.Errorf("missing stream at %v: %v", expected, err)
				}
			}
			for _, expected := range []esdb.ExpectedRevision{streamExists, at(0)} {
				if _, err := s.stream(t).tombstone(expected); !isStatus(err, codes.FailedPrecondition) {
					t.Errorf("missing stream at %v: %v", expected, err)
				}
			}
			st := s.stream(t)
			st.write(noStream, 1, "0", "1")
			for _, expected := range []esdb.ExpectedRevision{noStream, at(0), at(2)} {
				if _, err := st.tombstone(expected); !isStatus(err, codes.FailedPrecondition) {
					t.Errorf("stream at revision 1, expected %v: %v", expected, err)
				}
			}
			st.holds("0", "1")
			if _, err := st.tombstone(at(1)); err != nil {
				t.Error(err)
			}
		}},
		{"2.4", "soft_deleted_stream_can_be_tombstoned", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.mustDelete(anyRevision)
			st.mustTombstone()
			st.refuse(deleted, anyRevision, "1")
		}},
	}
}

// newestMetadata is what the stream's metadata says now.
func (st stream) newestMetadata() *esdb.RecordedEvent {
	st.t.Helper()
	events, err := st.metastream().read(backwards(esdb.End{}), 10)
	if err != nil || len(events) != 1 {
		st.t.Fatalf("%d of 1 metadata events, %v", len(events), err)
	}
	return events[0].Event
}

// isStatus reports whether an error of the official client has a status of the protocol inside.
func isStatus(err error, code codes.Code) bool {
	var failure *esdb.Error
	return errors.As(err, &failure) && status.Code(errors.Unwrap(failure)) == code
}
