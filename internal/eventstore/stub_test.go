package eventstore_test

import (
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// stub is a server that misbehaves as told. Its functions get the number of the
// call, from 1.
type stub struct {
	streams.UnimplementedStreamsServer
	append    func(call int, s streams.Streams_AppendServer) error
	read      func(call int, s streams.Streams_ReadServer) error
	subscribe func(call int, r *streams.ReadReq_Options, s streams.Streams_ReadServer) error

	mu            sync.Mutex
	appends       [][]proto.Message
	reads         int
	subscriptions int
}

// startStub serves on a Unix socket, or on the listener given, and returns the
// socket's path.
func startStub(t *testing.T, s *stub, on ...net.Listener) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	if len(on) == 0 {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		on = append(on, l)
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(100)) // as a real one
	streams.RegisterStreamsServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(on[0]) }()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return path
}

func (s *stub) Append(stream streams.Streams_AppendServer) error {
	var got []proto.Message
	for {
		req, err := stream.Recv()
		if err != nil {
			break
		}
		got = append(got, req)
	}
	s.mu.Lock()
	s.appends = append(s.appends, got)
	call := len(s.appends)
	s.mu.Unlock()
	return s.append(call, stream)
}

func (s *stub) Read(req *streams.ReadReq, stream streams.Streams_ReadServer) error {
	s.mu.Lock()
	call := &s.reads
	subscription := req.GetOptions().GetSubscription() != nil
	if subscription {
		call = &s.subscriptions
	}
	*call++
	number := *call
	s.mu.Unlock()
	if subscription {
		return s.subscribe(number, req.GetOptions(), stream)
	}
	return s.read(number, stream)
}

// success answers an append.
func success(s streams.Streams_AppendServer, revision uint64) error {
	return s.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: revision},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: 7, PreparePosition: 7}},
	}}})
}

func confirmation() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}}
}

func caughtUp() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}
}

func checkpoint(position uint64) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
	}}
}

// event is one event at a position.
func event(position uint64) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("thing-1")},
			StreamRevision:   position, CommitPosition: position, PreparePosition: position,
			Metadata: map[string]string{"type": "thing.happened", "created": "0", "content-type": "application/octet-stream"},
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}

// sendAll sends messages until one fails.
func sendAll(s streams.Streams_ReadServer, messages ...*streams.ReadResp) error {
	for _, m := range messages {
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}
