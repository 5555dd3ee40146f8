package esnode

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// maxAppendSize is how many bytes of events one append may carry, as on a server with default settings.
const maxAppendSize = 1 << 20

// streamsServer serves the Streams service. What it does not override answers Unimplemented.
type streamsServer struct {
	streams.UnimplementedStreamsServer
	node *Node
}

// Append implements the Append call.
func (s *streamsServer) Append(call streams.Streams_AppendServer) error {
	ctx := call.Context()
	options, w, err := receiveAppend(call)
	if err != nil {
		return finish(ctx, err)
	}
	result, err := s.node.commit(ctx, w)
	if err != nil {
		return finish(ctx, err)
	}
	switch result.outcome {
	case destroyed:
		return finish(ctx, errDeleted(w.stream.full))
	case conflict:
		return call.SendAndClose(&streams.AppendResp{Result: wrongVersion(options, result.current)})
	case repeated:
		return call.SendAndClose(&streams.AppendResp{Result: success(result.last, result.position)})
	default:
		return call.SendAndClose(&streams.AppendResp{Result: success(result.current, result.position)})
	}
}

// receiveAppend reads the whole request. A request that is refused is still read to its end: a client that
// is stopped while it sends sees only that the stream ended, never why.
func receiveAppend(call streams.Streams_AppendServer) (*streams.AppendReq_Options, write, error) {
	var (
		options *streams.AppendReq_Options
		w       write
		refused error
		size    int
	)
	refuse := func(err error) {
		if refused == nil {
			refused = err
		}
	}
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, w, err
		}
		switch content := message.GetContent().(type) {
		case *streams.AppendReq_Options_:
			if options != nil {
				refuse(errInvalid("an append has one set of options"))
				continue
			}
			options = content.Options
			w.stream = parseName(options.GetStreamIdentifier().GetStreamName())
			if !w.stream.valid() {
				refuse(errInvalid("'%s' is not a valid stream name.", w.stream.full))
			}
			if w.expected, err = appendExpectation(options); err != nil {
				refuse(err)
			}
		case *streams.AppendReq_ProposedMessage_:
			if options == nil {
				refuse(errInvalid("an append begins with its options"))
			}
			if refused != nil {
				continue
			}
			e, err := proposedEvent(content.ProposedMessage)
			if err != nil {
				refuse(err)
				continue
			}
			if size += eventSize(e); size > maxAppendSize {
				w.events = nil
				refuse(errAppendTooBig())
				continue
			}
			w.events = append(w.events, e)
		default:
			refuse(errInvalid("'%T' is not a valid part of an append.", content))
		}
	}
	if options == nil {
		refuse(errInvalid("an append begins with its options"))
	}
	return options, w, refused
}

// eventSize is what an event counts against the limit: the type counts in UTF-16, as the protocol has it.
func eventSize(e *event) int {
	return len(e.data) + len(e.metadata) + 2*utf16Length(e.kind)
}

func utf16Length(s []byte) int {
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		n += utf16.RuneLen(r)
		s = s[size:]
	}
	return n
}

func proposedEvent(message *streams.AppendReq_ProposedMessage) (*event, error) {
	properties := message.GetMetadata()
	kind, ok := properties["type"]
	if !ok {
		return nil, errMissingMetadata("type")
	}
	content, ok := properties["content-type"]
	if !ok {
		return nil, errMissingMetadata("content-type")
	}
	if kind == "" {
		return nil, errInvalid("an event needs a type")
	}
	id, err := parseUUID(message.GetId())
	if err != nil {
		return nil, err
	}
	return &event{
		id:       id,
		kind:     []byte(kind),
		json:     content == jsonContent,
		metadata: message.GetCustomMetadata(),
		data:     message.GetData(),
	}, nil
}

func parseUUID(message *shared.UUID) (uuid.UUID, error) {
	var id uuid.UUID
	switch value := message.GetValue().(type) {
	case *shared.UUID_Structured_:
		binary.BigEndian.PutUint64(id[:8], uint64(value.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(id[8:], uint64(value.Structured.GetLeastSignificantBits()))
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(value.String_)
		if err != nil {
			return id, errInvalid("'%s' is not a valid event id.", value.String_)
		}
		id = parsed
	}
	if id == uuid.Nil {
		return id, errInvalid("an event needs an id")
	}
	return id, nil
}

func appendExpectation(options *streams.AppendReq_Options) (int64, error) {
	switch expected := options.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return expectedRevision(expected.Revision), nil
	case *streams.AppendReq_Options_NoStream:
		return expectNoStream, nil
	case *streams.AppendReq_Options_Any:
		return expectAny, nil
	case *streams.AppendReq_Options_StreamExists:
		return expectStreamExists, nil
	default:
		return 0, errInvalid("'%T' is not a valid expected stream revision.", expected)
	}
}

// expectedRevision keeps revisions that no stream can reach from turning into the special ones.
func expectedRevision(revision uint64) int64 { return int64(min(revision, math.MaxInt64)) }

func success(revision int64, position uint64) *streams.AppendResp_Success_ {
	s := &streams.AppendResp_Success{}
	if revision < 0 {
		s.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	} else {
		s.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(revision)}
	}
	if position == 0 {
		s.PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}
	} else {
		s.PositionOption = &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: position, PreparePosition: position},
		}
	}
	return &streams.AppendResp_Success_{Success: s}
}

// wrongVersion says where the stream is and repeats what was expected, in the fields of today and in those
// that older clients read.
func wrongVersion(options *streams.AppendReq_Options, current int64) *streams.AppendResp_WrongExpectedVersion_ {
	w := &streams.AppendResp_WrongExpectedVersion{}
	if current < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(current)}
	}
	switch expected := options.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: expected.Revision}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: expected.Revision}
	case *streams.AppendReq_Options_NoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	case *streams.AppendReq_Options_StreamExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	}
	return &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}
}
