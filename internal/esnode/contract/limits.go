package contract

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const maxAppendSize = 1 << 20

func limitCases() []testCase {
	const kind = "contract.big"
	return []testCase{
		{"2.1", "limit_exactly_one_mebibyte_passes", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.mustSend(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxAppendSize-2*len(kind))))
		}},
		{"2.1", "limit_one_byte_more_is_refused_with_its_reason", func(t *testing.T, s *server) {
			st := s.stream(t)
			_, trailers, err := st.send(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxAppendSize-2*len(kind)+1)))
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			wantTrailer(t, trailers, "exception", "maximum-append-size-exceeded")
			wantTrailer(t, trailers, "maximum-append-size", "1048576")
			st.missing()
		}},
		{"2.1", "limit_counts_the_sum_of_a_batch", func(t *testing.T, s *server) {
			st := s.stream(t)
			half := make([]byte, maxAppendSize/2)
			_, _, err := st.send(expectNoStream, proposed(st.id("0"), kind, half), proposed(st.id("1"), kind, half))
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			st.missing()
		}},
		{"2.1", "limit_counts_types_in_utf16", func(t *testing.T, s *server) {
			st := s.stream(t)
			// Two units of UTF-16, four bytes of UTF-8.
			message := proposed(st.id("0"), "\U0001F600", make([]byte, maxAppendSize-4))
			st.mustSend(expectNoStream, message)
			message = proposed(st.id("1"), "\U0001F600", make([]byte, maxAppendSize-3))
			_, _, err := st.send(expectRevision(0), message)
			wantStatus(t, err, codes.InvalidArgument, "")
		}},
		{"2.1", "limit_is_reported_however_much_is_sent", func(t *testing.T, s *server) {
			st := s.stream(t)
			var messages []*streams.AppendReq_ProposedMessage
			for range 24 {
				messages = append(messages, proposed(uuid.New(), kind, make([]byte, maxAppendSize/2)))
			}
			_, _, err := st.send(expectNoStream, messages...)
			// A real server may answer before it has read everything, and then only some transports still
			// show the reason.
			if err == nil {
				t.Fatal("twelve mebibytes were accepted")
			}
			st.missing()
		}},
		{"2.1", "missing_type_or_content_type_is_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			for _, property := range []string{"type", "content-type"} {
				message := proposed(st.id("0"), kind, nil)
				delete(message.Metadata, property)
				_, trailers, err := st.send(expectNoStream, message)
				wantStatus(t, err, codes.InvalidArgument, "")
				wantTrailer(t, trailers, "exception", "missing-required-metadata-property")
			}
			st.missing()
		}},
		{"2.1", "empty_id_type_and_names_are_refused", func(t *testing.T, s *server) {
			st := s.stream(t)
			wantRefused := func(what string, err error) {
				t.Helper()
				if code := status.Code(err); code != codes.Unknown && code != codes.InvalidArgument && code != codes.PermissionDenied {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, _, err := st.send(expectAny, proposed(uuid.Nil, kind, nil))
			wantRefused("no id", err)
			_, _, err = st.send(expectAny, proposed(st.id("0"), "", nil))
			wantRefused("no type", err)
			for _, name := range []string{"", "$$", "$all"} {
				odd := st
				odd.name = name
				_, _, err = odd.send(expectAny, proposed(uuid.New(), kind, nil))
				wantRefused("stream "+name, err)
			}
		}},
		{"2.1", "names_are_bytes_and_case_counts", func(t *testing.T, s *server) {
			st, upper, odd := s.stream(t), s.stream(t), s.stream(t)
			upper.name = strings.ToUpper(st.name)
			odd.name = st.name + " ünïcode/@%"
			st.write(noStream, 0, "0")
			upper.write(noStream, 0, "0")
			odd.write(noStream, 0, "0")
			odd.holds("0")
		}},
		{"2.1", "json_is_not_validated_and_other_types_become_binary", func(t *testing.T, s *server) {
			st := s.stream(t)
			broken := proposed(st.id("0"), kind, []byte("{not json"))
			text := proposed(st.id("1"), kind, []byte("words"))
			text.Metadata["content-type"] = "text/plain"
			st.mustSend(expectNoStream, broken, text)
			events := st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, 10, "0", "1")
			if got := events[0].Event; got.ContentType != "application/json" || string(got.Data) != "{not json" {
				t.Errorf("broken JSON came back as %q %q", got.ContentType, got.Data)
			}
			if got := events[1].Event; got.ContentType != "application/octet-stream" || string(got.Data) != "words" {
				t.Errorf("text came back as %q %q", got.ContentType, got.Data)
			}
		}},
	}
}

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
			options.CountOption = &streams.ReadReq_Options_Count{Count: 100}
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
			if len(got) != 3 || got["type"] != "contract.happened" || got["content-type"] != "application/json" || got["created"] == "" {
				t.Errorf("metadata %v", got)
			}
		}},
		{"2.2", "revisions_beyond_any_stream_are_harmless", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.write(noStream, 0, "0")
			st.refuse(wrongRevision, at(math.MaxInt64-1), "1")
			st.reads(esdb.ReadStreamOptions{From: at(math.MaxInt64 - 1)}, 10)
		}},
	}
}

func withProperty(message *streams.AppendReq_ProposedMessage, key, value string) *streams.AppendReq_ProposedMessage {
	message.Metadata[key] = value
	return message
}
