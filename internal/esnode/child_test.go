package esnode_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/stewardhq/steward/internal/esnode"
)

// The variables that make this test binary a server instead of running its tests.
const (
	childRole   = "ESNODE_TEST_CHILD"
	childDir    = "ESNODE_TEST_DIR"
	childSocket = "ESNODE_TEST_SOCKET"
	childFault  = "ESNODE_TEST_FAULT"

	roleNode        = "node"
	roleSmallBlocks = "node with small blocks"
	roleFaulty      = "node on a disk that fails"
	roleNull        = "null"
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); role {
	case "":
		// The client forgets a connection when its server dies. What is left of it tries to connect for ever.
		goleak.VerifyTestMain(m,
			goleak.IgnoreTopFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
			goleak.IgnoreTopFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"))
	case roleNode, roleNull, roleSmallBlocks, roleFaulty:
		serve := map[string]func() error{
			roleNode: func() error { return serveChildNode(esnode.Options{}) }, roleNull: serveNull,
			roleSmallBlocks: func() error { return serveChildNode(esnode.SmallBlocks()) },
			roleFaulty:      serveFaulty,
		}[role]
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// untilOrphaned ends when the parent closes the pipe or dies, so no child outlives its test.
func untilOrphaned() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		// What counts is that the pipe ends, not how.
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

func serveChildNode(options esnode.Options) error {
	node, err := esnode.Open(os.Getenv(childDir), options)
	if err != nil {
		return err
	}
	return errors.Join(node.Serve(untilOrphaned(), os.Getenv(childSocket)), node.Close())
}

// nullServer speaks enough of the protocol for the client and stores nothing: what it costs to talk.
type nullServer struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer
}

func serveNull() error {
	listener, err := net.Listen("unix", os.Getenv(childSocket))
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	streams.RegisterStreamsServer(server, &nullServer{})
	serverfeatures.RegisterServerFeaturesServer(server, &nullServer{})
	context.AfterFunc(untilOrphaned(), server.Stop)
	return server.Serve(listener)
}

// GetSupportedMethods answers what the client wants to hear.
func (*nullServer) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "24.10.0"}, nil
}

// Append takes everything and keeps nothing.
func (*nullServer) Append(call streams.Streams_AppendServer) error {
	var revision uint64
	for {
		_, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		revision++
	}
	return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: revision - 2},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: 1, PreparePosition: 1}},
	}}})
}

// Read sends as many copies of one event as are asked for.
func (*nullServer) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	data, metadata := benchPayload()
	event := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: -1, LeastSignificantBits: -1}}},
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("customer-6ba7b810-9dad-11d1-80b4-00c04fd430c8")},
			Metadata:         map[string]string{"type": "customer.registered", "created": "17000000000000000", "content-type": "application/json"},
			CustomMetadata:   metadata,
			Data:             data,
			CommitPosition:   1, PreparePosition: 1,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: 1},
	}}}
	for range request.GetOptions().GetCount() {
		if err := call.Send(event); err != nil {
			return err
		}
	}
	return nil
}

// child is a server in a process of its own.
type child struct {
	tb      testing.TB
	role    string
	dir     string
	socket  string
	command *exec.Cmd
	stdin   io.Closer // kept, because the child ends when it is closed
	stderr  io.Writer // of the test when nil
	fault   string    // what fails, of a node on a disk that fails
	ended   chan error
}

// startChild starts this binary again in a role. The socket's directory is removed with the test.
func startChild(tb testing.TB, role, dir string) *child {
	tb.Helper()
	sockets, err := os.MkdirTemp("", "esnode")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(sockets); err != nil {
			tb.Error(err)
		}
	})
	c := &child{tb: tb, role: role, dir: dir, socket: filepath.Join(sockets, "s")}
	c.start()
	tb.Cleanup(c.kill)
	return c
}

// start starts the child, again if it was killed: on the same directory and the same socket.
func (c *child) start() {
	c.tb.Helper()
	executable, err := os.Executable()
	if err != nil {
		c.tb.Fatal(err)
	}
	c.command = exec.Command(executable)
	c.command.Env = append(os.Environ(), childRole+"="+c.role, childDir+"="+c.dir, childSocket+"="+c.socket, childFault+"="+c.fault)
	c.command.Stderr = os.Stderr
	if c.stderr != nil {
		c.command.Stderr = c.stderr
	}
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		c.tb.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		c.tb.Fatal(err)
	}
	ended := make(chan error, 1)
	command := c.command
	go func() { ended <- command.Wait() }()
	c.ended = ended
}

// kill ends the child as a crash would, and waits for it. It may be called again.
func (c *child) kill() {
	if c.ended == nil {
		return
	}
	if err := c.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.tb.Errorf("kill the child: %v", err)
	}
	<-c.ended
	c.ended = nil
}

// cpu kills the child and returns the processor time that it took. On a machine that others use as well it
// says more than the time that passed.
func (c *child) cpu() time.Duration {
	c.kill()
	return c.command.ProcessState.UserTime() + c.command.ProcessState.SystemTime()
}

// connect returns a client, once the child answers.
func (c *child) connect() *esdb.Client {
	c.tb.Helper()
	return connect(c.tb, c.socket)
}

// connect waits for the server on a socket and returns a client of it, which the test closes at its end.
func connect(tb testing.TB, socket string) *esdb.Client {
	tb.Helper()
	configuration, err := esdb.ParseConnectionString(esnode.ConnectionString + "&maxDiscoverAttempts=300")
	if err != nil {
		tb.Fatal(err)
	}
	configuration.Address = esnode.Address(socket)
	configuration.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(configuration)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := client.GetServerVersion(); err != nil {
		tb.Fatalf("the server on %s does not answer: %v", socket, err)
	}
	tb.Cleanup(func() { client.Close() })
	return client
}
