package trial_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/esnode/contract"
)

// guard stands before a node and asks for what a secure server asks for: TLS, a certificate of the client, a
// user with a password, and no more than a hundred calls at once on a connection. Messages pass it unread.
type guard struct {
	node          *grpc.ClientConn
	authorization string
}

// openCalls are those that a secure server answers before it knows who asks.
var openCalls = []string{"/event_store.client.server_features.ServerFeatures/", "/event_store.client.gossip.Gossip/"}

// startGuard returns host and port of a guard before the target.
func startGuard(t *testing.T, target contract.Target, secure *tls.Config, user, password string) string {
	t.Helper()
	node, err := grpc.NewClient(target.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(unread{}), grpc.MaxCallRecvMsgSize(math.MaxInt)))
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{node: node, authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(secure)),
		grpc.MaxConcurrentStreams(100),
		grpc.MaxRecvMsgSize(math.MaxInt),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ForceServerCodecV2(unread{}),
		grpc.UnknownServiceHandler(g.pass),
	)
	listener := listen(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := errors.Join(<-served, node.Close()); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// pass carries one call through.
func (g *guard) pass(_ any, front grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(front)
	if !ok {
		return status.Error(codes.Internal, "a call without a method")
	}
	if !g.admits(front.Context(), method) {
		return status.Error(codes.PermissionDenied, "Access Denied")
	}
	ctx, cancel := context.WithCancel(front.Context())
	defer cancel()
	back, err := g.node.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	go func() {
		for {
			var m message
			if front.RecvMsg(&m) != nil {
				// The node sees the end of the request; when the call was cancelled, so is this one.
				_ = back.CloseSend()
				return
			}
			if back.SendMsg(&m) != nil {
				return
			}
		}
	}()
	for {
		var m message
		if err := back.RecvMsg(&m); err != nil {
			front.SetTrailer(back.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := front.SendMsg(&m); err != nil {
			return err
		}
	}
}

func (g *guard) admits(ctx context.Context, method string) bool {
	for _, prefix := range openCalls {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	authorization := metadata.ValueFromIncomingContext(ctx, "authorization")
	return len(authorization) == 1 && authorization[0] == g.authorization
}

// message is a message as it travels.
type message []byte

// unread is the codec that leaves messages as they are.
type unread struct{}

// Name implements encoding.CodecV2.
func (unread) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (unread) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*m)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (unread) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("%T is not a message", v)
	}
	*m = data.Materialize()
	return nil
}
