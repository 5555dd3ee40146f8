package eventstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
)

// node is an embedded node that can be stopped and started again.
type node struct {
	tb      testing.TB
	dir     string
	socket  string
	cancel  context.CancelFunc
	stopped chan error
	proxies atomic.Int32
}

// startNode starts a node in a directory of its own with a short path.
func startNode(tb testing.TB) *node {
	tb.Helper()
	dir := shortDir(tb)
	n := &node{tb: tb, dir: filepath.Join(dir, "data"), socket: filepath.Join(dir, "s")}
	n.start()
	tb.Cleanup(n.stop)
	return n
}

// shortDir makes a directory for a socket, whose path has little room.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "es")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (n *node) start() {
	n.tb.Helper()
	inner, err := esnode.Open(n.dir, esnode.Options{NoSync: true})
	if err != nil {
		n.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.stopped = cancel, make(chan error, 1)
	go func() {
		err := inner.Serve(ctx, n.socket)
		if closeErr := inner.Close(); err == nil {
			err = closeErr
		}
		n.stopped <- err
	}()
}

func (n *node) stop() {
	n.tb.Helper()
	if n.cancel == nil {
		return
	}
	n.cancel()
	n.cancel = nil
	if err := <-n.stopped; err != nil {
		n.tb.Errorf("stop the node: %v", err)
	}
}

// proxy puts a fault proxy before the node.
func (n *node) proxy() *faultproxy.Proxy {
	n.tb.Helper()
	p, err := n.newProxy(n.tb)
	if err != nil {
		n.tb.Fatal(err)
	}
	return p
}

// newProxy is proxy for a subtest, which shares the node with others.
func (n *node) newProxy(tb testing.TB) (*faultproxy.Proxy, error) {
	p, err := faultproxy.Listen(fmt.Sprintf("%s%d", n.socket, n.proxies.Add(1)), n.socket)
	if err == nil {
		tb.Cleanup(func() { _ = p.Close() })
	}
	return p, err
}

// open opens a store at a socket.
func open(tb testing.TB, socket string, edit ...func(*eventstore.Config)) *eventstore.Store {
	tb.Helper()
	c := eventstore.Config{Socket: socket}
	for _, f := range edit {
		f(&c)
	}
	s, err := eventstore.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// proposed makes n new events.
func proposed(n int) []events.Proposed {
	batch := make([]events.Proposed, n)
	for i := range batch {
		batch[i] = events.Proposed{
			ID: uuid.New(), Type: "thing.happened",
			Data:     fmt.Appendf(nil, `{"n":%d}`, i),
			Metadata: []byte(`{"schema":1}`),
		}
	}
	return batch
}

func stream() string { return "thing-" + uuid.NewString() }

func mustAppend(tb testing.TB, s *eventstore.Store, stream string, expected eventstore.Revision, batch []events.Proposed) eventstore.Appended {
	tb.Helper()
	done, err := s.Append(tb.Context(), stream, expected, batch)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

func mustRead(tb testing.TB, s *eventstore.Store, stream string) []events.Record {
	tb.Helper()
	records, err := s.ReadStream(tb.Context(), stream, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return records
}

// within fails the test unless fn returns in time.
func within(tb testing.TB, limit time.Duration, what string, fn func()) time.Duration {
	tb.Helper()
	done := make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		tb.Fatalf("%s took more than %v", what, limit)
	}
	return time.Since(begun)
}
