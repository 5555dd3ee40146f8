package esnode_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode"
)

// TestRestart holds the cases of the contract that need the server to be restarted.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var offset atomic.Int64
	options := esnode.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }}
	ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()}

	first := start(t, dir, options)
	client := connect(t, first.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(ids[0]))
	for i, id := range ids[1:] {
		mustAppend(t, client, "s-1", esdb.Revision(uint64(i)), newEvent(id))
	}
	var m esdb.StreamMetadata
	m.SetMaxCount(2)
	if _, err := client.SetStreamMetadata(t.Context(), "s-2", esdb.AppendToStreamOptions{}, m); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		mustAppend(t, client, "s-2", esdb.Any{}, newEvent(uuid.New()))
	}
	mustAppend(t, client, "s-3", esdb.NoStream{}, newEvent(uuid.New()))
	if _, err := client.TombstoneStream(t.Context(), "s-3", esdb.TombstoneStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, client, "s-4", esdb.NoStream{}, newEvent(uuid.New()))
	if _, err := client.DeleteStream(t.Context(), "s-4", esdb.DeleteStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	last := mustAppend(t, client, "s-5", esdb.NoStream{}, newEvent(uuid.New()))
	first.stop(t)

	// The clock of the machine was set back in between.
	offset.Store(int64(-time.Hour))
	second := start(t, dir, options)
	client = connect(t, second.socket)

	t.Run("case_16_no_stream_again_is_idempotent", func(t *testing.T) {
		t.Parallel()
		if got := mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(ids[0])); got.NextExpectedVersion != 0 {
			t.Errorf("revision %d", got.NextExpectedVersion)
		}
		if got := len(readStream(t, client, "s-1")); got != 6 {
			t.Errorf("%d of 6 events", got)
		}
	})
	t.Run("case_17_any_again_is_idempotent_here", func(t *testing.T) {
		t.Parallel()
		if got := mustAppend(t, client, "s-1", esdb.Any{}, newEvent(ids[3])); got.NextExpectedVersion != 3 {
			t.Errorf("revision %d", got.NextExpectedVersion)
		}
	})
	t.Run("metadata is still in force", func(t *testing.T) {
		t.Parallel()
		if got := len(readStream(t, client, "s-2")); got != 2 {
			t.Errorf("%d of 2 events", got)
		}
	})
	t.Run("deleted streams stay deleted", func(t *testing.T) {
		t.Parallel()
		for _, stream := range []string{"s-3", "s-4"} {
			options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.StreamExists{}}
			if _, err := client.AppendToStream(t.Context(), stream, options, newEvent(uuid.New())); err == nil {
				t.Errorf("%s exists", stream)
			}
		}
		if got := mustAppend(t, client, "s-4", esdb.NoStream{}, newEvent(uuid.New())); got.NextExpectedVersion != 1 {
			t.Errorf("revision %d", got.NextExpectedVersion)
		}
	})
	t.Run("positions and times go on", func(t *testing.T) {
		t.Parallel()
		got := mustAppend(t, client, "s-5", esdb.Revision(0), newEvent(uuid.New()))
		if got.CommitPosition <= last.CommitPosition {
			t.Errorf("position %d after %d", got.CommitPosition, last.CommitPosition)
		}
		events := readStream(t, client, "s-5")
		if events[1].CreatedDate.Before(events[0].CreatedDate) {
			t.Errorf("%v after %v", events[1].CreatedDate, events[0].CreatedDate)
		}
	})
	t.Run("the log is read from disk", func(t *testing.T) {
		t.Parallel()
		found, err := client.ReadAll(context.Background(), esdb.ReadAllOptions{From: esdb.Start{}}, 6)
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		for _, id := range ids {
			if e, err := found.Recv(); err != nil || e.Event.EventID != id {
				t.Fatalf("got %v, %v, want %s", e, err, id)
			}
		}
	})
}

func TestMaxAgeHidesTheOld(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	r := start(t, t.TempDir(), esnode.Options{
		NoSync: true,
		Clock:  func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	})
	client := connect(t, r.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	var m esdb.StreamMetadata
	m.SetMaxAge(time.Minute)
	if _, err := client.SetStreamMetadata(t.Context(), "s-1", esdb.AppendToStreamOptions{}, m); err != nil {
		t.Fatal(err)
	}
	offset.Store(int64(50 * time.Second))
	mustAppend(t, client, "s-1", esdb.Revision(0), newEvent(uuid.New()))
	if got := len(readStream(t, client, "s-1")); got != 2 {
		t.Errorf("after 50 s: %d of 2 events", got)
	}
	offset.Store(int64(70 * time.Second))
	if got := readStream(t, client, "s-1"); len(got) != 1 || got[0].EventNumber != 1 {
		t.Errorf("after 70 s: %v", got)
	}
	// When all are too old the stream is empty, and it is still there.
	offset.Store(int64(time.Hour))
	if got := readStream(t, client, "s-1"); len(got) != 0 {
		t.Errorf("after an hour: %v", got)
	}
}
