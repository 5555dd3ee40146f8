package esnode_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/esnode"
)

// The tests here hold what the documentation of the package says the node does in its own way. The contract
// suite cannot: it takes what a real server does as well. What concerns restarts, the clock and the disk
// stands with those.

// dial opens a connection for the bare protocol.
func dial(t *testing.T, r *running) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(esnode.Address(r.socket), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// readsAll is a read of $all from a position.
func readsAll(position uint64, count uint64) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Position{
				Position: &streams.ReadReq_Options_Position{CommitPosition: position, PreparePosition: position},
			},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: count},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}
}

// ask reads through the bare protocol to the end.
func ask(t *testing.T, conn *grpc.ClientConn, options *streams.ReadReq_Options) ([]*streams.ReadResp, error) {
	t.Helper()
	call, err := streams.NewStreamsClient(conn).Read(t.Context(), &streams.ReadReq{Options: options})
	if err != nil {
		return nil, err
	}
	var answers []*streams.ReadResp
	for {
		answer, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return answers, nil
		}
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
	}
}

func TestAnyNumberIsAPosition(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client, conn := connect(t, r.socket), dial(t, r)
	first := mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	second := mustAppend(t, client, "s-1", esdb.Revision(0), newEvent(uuid.New()))
	if first.CommitPosition != 1 {
		t.Errorf("the first position is %d", first.CommitPosition)
	}
	for _, c := range []struct {
		from      uint64
		direction streams.ReadReq_Options_ReadDirection
		want      uint64 // 0 for nothing
	}{
		{first.CommitPosition + 1, streams.ReadReq_Options_Forwards, second.CommitPosition},
		{second.CommitPosition - 1, streams.ReadReq_Options_Backwards, first.CommitPosition},
		{second.CommitPosition + 1, streams.ReadReq_Options_Forwards, 0},
		{math.MaxUint64, streams.ReadReq_Options_Forwards, 0},
		{math.MaxUint64, streams.ReadReq_Options_Backwards, second.CommitPosition},
		{0, streams.ReadReq_Options_Forwards, first.CommitPosition},
		{0, streams.ReadReq_Options_Backwards, 0},
	} {
		options := readsAll(c.from, 1)
		options.ReadDirection = c.direction
		answers, err := ask(t, conn, options)
		var got uint64
		if len(answers) > 0 {
			got = answers[0].GetEvent().GetCommitPosition()
		}
		if err != nil || got != c.want {
			t.Errorf("%v from %d: got %d, %v, want %d", c.direction, c.from, got, err, c.want)
		}
	}
}

func TestAnIDMayBeUsedInTwoStreams(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client, e := connect(t, r.socket), newEvent(uuid.New())
	for range 2 {
		for _, stream := range []string{"s-1", "s-2"} {
			if got := mustAppend(t, client, stream, esdb.Any{}, e); got.NextExpectedVersion != 0 {
				t.Errorf("%s is at revision %d", stream, got.NextExpectedVersion)
			}
		}
	}
}

func TestAReadIsASnapshot(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	// More than the connection takes in before somebody receives.
	const size = 64
	big := func() esdb.EventData {
		e := newEvent(uuid.New())
		e.Metadata = make([]byte, 500<<10)
		return e
	}
	for range size {
		mustAppend(t, client, "s-1", esdb.Any{}, big())
	}
	for name, open := range map[string]func() (*esdb.ReadStream, error){
		"stream": func() (*esdb.ReadStream, error) {
			return client.ReadStream(t.Context(), "s-1", esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxUint64)
		},
		"all": func() (*esdb.ReadStream, error) {
			return client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxUint64)
		},
	} {
		before := len(readStream(t, client, "s-1"))
		read, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read.Recv(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, client, "s-1", esdb.Any{}, big())
		got := 1
		for {
			if _, err := read.Recv(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			got++
		}
		read.Close()
		if got != before {
			t.Errorf("%s: %d events of the %d that there were", name, got, before)
		}
	}
}

func TestForwardsFromTheEndIsEmpty(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client, conn := connect(t, r.socket), dial(t, r)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	options := readsAll(0, 1)
	options.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s-1")},
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}},
	}}
	if answers, err := ask(t, conn, options); err != nil || len(answers) != 0 {
		t.Errorf("got %v, %v", answers, err)
	}
}

func TestAnAppendOfNothingRevivesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	deleted, err := client.DeleteStream(t.Context(), "s-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, expected := range []esdb.ExpectedRevision{esdb.Any{}, esdb.Revision(0)} {
		mustAppend(t, client, "s-1", expected)
	}
	_, err = client.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.StreamExists{}}, newEvent(uuid.New()))
	var failure *esdb.Error
	if !errors.As(err, &failure) || failure.Code() != esdb.ErrorCodeStreamDeleted {
		t.Errorf("the stream is back: %v", err)
	}
	answers, err := ask(t, dial(t, r), readsAll(deleted.Position.Commit, 10))
	if err != nil || len(answers) != 1 {
		t.Errorf("%d events since the deletion, %v, want its own", len(answers), err)
	}
}

func TestAMetastreamGetsNoTombstone(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	_, err := client.TombstoneStream(t.Context(), "$$s-1", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	if status.Code(unwrapped(err)) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
	mustAppend(t, client, "s-1", esdb.Revision(0), newEvent(uuid.New()))
}

// unwrapped is what is inside an error of the client.
func unwrapped(err error) error {
	var failure *esdb.Error
	if errors.As(err, &failure) {
		return failure.Err()
	}
	return err
}

func TestRegularExpressionsOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	conn := dial(t, r)
	for _, pattern := range []string{`^(?!\$)`, `(?<=a)b`, `(a)\1`, `(?>a)`, `[`} {
		options := readsAll(0, 1)
		options.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_EventType{
				EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: pattern},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
			CheckpointIntervalMultiplier: 1,
		}}
		if _, err := ask(t, conn, options); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestServicesThatAreLeftOut(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	conn := dial(t, r)
	for name, call := range map[string]func() error{
		"persistent subscriptions": func() error {
			_, err := persistent.NewPersistentSubscriptionsClient(conn).List(t.Context(), &persistent.ListReq{})
			return err
		},
		"projections": func() error {
			_, err := projections.NewProjectionsClient(conn).Enable(t.Context(), &projections.EnableReq{})
			return err
		},
		"batch append": func() error {
			call, err := streams.NewStreamsClient(conn).BatchAppend(t.Context())
			if err != nil {
				return err
			}
			_, err = call.Recv()
			return err
		},
		"operations": func() error {
			return conn.Invoke(t.Context(), "/event_store.client.operations.Operations/StartScavenge", &shared.Empty{}, &shared.Empty{})
		},
	} {
		if code := status.Code(call()); code != codes.Unimplemented {
			t.Errorf("%s: %v", name, code)
		}
	}
}

// A client that is stopped while it sends learns only that the stream ended, so the node reads to the end of
// a request before it refuses it.
func TestARefusedAppendKeepsItsReason(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	var events []esdb.EventData
	for range 12 {
		e := newEvent(uuid.New())
		e.Data = make([]byte, 1<<20)
		events = append(events, e)
	}
	for range 20 {
		_, err := client.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events...)
		if s, _ := status.FromError(unwrapped(err)); s.Code() != codes.InvalidArgument || s.Message() != "Maximum Append Size of 1048576 Exceeded." {
			t.Fatalf("got %v", err)
		}
	}
}

func TestRequestsInDisorderAreInvalid(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	conn := dial(t, r)
	options := &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("s-1")},
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}}
	event := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
		Metadata: map[string]string{"type": "test.happened", "content-type": "application/json"},
	}}}
	broken := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: "no id"}},
		Metadata: map[string]string{"type": "test.happened", "content-type": "application/json"},
	}}}
	for name, messages := range map[string][]*streams.AppendReq{
		"nothing":           {},
		"an event alone":    {event},
		"events first":      {event, options},
		"options twice":     {options, event, options},
		"an empty message":  {options, {}, event},
		"an id that is not": {options, broken},
	} {
		call, err := streams.NewStreamsClient(conn).Append(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range messages {
			if err := call.Send(message); err != nil {
				t.Fatalf("%s: the request was not read to its end: %v", name, err)
			}
		}
		if _, err := call.CloseAndRecv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	read := readsAll(0, 1)
	read.UuidOption = nil
	if _, err := ask(t, conn, read); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a read that does not say how ids shall come: %v", err)
	}
	if answers, err := ask(t, conn, readsAll(0, 10)); err != nil || len(answers) != 0 {
		t.Errorf("something was written: %v, %v", answers, err)
	}
}

// Real servers have sent checkpoints that are no event's; clients that went on from there lost events.
func TestCheckpointsArePositionsOfEvents(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{NoSync: true})
	client := connect(t, r.socket)
	written := map[uint64]bool{}
	write := func(count int) {
		for range count {
			written[mustAppend(t, client, "s-1", esdb.Any{}, newEvent(uuid.New())).CommitPosition] = true
		}
	}
	write(100)
	filter := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"other"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: filter, MaxSearchWindow: 7, CheckpointInterval: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	seen := 0
	for live := false; !live || seen < 30; {
		message := sub.Recv()
		switch {
		case message.CheckPointReached != nil:
			p := message.CheckPointReached
			if seen++; p.Commit != p.Prepare || !written[p.Commit] {
				t.Fatalf("checkpoint %v is no event's", p)
			}
		case message.CaughtUp != nil:
			live = true
			write(200)
		case message.SubscriptionDropped != nil:
			t.Fatal(message.SubscriptionDropped.Error)
		}
	}
}
