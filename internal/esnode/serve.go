package esnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// ConnectionString is what a client parses before it sets its address to that of the socket: the host in it
// is never resolved. There is no TLS, because the socket's file mode decides who may connect.
const ConnectionString = "esdb://local:2113?tls=false"

// Address is the address under which a client reaches the node that serves on the socket.
func Address(socketPath string) string {
	if absolute, err := filepath.Abs(socketPath); err == nil {
		socketPath = absolute
	}
	return "unix://" + socketPath
}

// maxSocketPath is what fits into a socket address on Linux, the final zero byte left out.
const maxSocketPath = 107

// maxMessageSize is the largest message that is received, that of the server which the node stands in for.
const maxMessageSize = 16<<20 - 10_000

// closePatience is how long Close waits for calls before it cuts them off. Appends take milliseconds; only a
// client that has stopped reading keeps a call longer.
const closePatience = 5 * time.Second

// Serve listens on a Unix socket that only the owner may use and answers calls until ctx ends or the node is
// closed. A node serves once: when Serve has returned, Close is all that is left. The socket's directory
// must exist and should be private.
func (n *Node) Serve(ctx context.Context, socketPath string) error {
	listener, err := Listen(socketPath)
	if err != nil {
		return err
	}
	return n.ServeListener(ctx, listener)
}

// ServeListener is Serve on a listener of the caller's making, which it closes. Whoever can connect to it can
// read and write everything.
func (n *Node) ServeListener(ctx context.Context, listener net.Listener) error {
	n.servers.Lock()
	if n.server != nil {
		n.servers.Unlock()
		return errors.Join(errors.New("a node serves only once"), listener.Close())
	}
	if n.isStopped() {
		n.servers.Unlock()
		return listener.Close()
	}
	server := n.newServer(listener.Addr())
	n.server = server
	n.servers.Unlock()

	release := context.AfterFunc(ctx, n.shutdown)
	defer release()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var err error
	select {
	case err = <-served:
		n.shutdown()
	case <-n.deserted:
	}
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve the event store: %w", err)
	}
	return nil
}

// ServerOptions are the settings of the node's gRPC server. A server that the node is measured against has the
// same, so that what differs is the node.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxMessageSize),
		// A subscription holds a stream for as long as it lives; there is no reason to ration them.
		grpc.MaxConcurrentStreams(1 << 20),
		// Clients ping every ten seconds, calls or no calls. The default would hang up on them.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
}

// newServer makes the server with its services. It must be stopped in the end even if it never serves.
func (n *Node) newServer(address net.Addr) *grpc.Server {
	server := grpc.NewServer(ServerOptions()...)
	streams.RegisterStreamsServer(server, &streamsServer{node: n})
	serverfeatures.RegisterServerFeaturesServer(server, featuresServer{})
	gossip.RegisterGossipServer(server, &gossipServer{instance: n.instance, address: address})
	n.registerAdmin(server, address)
	return server
}

func (n *Node) isStopped() bool {
	select {
	case <-n.stopped:
		return true
	default:
		return false
	}
}

// shutdown ends the service: new calls are refused, subscriptions end, and calls in progress are finished.
func (n *Node) shutdown() {
	n.stop.Do(func() { close(n.stopped) })
	n.disk.giveUp()
	n.servers.Lock()
	server := n.server
	n.servers.Unlock()
	if server == nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		server.GracefulStop()
	}()
	select {
	case <-answered:
		return
	case <-n.deserted:
		return
	case <-time.After(closePatience):
	}
	go server.Stop()
	select {
	case <-answered:
	case <-n.disk.stuck:
		// A call met the failure of a write and will never be answered.
		n.desert.Do(func() { close(n.deserted) })
	}
}

// Listen opens a Unix socket for ServeListener that only its owner may use. When it has returned, clients can
// connect already; they are answered as soon as the node serves. A socket that a crashed process left behind is removed; one that somebody answers on
// is not, and Listen fails.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket path %s has %d bytes and may have %d; choose a shorter directory", path, len(path), maxSocketPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the event store: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the event store's socket: %w", err), listener.Close())
	}
	return listener, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the event store's socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is not a socket; choose another path for the event store's socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(context.Background(), "unix", path); err == nil {
		return errors.Join(fmt.Errorf("another process serves on %s; stop it or choose another path", path), conn.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale socket: %w", err)
	}
	return nil
}
