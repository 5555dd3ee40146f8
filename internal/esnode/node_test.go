package esnode_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/esnode"
)

// running is a node that serves in this process.
type running struct {
	node   *esnode.Node
	socket string
	served chan error
}

// start opens a node and serves it; the test stops it at its end, unless it did so itself.
func start(tb testing.TB, dir string, options esnode.Options) *running {
	tb.Helper()
	node, err := esnode.Open(dir, options)
	if err != nil {
		tb.Fatalf("open the node: %v", err)
	}
	sockets, err := os.MkdirTemp("", "esnode")
	if err != nil {
		tb.Fatal(err)
	}
	r := &running{node: node, socket: filepath.Join(sockets, "s"), served: make(chan error, 1)}
	listener, err := esnode.Listen(r.socket)
	if err != nil {
		tb.Fatal(err)
	}
	go func() { r.served <- node.ServeListener(context.Background(), listener) }()
	tb.Cleanup(func() {
		r.stop(tb)
		if err := os.RemoveAll(sockets); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func (r *running) stop(tb testing.TB) {
	tb.Helper()
	if r.served == nil {
		return
	}
	if err := r.node.Close(); err != nil {
		tb.Errorf("close: %v", err)
	}
	if err := <-r.served; err != nil {
		tb.Errorf("serve: %v", err)
	}
	r.served = nil
}

func newEvent(id uuid.UUID) esdb.EventData {
	return esdb.EventData{EventID: id, EventType: "test.happened", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)}
}

func mustAppend(tb testing.TB, client *esdb.Client, stream string, expected esdb.ExpectedRevision, events ...esdb.EventData) *esdb.WriteResult {
	tb.Helper()
	result, err := client.AppendToStream(context.Background(), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, events...)
	if err != nil {
		tb.Fatalf("append to %s at %v: %v", stream, expected, err)
	}
	return result
}

func readStream(tb testing.TB, client *esdb.Client, stream string) []*esdb.RecordedEvent {
	tb.Helper()
	found, err := client.ReadStream(context.Background(), stream, esdb.ReadStreamOptions{From: esdb.Start{}}, ^uint64(0))
	if err != nil {
		tb.Fatal(err)
	}
	defer found.Close()
	var events []*esdb.RecordedEvent
	for {
		e, err := found.Recv()
		if err != nil {
			var failure *esdb.Error
			if errors.As(err, &failure) {
				tb.Fatalf("read %s: %v", stream, err)
			}
			return events
		}
		events = append(events, e.Event)
	}
}

func TestSecondOpenNamesTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir, esnode.Options{})
	_, err := esnode.Open(dir, esnode.Options{})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("got %v", err)
	}
}

// A lock that cannot be made is nobody else's doing.
func TestLockThatCannotBeMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "LOCK"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := esnode.Open(dir, esnode.Options{})
	if err == nil || errors.Is(err, esnode.ErrInUse) || strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, roleNode, dir)
	c.connect()
	_, err := esnode.Open(dir, esnode.Options{})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("got %v", err)
	}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	t.Run("only the owner may use it", func(t *testing.T) {
		t.Parallel()
		r := start(t, t.TempDir(), esnode.Options{NoSync: true})
		info, err := os.Stat(r.socket)
		if err != nil || info.Mode().Perm() != 0o600 || info.Mode()&fs.ModeSocket == 0 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
		r.stop(t)
		if _, err := os.Stat(r.socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	t.Run("a stale one is replaced", func(t *testing.T) {
		t.Parallel()
		c := startChild(t, roleNode, t.TempDir())
		c.connect()
		c.kill()
		listener, err := esnode.Listen(c.socket)
		if err != nil {
			t.Fatal(err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("one in use is left alone", func(t *testing.T) {
		t.Parallel()
		r := start(t, t.TempDir(), esnode.Options{NoSync: true})
		if _, err := esnode.Listen(r.socket); err == nil || !strings.Contains(err.Error(), r.socket) {
			t.Fatalf("got %v", err)
		}
		connect(t, r.socket)
	})
	t.Run("a file is left alone", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := esnode.Listen(path); err == nil {
			t.Fatal("listened on a file")
		}
	})
	t.Run("a path that is too long is explained", func(t *testing.T) {
		t.Parallel()
		_, err := esnode.Listen("/" + strings.Repeat("x", 120))
		if err == nil || !strings.Contains(err.Error(), "shorter") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := start(t, t.TempDir(), esnode.Options{Registerer: registry})
	client := connect(t, r.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	sub, err := client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	for sub.Recv().CaughtUp == nil {
		// The history comes first.
	}
	if got := gauge(t, registry, "steward_esnode_subscriptions"); got != 1 {
		t.Errorf("%v subscriptions are counted", got)
	}
	if got := gauge(t, registry, "steward_esnode_events_total"); got != 1 {
		t.Errorf("%v events are counted", got)
	}
	r.stop(t)
	if message := sub.Recv(); message.SubscriptionDropped == nil {
		t.Errorf("after Close came %+v", message)
	}
	if err := r.node.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("metrics left behind: %v, %v", families, err)
	}
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			sum := 0.0
			for _, m := range family.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
			return sum
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// Goroutines that outlive their subscription are found by the leak check at the end of the tests; this one
// shows that cancelling is enough and the node need not be closed.
func TestCancelFreesTheSubscription(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true, Registerer: registry})
	client := connect(t, r.socket)
	var cancels []context.CancelFunc
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		cancels = append(cancels, cancel)
		var err error
		if i%2 == 0 {
			_, err = client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		} else {
			_, err = client.SubscribeToStream(ctx, "s-1", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, cancel := range cancels {
		cancel()
	}
	deadline := time.Now().Add(10 * time.Second)
	for gauge(t, registry, "steward_esnode_subscriptions") != 0 {
		if time.Now().After(deadline) {
			t.Fatal("subscriptions outlive their clients")
		}
		// Each append is a moment in which a forgotten subscription would wake up.
		mustAppend(t, client, "s-1", esdb.Any{}, newEvent(uuid.New()))
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(ctx, listener) }()

	// A TCP listener is found through gossip as well.
	configuration, err := esdb.ParseConnectionString("esdb+discover://" + listener.Addr().String() + "?tls=false")
	if err != nil {
		t.Fatal(err)
	}
	configuration.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(configuration)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := node.ServeListener(t.Context(), second); err == nil {
		t.Error("served twice")
	}
	if err := node.Close(); err != nil {
		t.Error(err)
	}
}
