package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The wrapper relies on where the client reports an error. If a new version of
// it reports elsewhere, this is the test that says so.
func TestALostConnectionLeavesTheClientAlone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	where, err := socketTarget(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(where)
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	<-served

	// As many callers as would have blocked for ever, with nobody to answer.
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := guard(func() error {
				_, err := c.esdb.AppendToStream(ctx, "thing-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}},
					esdb.EventData{EventID: uuid.New(), EventType: "thing.happened"})
				return err
			})
			var mapped *esdb.Error
			if (status.Code(err) != codes.Unavailable || errors.As(err, &mapped)) && !errors.Is(err, io.EOF) {
				t.Errorf("an append brought %v", err)
			}
			err = guard(func() error {
				r, err := c.esdb.ReadStream(ctx, "thing-1", esdb.ReadStreamOptions{From: esdb.Start{}}, 1)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = r.Recv()
				return err
			})
			if status.Code(err) != codes.Unavailable || errors.As(err, &mapped) {
				t.Errorf("a read brought %v", err)
			}
			err = guard(func() error {
				_, err := c.esdb.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
				return err
			})
			if status.Code(err) != codes.Unavailable || errors.As(err, &mapped) {
				t.Errorf("a subscription brought %v", err)
			}
		})
	}
	all.Wait()
	if _, err := c.esdb.GetServerVersion(); err != nil {
		t.Errorf("the client's loop is gone: %v", err)
	}
	c.retire()
	if c.enter() {
		t.Error("a retired client took a call")
	}
	c.leave()
	if _, err := c.esdb.GetServerVersion(); !isCode(err, esdb.ErrorCodeConnectionClosed) {
		t.Errorf("the client was not closed by its last call: %v", err)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want verdict
	}{
		{status.Error(codes.Unavailable, ""), away},
		{status.Error(codes.Aborted, ""), away},
		{status.Error(codes.DeadlineExceeded, ""), away},
		{status.Error(codes.Canceled, ""), away},
		{status.Error(codes.Unknown, ""), away},
		{status.Error(codes.Internal, ""), away},
		{status.Error(codes.ResourceExhausted, ""), refused},
		{fmt.Errorf("send: %w", io.EOF), away},
		{context.DeadlineExceeded, away},
		{errSlow, away},
		{errPanic, away},
		{status.Error(codes.InvalidArgument, ""), refused},
		{status.Error(codes.PermissionDenied, ""), refused},
		{fmt.Errorf("append: %w", status.Error(codes.Unauthenticated, "")), refused},
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestTargetsOfURLs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"esdb://db.example":                             "db.example:2113",
		"esdb://ops:s3cret@db.example:1113":             "db.example:1113",
		"esdb://ops:s3cret@[2001:db8::1]":               "[2001:db8::1]:2113",
		"esdb://ops:s3cret@[::1]:1113?tls=true":         "[::1]:1113",
		"esdb://ops:s3cret@a:1,b:2,c:3?tls=true":        "a:1,b:2,c:3",
		"esdb+discover://ops:s3cret@cluster.example":    "cluster.example:2113",
		"esdb://a:1,b:2,c:3?nodePreference=follower":    "a:1,b:2,c:3",
		"esdb://h:1?gossipTimeout=7&KeepAliveTimeout=1": "h:1",
	} {
		got, err := urlTarget(raw, false)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.name != want || got.config.MaxDiscoverAttempts != 1 {
			t.Errorf("%s: %s, %d attempts", raw, got.name, got.config.MaxDiscoverAttempts)
		}
	}
	if got, err := urlTarget("esdb://h:1?gossipTimeout=7", false); err != nil || got.config.GossipTimeout != 7 {
		t.Errorf("gossipTimeout: %v, %v", got.config.GossipTimeout, err)
	}
	if got, err := urlTarget("esdb://ops:s3cret@[::1]:1", false); err != nil || got.config.Address != "[::1]:1" || got.config.Password != "s3cret" {
		t.Errorf("IPv6: %v, %v", got.config.Address, err)
	}
}
