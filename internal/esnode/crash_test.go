package esnode_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode"
)

// TestKill kills a node in another process while clients append to it. Every acknowledged event must be
// there afterwards, exactly once and at the revision that was answered.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	acked := map[uuid.UUID]place{}
	c := startChild(t, roleNode, dir)
	for round := range rounds {
		client := c.connect()
		verifyAcked(t, client, acked)
		for id, at := range appendUntilKilled(t, c, client) {
			acked[id] = at
		}
		if t.Failed() {
			t.Fatalf("failed in round %d", round)
		}
	}
	if len(acked) == 0 {
		t.Fatal("nothing was ever acknowledged")
	}
	t.Logf("%d acknowledged events survived %d kills", len(acked), rounds)
	c.kill()
	r := start(t, dir, esnode.Options{})
	verifyAcked(t, connect(t, r.socket), acked)
}

// place is where the answer to an append said that its event is.
type place struct {
	stream   string
	revision uint64
	position uint64
}

// appendUntilKilled appends from several writers until the child dies under them, starts it again, and returns
// what was acknowledged.
func appendUntilKilled(t *testing.T, c *child, client *esdb.Client) map[uuid.UUID]place {
	t.Helper()
	var (
		mu    sync.Mutex
		acked = map[uuid.UUID]place{}
		group sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The child dies after a random number of acknowledgements, whatever it is doing then.
	limit := 1 + rand.IntN(400)
	enough := make(chan struct{})
	for range 8 {
		group.Go(func() {
			stream := "s-" + uuid.NewString()
			expected := esdb.ExpectedRevision(esdb.NoStream{})
			for {
				id := uuid.New()
				result, err := client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, newEvent(id))
				if err != nil {
					return
				}
				mu.Lock()
				acked[id] = place{stream, result.NextExpectedVersion, result.CommitPosition}
				if len(acked) == limit {
					close(enough)
				}
				mu.Unlock()
				expected = esdb.Revision(result.NextExpectedVersion)
			}
		})
	}
	<-enough
	c.kill()
	cancel()
	// A client that finds no server for long enough leaves the calls that wait for a connection hanging for
	// ever. This one finds the server that takes the place of the dead one.
	c.start()
	finished := make(chan struct{})
	go func() {
		group.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("the client does not notice that the server is gone")
	}
	mu.Lock()
	defer mu.Unlock()
	return acked
}

func verifyAcked(t *testing.T, client *esdb.Client, acked map[uuid.UUID]place) {
	t.Helper()
	found, err := client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, ^uint64(0))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	counts := map[uuid.UUID]int{}
	next := map[string]uint64{}
	for {
		e, err := found.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		counts[e.Event.EventID]++
		if e.Event.EventNumber != next[e.Event.StreamID] {
			t.Errorf("%s has revision %d where %d belongs", e.Event.StreamID, e.Event.EventNumber, next[e.Event.StreamID])
		}
		next[e.Event.StreamID]++
		if at, ok := acked[e.Event.EventID]; ok && at != (place{e.Event.StreamID, e.Event.EventNumber, e.Event.Position.Commit}) {
			t.Errorf("answered %+v, found %+v", at, e.Event)
		}
	}
	for id := range acked {
		if counts[id] != 1 {
			t.Errorf("an acknowledged event is there %d times", counts[id])
		}
	}
}
