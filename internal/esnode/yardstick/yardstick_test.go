package yardstick_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const seed = 7

// serve runs a server until the test ends and returns a client of it.
func serve(t *testing.T, run func(ctx context.Context, socket string) error) *yardstick.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "yardstick") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(dir, "s")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, socket) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v", err)
		}
	})
	connecting, giveUp := context.WithTimeout(t.Context(), 20*time.Second)
	defer giveUp()
	client, err := yardstick.Connect(connecting, socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func serveNode(t *testing.T) *yardstick.Client {
	t.Helper()
	node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, func(ctx context.Context, socket string) error {
		return errors.Join(node.Serve(ctx, socket), node.Close())
	})
}

func serveNull(t *testing.T) *yardstick.Client {
	t.Helper()
	return serve(t, func(ctx context.Context, socket string) error { return yardstick.ServeNull(ctx, socket, seed) })
}

// fill appends streams of ten events, made up as those that the null server sends.
func fill(t *testing.T, c *yardstick.Client, count int) {
	t.Helper()
	source := yardstick.NewSource(seed)
	for i := 0; i < count; {
		stream := ""
		for revision := int64(yardstick.NoStream); revision < 9 && i < count; revision++ {
			name, e := source.Stream(), source.Next()
			if stream == "" {
				stream = name
			}
			if err := c.Append(t.Context(), stream, revision, e); err != nil {
				t.Fatal(err)
			}
			i++
		}
	}
}

// TestNullSendsWhatTheNodeSends is what makes the two comparable: the same events, byte for byte.
func TestNullSendsWhatTheNodeSends(t *testing.T) {
	t.Parallel()
	node, null := serveNode(t), serveNull(t)
	const count = 500
	fill(t, node, count)
	fromNode, err := node.ReadAll(t.Context(), count)
	if err != nil {
		t.Fatal(err)
	}
	fromNull, err := null.ReadAll(t.Context(), count)
	if err != nil {
		t.Fatal(err)
	}
	if fromNode != fromNull || fromNode.Events != count {
		t.Errorf("the node sent %+v, the null server %+v, want %d events and the same bytes", fromNode, fromNull, count)
	}
}

func TestNullAnswersAppends(t *testing.T) {
	t.Parallel()
	fill(t, serveNull(t), 25) // which looks at the revisions that are answered
}

func TestReadNewest(t *testing.T) {
	t.Parallel()
	node := serveNode(t)
	if err := node.ReadNewest(t.Context()); !errors.Is(err, yardstick.ErrEmpty) {
		t.Errorf("an empty log answers %v, want %v", err, yardstick.ErrEmpty)
	}
	fill(t, node, 1)
	if err := node.ReadNewest(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAppendTellsOfAConflict(t *testing.T) {
	t.Parallel()
	node, source := serveNode(t), yardstick.NewSource(seed)
	if err := node.Append(t.Context(), source.Stream(), 3, source.Next()); err == nil {
		t.Error("an append at a revision that the stream has not reached was accepted")
	}
}

func TestSubscriptionFollows(t *testing.T) {
	t.Parallel()
	node, source := serveNode(t), yardstick.NewSource(seed)
	fill(t, node, 3)
	sub, err := node.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := source.Next()
	want.ID = uuid.New() // the source begins like the one that filled the log
	if err := node.Append(t.Context(), "customer-"+uuid.NewString(), yardstick.NoStream, want); err != nil {
		t.Fatal(err)
	}
	if id, err := sub.Next(); err != nil || id != want.ID {
		t.Errorf("the subscription got %s (%v), want %s", id, err, want.ID)
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	if _, err := sub.Next(); err == nil {
		t.Error("a closed subscription goes on")
	}
}

// TestConnectGivesUp has nobody listening.
func TestConnectGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := yardstick.Connect(ctx, filepath.Join(t.TempDir(), "nobody")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestSourceRepeats(t *testing.T) {
	t.Parallel()
	a, b, other := yardstick.NewSource(1), yardstick.NewSource(1), yardstick.NewSource(2)
	first, again, different := a.Next(), b.Next(), other.Next()
	if string(first.Data) != string(again.Data) || first.ID != again.ID || first.Type == "" || len(first.Metadata) == 0 {
		t.Errorf("the same seed gave %+v and %+v", first, again)
	}
	if first.ID == different.ID || string(first.Data) == string(different.Data) {
		t.Error("another seed gave the same event")
	}
	if size := first.Size(); size < 550 || size > 750 {
		t.Errorf("an event has %d bytes, which is not the usual size", size)
	}
}
