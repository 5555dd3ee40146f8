package esnode_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/stewardhq/steward/internal/esnode"
)

func TestStats(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := start(t, t.TempDir(), esnode.Options{Clock: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}})
	client, admin := connect(t, r.socket), administer(t, r.socket)

	empty, err := admin.Stats(t.Context(), esnode.StatsOptions{})
	if err != nil || empty.LastPosition != 0 || empty.Events != 0 || !empty.Counted || empty.Disk.Total() == 0 {
		t.Errorf("an empty store: %+v, %v", empty, err)
	}

	event := func(kind string) esdb.EventData {
		e := newEvent(uuid.New())
		e.EventType = kind
		return e
	}
	mustAppend(t, client, "customer-1", esdb.NoStream{}, event("customer.registered"), event("customer.renamed"))
	mustAppend(t, client, "customer-2", esdb.NoStream{}, event("customer.registered"))
	mustAppend(t, client, "domain-1-2", esdb.NoStream{}, event("domain.registered"))
	mustAppend(t, client, "$stats-1", esdb.NoStream{}, event("$stats"), event("$stats"), event("$stats"), event("$stats"))
	mustAppend(t, client, "customer-1", esdb.Revision(1), event("customer.renamed"))

	stats, err := admin.Stats(t.Context(), esnode.StatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Events != 9 || stats.Streams != 4 || stats.FirstPosition != 1 || stats.LastPosition <= 1 {
		t.Errorf("got %+v", stats)
	}
	if stats.FirstTime != time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC) || !stats.LastTime.After(stats.FirstTime) {
		t.Errorf("from %v to %v", stats.FirstTime, stats.LastTime)
	}
	var bytes uint64
	for i := range stats.Categories {
		bytes += stats.Categories[i].Bytes
		stats.Categories[i].Bytes = 0
	}
	if bytes != stats.Bytes || stats.Bytes == 0 {
		t.Errorf("the categories have %d bytes, all together %d", bytes, stats.Bytes)
	}
	want := []esnode.Count{{Name: "customer", Streams: 2, Events: 4}, {Name: "domain", Streams: 1, Events: 1}, {Name: "$stats", Streams: 1, Events: 4}}
	if diff := cmp.Diff(want, stats.Categories); diff != "" {
		t.Errorf("categories (-want +got):\n%s", diff)
	}
	for i := range stats.Types {
		stats.Types[i].Bytes = 0
	}
	want = []esnode.Count{{Name: "customer.registered", Events: 2}, {Name: "customer.renamed", Events: 2}, {Name: "domain.registered", Events: 1}, {Name: "$stats", Events: 4}}
	if diff := cmp.Diff(want, stats.Types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}

	quick, err := admin.Stats(t.Context(), esnode.StatsOptions{Quick: true})
	if err != nil || quick.Counted || quick.Events != 0 || quick.Bytes != stats.Bytes || quick.LastPosition != stats.LastPosition {
		t.Errorf("quick: %+v, %v", quick, err)
	}
	report, err := admin.Check(t.Context(), esnode.CheckOptions{})
	if err != nil || report.Events != 9 || report.Streams != 4 || len(report.Problems) > 0 || report.Bytes != stats.Bytes {
		t.Errorf("check: %+v, %v", report, err)
	}

	r.stop(t)
	if _, err := r.node.Stats(t.Context(), esnode.StatsOptions{}); err == nil {
		t.Error("a closed store has statistics")
	}
	if _, err := admin.Stats(t.Context(), esnode.StatsOptions{}); err == nil || !strings.Contains(err.Error(), "going away") {
		t.Errorf("over the socket: %v", err)
	}
}

// Progress comes while events are counted, over the socket too, and counting ends with its context.
func TestStatsProgress(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	batch := make([]esdb.EventData, 500)
	for n := range 60 {
		for i := range batch {
			batch[i] = newEvent(uuid.New())
		}
		mustAppend(t, client, "s-1", revisionBefore(n*len(batch)), batch...)
	}
	var calls int
	var done, total uint64
	stats, err := r.node.Stats(t.Context(), esnode.StatsOptions{Progress: func(d, of uint64) {
		calls++
		if d < done {
			t.Errorf("progress fell from %d to %d", done, d)
		}
		done, total = d, of
	}})
	if err != nil || stats.Events != 30_000 || calls < 3 || done != total || total != stats.LastPosition {
		t.Errorf("%d calls up to %d of %d; %d events, %v", calls, done, total, stats.Events, err)
	}
	told := 0
	if _, err := administer(t, r.socket).Stats(t.Context(), esnode.StatsOptions{Progress: func(uint64, uint64) { told++ }}); err != nil || told == 0 {
		t.Errorf("told %d times over the socket, %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := r.node.Stats(ctx, esnode.StatsOptions{Progress: func(uint64, uint64) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled after the first events: %v", err)
	}
}

// Nobody administers a node over a network.
func TestAdminIsLocal(t *testing.T) {
	t.Parallel()
	node, err := esnode.Open(t.TempDir(), esnode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.Background(), listener) }()
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	call, err := connection.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/steward.esnode.Admin/Stats")
	if err == nil {
		var answer wrapperspb.BytesValue
		if err = call.SendMsg(wrapperspb.Bytes([]byte("{}"))); err == nil {
			err = call.RecvMsg(&answer)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "unknown service") {
		t.Errorf("got %v", err)
	}
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
	if err := node.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
