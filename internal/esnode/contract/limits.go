package contract

import (
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
)

const (
	maxAppendSize  = 1 << 20
	maxMessageSize = 16<<20 - 10_000
)

func limitCases() []testCase {
	const kind = "contract.big"
	return []testCase{
		{"2.1", "limit_exactly_one_mebibyte_passes", func(t *testing.T, s *server) {
			st := s.stream(t)
			st.mustSend(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxAppendSize-2*len(kind))))
		}},
		{"2.1", "limit_one_byte_more_is_refused_with_its_reason", func(t *testing.T, s *server) {
			st := s.stream(t)
			_, answer, err := st.send(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxAppendSize-2*len(kind)+1)))
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			answer.says(t, "exception", "maximum-append-size-exceeded")
			answer.says(t, "maximum-append-size", "1048576")
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
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			st.missing()
		}},
		{"2.1", "limit_counts_metadata_too", func(t *testing.T, s *server) {
			st := s.stream(t)
			message := proposed(st.id("0"), kind, make([]byte, maxAppendSize/2))
			message.CustomMetadata = make([]byte, maxAppendSize/2-2*len(kind))
			st.mustSend(expectNoStream, message)
			message = proposed(st.id("1"), kind, make([]byte, maxAppendSize/2))
			message.CustomMetadata = make([]byte, maxAppendSize/2-2*len(kind)+1)
			_, _, err := st.send(expectRevision(0), message)
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			st.holds("0")
		}},
		// The limit of a message stands in section 2.0.
		{"2.0", "message_is_read_up_to_its_limit_and_refused_beyond", func(t *testing.T, s *server) {
			st := s.stream(t)
			_, _, err := st.send(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxMessageSize-1000)))
			wantStatus(t, err, codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			_, _, err = st.send(expectNoStream, proposed(st.id("0"), kind, make([]byte, maxMessageSize+1)))
			wantStatus(t, err, codes.ResourceExhausted, "")
			st.missing()
		}},
		{"2.1", "missing_type_or_content_type_is_invalid", func(t *testing.T, s *server) {
			st := s.stream(t)
			for _, property := range []string{"type", "content-type"} {
				message := proposed(st.id("0"), kind, nil)
				delete(message.Metadata, property)
				_, answer, err := st.send(expectNoStream, message)
				wantStatus(t, err, codes.InvalidArgument, "Required Metadata Property '"+property+"' is missing")
				answer.says(t, "exception", "missing-required-metadata-property")
				answer.says(t, "required-metadata-properties", "type,content-type")
			}
			st.missing()
		}},
		{"2.1", "empty_id_type_and_names_are_refused", func(t *testing.T, s *server) {
			st := s.stream(t)
			_, _, err := st.send(expectAny, proposed(uuid.Nil, kind, nil))
			wantRefused(t, "no id", err)
			_, _, err = st.send(expectAny, proposed(st.id("0"), "", nil))
			wantRefused(t, "no type", err)
			for _, name := range []string{"", "$$", "$all"} {
				odd := st
				odd.name = name
				_, _, err = odd.send(expectAny, proposed(uuid.New(), kind, nil))
				wantRefused(t, "stream "+name, err)
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
			nearly := withProperty(proposed(st.id("2"), kind, []byte("{}")), "content-type", "application/json; charset=utf-8")
			st.mustSend(expectNoStream, broken, text, nearly)
			events := st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, 10, "0", "1", "2")
			if got := events[2].Event; got.ContentType != "application/octet-stream" {
				t.Errorf("JSON with a character set came back as %q", got.ContentType)
			}
			if got := events[0].Event; got.ContentType != "application/json" || string(got.Data) != "{not json" {
				t.Errorf("broken JSON came back as %q %q", got.ContentType, got.Data)
			}
			if got := events[1].Event; got.ContentType != "application/octet-stream" || string(got.Data) != "words" {
				t.Errorf("text came back as %q %q", got.ContentType, got.Data)
			}
		}},
	}
}
