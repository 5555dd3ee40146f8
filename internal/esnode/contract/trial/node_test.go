package trial_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/esnode/contract"
)

// serve opens a node and serves it on a listener until the test ends.
func serve(t *testing.T, listener net.Listener) {
	t.Helper()
	node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatalf("open the node: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.Background(), listener) }()
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Errorf("close the node: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// onSocket serves a node on a Unix socket.
func onSocket(t *testing.T) contract.Target {
	t.Helper()
	// The directories of tests can be too long for a socket.
	dir, err := os.MkdirTemp("", "trial")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(dir, "s")
	listener, err := esnode.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener)
	return contract.Target{ConnectionString: esnode.ConnectionString, Address: esnode.Address(socket)}
}

// onLoopback serves a node on TCP, behind TLS if there is a configuration for it, and returns host and port.
func onLoopback(t *testing.T, secure *tls.Config) string {
	t.Helper()
	listener := listen(t)
	address := listener.Addr().String()
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	serve(t, listener)
	return address
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// free is an address on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	return listener.Addr().String()
}
