package contract

import (
	"encoding/json"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	return cmp.Equal(a, b)
}

func fiveEvents(t *testing.T, s *server) stream {
	t.Helper()
	st := s.stream(t)
	st.write(noStream, 4, "0", "1", "2", "3", "4")
	return st
}

func metadataCases() []testCase {
	return []testCase{
		{"2.7", "max_count_keeps_the_last", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":2}`)
			st.holds("3", "4")
			st.reads(backwards(esdb.End{}), 10, "4", "3")
			st.reads(forwards(at(1)), 1, "3")
			st.write(at(4), 5, "5")
			st.holds("4", "5")
		}},
		{"2.7", "max_count_raised_shows_again", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":1}`)
			st.holds("4")
			st.setMetadata(`{"$maxCount":3}`)
			st.holds("2", "3", "4")
			st.setMetadata(`{}`)
			st.holds("0", "1", "2", "3", "4")
		}},
		{"2.7", "truncate_before", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$tb":3}`)
			st.holds("3", "4")
			st.reads(backwards(at(2)), 10)
			st.setMetadata(`{"$tb":50}`)
			st.holds()
			st.write(at(4), 5, "5")
			st.holds()
		}},
		{"2.7", "max_age_leaves_the_young", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxAge":3600}`)
			st.holds("0", "1", "2", "3", "4")
		}},
		{"2.7", "the_tightest_wins", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":4,"$tb":3}`)
			st.holds("3", "4")
			st.setMetadata(`{"$maxCount":1,"$tb":3}`)
			st.holds("4")
		}},
		{"2.7", "wrong_type_empties_the_whole", func(t *testing.T, s *server) {
			for _, broken := range []string{
				`{"$maxCount":"1"}`, `{"$maxCount":1,"$maxAge":"x"}`, `{"$maxCount":1,"$tb":true}`, `{"$maxCount":1,"$tb":1.5}`,
				`{"$maxCount":1,"$cacheControl":"x"}`, `{"$maxCount":1,"$acl":"$userStreamAcl"}`, `{"$maxCount":1,"$acl":{"$r":5}}`,
				`{"$maxCount":1,"$acl":{"$w":["a",5]}}`, `{"$maxCount":1,"$acl":["a"]}`, `{"$maxCount":1,"$tmp":"x"}`, `{"$maxCount":true}`, `[1]`, `{"$maxCount":1`,
			} {
				st := fiveEvents(t, s)
				st.setMetadata(broken)
				events, err := st.read(forwards(esdb.Start{}), 10)
				if err != nil || len(events) != 5 {
					t.Errorf("%s: %d of 5 events, %v", broken, len(events), err)
				}
			}
		}},
		{"2.7", "numbers_that_are_not_positive_count_for_nothing", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":0,"$maxAge":-5,"$tb":3}`)
			st.holds("3", "4")
		}},
		{"2.7", "all_keys_at_once_and_whatever_else", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			const all = `{"$maxCount":2,"$maxAge":86400,"$tb":1,"$cacheControl":60,"$tmp":false,` +
				`"$acl":{"$r":"$all","$w":["$all","$admins"],"$d":[],"$mr":"$all","$mw":"$all"},"custom":{"a":[1,null,"ü"]},"$unknown":"x"}`
			st.setMetadata(all)
			st.holds("3", "4")
			if got := string(st.newestMetadata().Data); got != all {
				t.Errorf("metadata came back as %s", got)
			}
		}},
		{"2.7", "binary_metadata_is_none", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":1}`)
			st.holds("4")
			binary := esdb.EventData{EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeBinary, Data: []byte(`{"$maxCount":1}`)}
			if _, err := st.metastream().append(anyRevision, binary); err != nil {
				t.Fatal(err)
			}
			st.holds("0", "1", "2", "3", "4")
		}},
		{"2.7", "the_latest_wins_as_a_whole_and_any_type_will_do", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			st.setMetadata(`{"$maxCount":1}`)
			other := esdb.EventData{EventID: uuid.New(), EventType: "contract.other", ContentType: esdb.ContentTypeJson, Data: []byte(`{"$tb":2}`)}
			if _, err := st.metastream().append(anyRevision, other); err != nil {
				t.Fatal(err)
			}
			st.holds("2", "3", "4")
		}},
		{"2.7", "metastream_shows_only_its_newest", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.setMetadata(`{"n":0}`)
			st.setMetadata(`{"n":1}`)
			st.setMetadata(`{"n":2}`)
			for _, options := range []esdb.ReadStreamOptions{
				forwards(esdb.Start{}), forwards(at(1)), forwards(at(2)), backwards(esdb.End{}), backwards(at(2)), backwards(at(9)),
			} {
				events, err := st.metastream().read(options, 10)
				if err != nil || len(events) != 1 || events[0].Event.EventNumber != 2 || string(events[0].Event.Data) != `{"n":2}` {
					t.Errorf("%v from %v: %d events, %v", options.Direction, options.From, len(events), err)
				}
			}
			for _, options := range []esdb.ReadStreamOptions{backwards(esdb.Start{}), backwards(at(1)), forwards(at(3))} {
				if events, err := st.metastream().read(options, 10); err != nil || len(events) != 0 {
					t.Errorf("%v from %v: %d events, %v", options.Direction, options.From, len(events), err)
				}
			}
		}},
		{"2.7", "metadata_through_the_client", func(t *testing.T, s *server) {
			st := fiveEvents(t, s)
			_, err := s.client.GetStreamMetadata(st.ctx, st.name, esdb.ReadStreamOptions{})
			st.failed(err, esdb.ErrorCodeResourceNotFound)
			var m esdb.StreamMetadata
			m.SetMaxCount(2)
			m.AddCustomProperty("custom", "x")
			if _, err := s.client.SetStreamMetadata(st.ctx, st.name, esdb.AppendToStreamOptions{ExpectedRevision: noStream}, esdb.StreamMetadata{}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client.SetStreamMetadata(st.ctx, st.name, esdb.AppendToStreamOptions{ExpectedRevision: at(0)}, m); err != nil {
				t.Fatal(err)
			}
			st.holds("3", "4")
			got, err := s.client.GetStreamMetadata(st.ctx, st.name, esdb.ReadStreamOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got.MaxCount() == nil || *got.MaxCount() != 2 || got.CustomProperty("custom") != "x" {
				t.Errorf("metadata %+v", got)
			}
		}},
	}
}
