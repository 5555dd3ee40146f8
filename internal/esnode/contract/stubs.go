package contract

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
)

// expectation sets the expected revision of an append that goes through the bare protocol.
type expectation func(*streams.AppendReq_Options)

func expectAny(o *streams.AppendReq_Options) {
	o.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: &shared.Empty{}}
}

func expectNoStream(o *streams.AppendReq_Options) {
	o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
}

func expectExists(o *streams.AppendReq_Options) {
	o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
}

func expectRevision(revision uint64) expectation {
	return func(o *streams.AppendReq_Options) {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: revision}
	}
}

func expectNothing(*streams.AppendReq_Options) {}

// proposed is an event in the form of the protocol.
func proposed(id uuid.UUID, kind string, data []byte) *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{
		Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
			LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
		}}},
		Metadata: map[string]string{"type": kind, "content-type": "application/json"},
		Data:     data,
	}
}

// send appends through the bare protocol.
func (st stream) send(expected expectation, messages ...*streams.AppendReq_ProposedMessage) (*streams.AppendResp, told, error) {
	options := &streams.AppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(st.name)}}
	expected(options)
	var beside told
	call, err := st.s.streams.Append(st.ctx, grpc.Header(&beside.headers), grpc.Trailer(&beside.trailers))
	if err != nil {
		return nil, beside, err
	}
	// Sending fails when the server has answered already; the answer then says why.
	if call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}}) == nil {
		for _, message := range messages {
			if call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: message}}) != nil {
				break
			}
		}
	}
	response, err := call.CloseAndRecv()
	return response, beside, err
}

func (st stream) mustSend(expected expectation, messages ...*streams.AppendReq_ProposedMessage) *streams.AppendResp {
	st.t.Helper()
	response, _, err := st.send(expected, messages...)
	if err != nil {
		st.t.Fatalf("append: %v", err)
	}
	return response
}

// readRequest is a read of the stream, forwards from the start; the case changes what it is about.
func (st stream) readRequest() *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(st.name)},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: math.MaxInt32},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}
}

// allRequest is the same for $all, from the start of the log: whoever wants more than its first events sets
// where to begin.
func (st stream) allRequest() *streams.ReadReq_Options {
	options := st.readRequest()
	options.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}}
	return options
}

func allFrom(commit, prepare uint64) *streams.ReadReq_Options_All {
	return &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: commit, PreparePosition: prepare},
		},
	}}
}

// ask sends a read through the bare protocol and collects all answers.
func (st stream) ask(options *streams.ReadReq_Options) ([]*streams.ReadResp, told, error) {
	var beside told
	call, err := st.s.streams.Read(st.ctx, &streams.ReadReq{Options: options}, grpc.Header(&beside.headers), grpc.Trailer(&beside.trailers))
	if err != nil {
		return nil, beside, err
	}
	var answers []*streams.ReadResp
	for {
		answer, err := call.Recv()
		if err != nil {
			return answers, beside, ended(err)
		}
		answers = append(answers, answer)
	}
}

func (st stream) mustAsk(options *streams.ReadReq_Options) []*streams.ReadResp {
	st.t.Helper()
	answers, _, err := st.ask(options)
	if err != nil {
		st.t.Fatalf("read: %v", err)
	}
	return answers
}

// deleteRaw deletes at a revision through the bare protocol.
func (st stream) deleteRaw(revision uint64) (told, error) {
	var beside told
	answer, err := st.s.streams.Delete(st.ctx, &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(st.name)},
		ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: revision},
	}}, grpc.Header(&beside.headers), grpc.Trailer(&beside.trailers))
	if err == nil && answer.GetPosition().GetCommitPosition() == 0 {
		// The official client takes it from there without looking whether it is there.
		st.t.Errorf("a deletion without position: %v", answer)
	}
	return beside, err
}

// tombstoneRaw is deleteRaw for ever.
func (st stream) tombstoneRaw(revision uint64) (told, error) {
	var beside told
	answer, err := st.s.streams.Tombstone(st.ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(st.name)},
		ExpectedStreamRevision: &streams.TombstoneReq_Options_Revision{Revision: revision},
	}}, grpc.Header(&beside.headers), grpc.Trailer(&beside.trailers))
	if err == nil && answer.GetPosition().GetCommitPosition() == 0 {
		st.t.Errorf("a tombstone without position: %v", answer)
	}
	return beside, err
}

// ended turns the regular end of a stream of answers into success.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
