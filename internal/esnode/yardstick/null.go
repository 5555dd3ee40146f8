package yardstick

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that everything but frames goes through
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/stewardhq/steward/internal/esnode"
)

// ServeNull answers on a Unix socket as the node does and stores nothing, until ctx ends. It takes every append
// for right and keeps none of it; a read of $all gets as many events as it asks for, made up from seed and encoded
// beforehand. Everything else is unimplemented.
func ServeNull(ctx context.Context, socket string, seed uint64) error {
	frames, err := makeFrames(seed)
	if err != nil {
		return err
	}
	listener, err := esnode.Listen(socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(append(esnode.ServerOptions(), grpc.ForceServerCodecV2(nullCodec{encoding.GetCodecV2("proto")}))...)
	null := &nullServer{frames: frames}
	streams.RegisterStreamsServer(server, null)
	serverfeatures.RegisterServerFeaturesServer(server, null)
	release := context.AfterFunc(ctx, server.Stop)
	defer release()
	if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve nothing: %w", err)
	}
	return nil
}

type nullServer struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer
	frames []nullFrame
}

// GetSupportedMethods answers what a client asks first.
func (*nullServer) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "24.10.0"}, nil
}

// Append takes everything and keeps nothing.
func (*nullServer) Append(call streams.Streams_AppendServer) error {
	revision := int64(NoStream)
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch content := message.GetContent().(type) {
		case *streams.AppendReq_Options_:
			if expected, ok := content.Options.GetExpectedStreamRevision().(*streams.AppendReq_Options_Revision); ok {
				revision = int64(expected.Revision)
			}
		case *streams.AppendReq_ProposedMessage_:
			revision++
		}
	}
	return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(revision)},
		PositionOption: &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: nullPosition, PreparePosition: nullPosition},
		},
	}}})
}

// Read sends the frames in turn until the count is reached, whatever is asked for.
func (n *nullServer) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	for i := range request.GetOptions().GetCount() {
		if err := call.SendMsg(n.frames[i%uint64(len(n.frames))]); err != nil {
			return err
		}
	}
	return nil
}

const (
	// nullFrames is how many different events are sent in turn: more than the caches of a processor hold.
	nullFrames = 20_000
	// nullPosition is a position in a log of about a million events, since a number's length depends on its size.
	nullPosition = 600_000_000
)

// nullFrame is a ReadResp in its wire form.
type nullFrame []byte

func makeFrames(seed uint64) ([]nullFrame, error) {
	source := NewSource(seed)
	frames := make([]nullFrame, nullFrames)
	for i := range frames {
		encoded, err := proto.Marshal(readResponse(source.Stream(), uint64(i%10), source.Next()))
		if err != nil {
			return nil, fmt.Errorf("encode an event: %w", err)
		}
		frames[i] = encoded
	}
	return frames, nil
}

func readResponse(stream string, revision uint64, e Event) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               structured(e.ID),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			StreamRevision:   revision,
			PreparePosition:  nullPosition,
			CommitPosition:   nullPosition,
			Metadata:         map[string]string{"type": e.Type, "created": "17000000000000000", "content-type": "application/json"},
			CustomMetadata:   e.Metadata,
			Data:             e.Data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: nullPosition},
	}}}
}

func structured(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// nullCodec sends frames as they are, as the node's own codec does, and leaves every other message to protobuf.
type nullCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c nullCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(nullFrame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f)}, nil
	}
	return c.CodecV2.Marshal(v)
}
