package esnode

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// Delete implements the Delete call, the soft deletion that a later append undoes.
func (s *streamsServer) Delete(ctx context.Context, request *streams.DeleteReq) (*streams.DeleteResp, error) {
	options := request.GetOptions()
	w := write{stream: parseName(options.GetStreamIdentifier().GetStreamName()), operation: softDelete}
	switch expected := options.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		w.expected = expectedRevision(expected.Revision)
	case *streams.DeleteReq_Options_NoStream:
		w.expected = expectNoStream
	case *streams.DeleteReq_Options_Any:
		w.expected = expectAny
	case *streams.DeleteReq_Options_StreamExists:
		w.expected = expectStreamExists
	default:
		return nil, errInvalid("'%T' is not a valid expected stream revision.", expected)
	}
	position, err := s.commitDeletion(ctx, w)
	if err != nil {
		return nil, finish(ctx, err)
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// Tombstone implements the Tombstone call, the deletion for ever.
func (s *streamsServer) Tombstone(ctx context.Context, request *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	options := request.GetOptions()
	w := write{stream: parseName(options.GetStreamIdentifier().GetStreamName()), operation: tombstone}
	if w.stream.metastream {
		return nil, finish(ctx, s.refuseMetastream(w.stream))
	}
	switch expected := options.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		w.expected = expectedRevision(expected.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		w.expected = expectNoStream
	case *streams.TombstoneReq_Options_Any:
		w.expected = expectAny
	case *streams.TombstoneReq_Options_StreamExists:
		w.expected = expectStreamExists
	default:
		return nil, errInvalid("'%T' is not a valid expected stream revision.", expected)
	}
	position, err := s.commitDeletion(ctx, w)
	if err != nil {
		return nil, finish(ctx, err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// refuseMetastream says why a metastream gets no tombstone: it has its stream's, or will share it.
func (s *streamsServer) refuseMetastream(stream name) error {
	h, err := s.node.durableHead(stream.base, s.node.horizon.position())
	if err == nil && h.tombstoned() {
		err = errDeleted(stream.full)
	}
	if err != nil {
		return err
	}
	return errInvalid("a metastream is deleted with its stream")
}

// commitDeletion carries out a Delete or a Tombstone and returns the position of the event that records it.
func (s *streamsServer) commitDeletion(ctx context.Context, w write) (uint64, error) {
	if !w.stream.valid() {
		return 0, errInvalid("'%s' is not a valid stream name.", w.stream.full)
	}
	result, err := s.node.commit(ctx, w)
	if err != nil {
		return 0, err
	}
	switch result.outcome {
	case destroyed:
		return 0, errDeleted(w.stream.full)
	case conflict:
		return 0, errDeleteConflict(w.stream.full, w.expected, result.current)
	default:
		return result.position, nil
	}
}
