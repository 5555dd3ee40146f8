package contract

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

func wireCases() []testCase {
	return []testCase{
		{"2.2", "event_comes_back_as_it_was_written", func(t *testing.T, s *server) {
			st := s.stream(t)
			event := esdb.EventData{
				EventID: uuid.New(), EventType: "contract.ünïcode", ContentType: esdb.ContentTypeBinary,
				Data: bytes.Repeat([]byte{0, 1, 254, 255}, 1000), Metadata: []byte(`{"a":1}`),
			}
			if _, err := st.append(noStream, event); err != nil {
				t.Fatal(err)
			}
			events, err := st.read(esdb.ReadStreamOptions{From: esdb.Start{}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			got := events[0].Event
			if got.EventID != event.EventID || got.EventType != event.EventType || got.StreamID != st.name || got.EventNumber != 0 ||
				!bytes.Equal(got.Data, event.Data) || !bytes.Equal(got.UserMetadata, event.Metadata) || got.CreatedDate.IsZero() {
				t.Errorf("got %+v", got)
			}
		}},
		{"2.2", "event_without_link_has_its_own_position", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			answers := st.mustAsk(st.readRequest())
			if len(answers) != 1 {
				t.Fatalf("%d answers", len(answers))
			}
			got := answers[0].GetEvent()
			if got.GetLink() != nil || got.GetEvent() == nil || got.GetCommitPosition() == 0 ||
				got.GetCommitPosition() != got.GetEvent().GetCommitPosition() || got.GetEvent().GetPreparePosition() != got.GetCommitPosition() {
				t.Errorf("got %v", got)
			}
		}},
		{"2.2", "ids_as_text_when_asked", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			options := st.readRequest()
			options.UuidOption.Content = &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}
			answers := st.mustAsk(options)
			if got := answers[0].GetEvent().GetEvent().GetId().GetString_(); got != st.id("0").String() {
				t.Errorf("id %q", got)
			}
		}},
		{"2.2", "ids_are_two_numbers_with_the_high_bytes_first", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			id := st.id("0")
			got := st.mustAsk(st.readRequest())[0].GetEvent().GetEvent().GetId().GetStructured()
			if uint64(got.GetMostSignificantBits()) != binary.BigEndian.Uint64(id[:8]) || uint64(got.GetLeastSignificantBits()) != binary.BigEndian.Uint64(id[8:]) {
				t.Errorf("%s came as %v", id, got)
			}
		}},
		{"2.2", "reads_send_events_and_nothing_else", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 2, "0", "1", "2")
			for _, answer := range st.mustAsk(st.readRequest()) {
				if answer.GetEvent() == nil {
					t.Errorf("a read answered %v", answer)
				}
			}
			missing := s.stream(t)
			answers := missing.mustAsk(missing.readRequest())
			if len(answers) != 1 || string(answers[0].GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != missing.name {
				t.Errorf("a missing stream answered %v", answers)
			}
			options := st.allRequest()
			options.CountOption = counted(100)
			for _, answer := range st.mustAsk(options) {
				if answer.GetEvent() == nil {
					t.Errorf("a read of $all answered %v", answer)
				}
			}
		}},
		{"2.2", "metadata_has_three_keys", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.mustSend(expectNoStream, withProperty(proposed(st.id("0"), "contract.happened", nil), "other", "x"))
			got := st.mustAsk(st.readRequest())[0].GetEvent().GetEvent().GetMetadata()
			if len(got) != 3 || got["type"] != "contract.happened" || got["content-type"] != "application/json" {
				t.Errorf("metadata %v", got)
			}
			wantCreated(t, got["created"])
		}},
		{"2.2", "revisions_beyond_any_stream_are_harmless", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.reads(esdb.ReadStreamOptions{From: at(math.MaxInt64 - 1)}, 10)
		}},
	}
}

// wantCreated insists on a time of today in ticks of 100 ns since the Unix epoch. Clocks may differ, but not by
// the 1969 years that ticks of another epoch would make.
func wantCreated(t *testing.T, created string) {
	t.Helper()
	ticks, err := strconv.ParseInt(created, 10, 64)
	if at := time.UnixMicro(ticks / 10); err != nil || at.Before(time.Now().Add(-48*time.Hour)) || at.After(time.Now().Add(48*time.Hour)) {
		t.Errorf("created %q is %v, %v", created, at, err)
	}
}

func withProperty(message *streams.AppendReq_ProposedMessage, key, value string) *streams.AppendReq_ProposedMessage {
	message.Metadata[key] = value
	return message
}
