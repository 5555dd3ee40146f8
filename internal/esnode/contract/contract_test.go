package contract_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/esnode/contract"
)

// TestContract runs against the server in STEWARD_TEST_EVENTSTORE_URL, and without one against an embedded
// node, which must not be told apart by any case.
func TestContract(t *testing.T) {
	t.Parallel()
	if url := strings.TrimSpace(os.Getenv("STEWARD_TEST_EVENTSTORE_URL")); url != "" {
		contract.Run(t, contract.Target{ConnectionString: url})
		return
	}
	t.Log("testing an embedded node; set STEWARD_TEST_EVENTSTORE_URL=esdb://user:password@host:2113 to test a server")
	contract.Run(t, serveNode(t))
}

func serveNode(t *testing.T) contract.Target {
	t.Helper()
	dir := t.TempDir()
	node, err := esnode.Open(filepath.Join(dir, "data"), esnode.Options{})
	if err != nil {
		t.Fatalf("open the node: %v", err)
	}
	// The directories of tests can be too long for a socket.
	sockets, err := os.MkdirTemp("", "esnode")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(sockets, "s")
	listener, err := esnode.Listen(socket)
	if err != nil {
		t.Fatal(err)
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
		if err := os.RemoveAll(sockets); err != nil {
			t.Error(err)
		}
	})
	return contract.Target{ConnectionString: esnode.ConnectionString, Address: esnode.Address(socket)}
}
