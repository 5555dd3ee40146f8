package storecopy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// format is the version of the file. A reader refuses those it does not know.
const format = 1

// What stands in the field content.
const (
	contentJSON   = "json"
	contentBinary = "binary"
)

// header is the first line.
type header struct {
	Format int       `json:"steward_log"`
	From   string    `json:"from"`
	MadeAt time.Time `json:"made_at"`
	Until  position  `json:"until"`
}

// end is the last line.
type end struct {
	Events  uint64 `json:"events"`
	LeftOut uint64 `json:"left_out"`
	SHA256  string `json:"sha256"`
}

// line is any line of the file.
type line struct {
	Header *header `json:"header"`
	End    *end    `json:"end"`

	Position     position        `json:"position"`
	Stream       string          `json:"stream"`
	StreamBase64 []byte          `json:"stream_base64"`
	Revision     uint64          `json:"revision"`
	ID           uuid.UUID       `json:"id"`
	Type         string          `json:"type"`
	Content      string          `json:"content"`
	Created      time.Time       `json:"created"`
	LeftOut      uint64          `json:"left_out"`
	Data         json.RawMessage `json:"data"`
	Metadata     json.RawMessage `json:"metadata"`
}

// position is a position in the log that was read: commit and prepare.
type position [2]uint64

func at(p events.Position) position { return position{p.Commit, p.Prepare} }

func (p position) position() events.Position { return events.Position{Commit: p[0], Prepare: p[1]} }

// appendEvent appends the line of an event. It is put together by hand because the payload must get into it
// byte for byte.
func appendEvent(b []byte, r events.Record, leftOut uint64) []byte {
	b = append(b, `{"position":[`...)
	b = strconv.AppendUint(b, r.Position.Commit, 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, r.Position.Prepare, 10)
	if utf8.ValidString(r.Stream) {
		b = append(b, `],"stream":`...)
		b = appendText(b, r.Stream)
	} else {
		b = append(b, `],"stream_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(r.Stream))
		b = append(b, '"')
	}
	b = append(b, `,"revision":`...)
	b = strconv.AppendUint(b, r.Revision, 10)
	b = append(b, `,"id":"`...)
	b = append(b, r.ID.String()...)
	b = append(b, `","type":`...)
	b = appendText(b, r.Type)
	if r.Binary {
		b = append(b, `,"content":"`+contentBinary+`"`...)
	} else {
		b = append(b, `,"content":"`+contentJSON+`"`...)
	}
	b = append(b, `,"created":"`...)
	b = r.RecordedAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	if leftOut > 0 {
		b = append(b, `,"left_out":`...)
		b = strconv.AppendUint(b, leftOut, 10)
	}
	b = appendPayload(b, `,"data":`, r.Data)
	b = appendPayload(b, `,"metadata":`, r.Metadata)
	return append(b, "}\n"...)
}

// appendText appends a JSON string. Its characters are all valid, and most need no escape.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(text)
			if err != nil { // a string can always be quoted
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

func appendPayload(b []byte, key string, payload []byte) []byte {
	if len(payload) == 0 {
		return b
	}
	b = append(b, key...)
	if verbatim(payload) {
		return append(b, payload...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, payload)
	return append(b, '"')
}

// deepest is how often a payload may open a bracket to stand in a line as it is: parsers have limits.
const deepest = 4096

// verbatim reports whether a payload comes back byte for byte when it stands in a line of JSON as it is.
func verbatim(payload []byte) bool {
	switch payload[0] {
	case '{', '[':
	default:
		return false // a text would be taken for base64, and space before it would be lost
	}
	switch payload[len(payload)-1] {
	case '}', ']':
	default:
		return false
	}
	return !bytes.ContainsAny(payload, "\n\r") && utf8.Valid(payload) &&
		bytes.Count(payload, []byte{'{'})+bytes.Count(payload, []byte{'['}) <= deepest && json.Valid(payload)
}

func payload(field json.RawMessage) ([]byte, error) {
	if len(field) == 0 || field[0] != '"' {
		return field, nil
	}
	return base64.StdEncoding.AppendDecode(nil, field[1:len(field)-1])
}

var errNoEvent = errors.New("it is neither an event nor the end of an export")

// record is the event of a line.
func (l *line) record() (events.Record, error) {
	r := events.Record{
		ID: l.ID, Stream: l.Stream, Revision: l.Revision, Position: l.Position.position(), Type: l.Type, RecordedAt: l.Created,
		Binary: l.Content == contentBinary,
	}
	if l.StreamBase64 != nil {
		r.Stream = string(l.StreamBase64)
	}
	if r.Stream == "" || r.Type == "" || r.ID == uuid.Nil || l.Content != contentJSON && l.Content != contentBinary {
		return r, errNoEvent
	}
	var err, failed error
	if r.Data, err = payload(l.Data); err != nil {
		failed = fmt.Errorf("data: %w", err)
	}
	if r.Metadata, err = payload(l.Metadata); err != nil {
		failed = fmt.Errorf("metadata: %w", err)
	}
	return r, failed
}

// Types of events that the server itself writes into the streams of others.
const (
	typeMetadata      = "$metadata"
	typeStreamDeleted = "$streamDeleted"
)

// ofServer reports whether a stream belongs to the server. The metadata of a stream goes with the stream.
func ofServer(stream string) bool { return events.IsSystem(strings.TrimPrefix(stream, "$$")) }

func isMetastream(stream string) bool { return strings.HasPrefix(stream, "$$") }
