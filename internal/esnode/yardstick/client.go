package yardstick

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode"
)

// Client is the official client on one connection, without the wrapper through which the application uses it. Its
// methods may be called from any goroutine.
type Client struct{ esdb *esdb.Client }

// askAgain is how soon a socket that nobody answers on is tried again.
const askAgain = 2 * time.Millisecond

// Connect waits until a server answers on the socket and returns a client of it, which the caller must close. It
// fails when ctx ends first.
func Connect(ctx context.Context, socket string) (*Client, error) {
	if err := awaitListener(ctx, socket); err != nil {
		return nil, err
	}
	configuration, err := esdb.ParseConnectionString(esnode.ConnectionString)
	if err != nil {
		return nil, fmt.Errorf("event store on %s: %w", socket, err)
	}
	configuration.Address = esnode.Address(socket)
	configuration.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(configuration)
	if err != nil {
		return nil, fmt.Errorf("event store on %s: %w", socket, err)
	}
	if _, err := client.GetServerVersion(); err != nil {
		return nil, errors.Join(fmt.Errorf("the event store on %s does not answer: %w", socket, err), client.Close())
	}
	return &Client{client}, nil
}

// awaitListener spares the client the attempts before anybody listens: between two of them it lets a tenth of a
// second pass, which is long against what is measured.
func awaitListener(ctx context.Context, socket string) error {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("nobody answers on %s: %w (%w)", socket, err, context.Cause(ctx))
		}
	}
}

// Close ends the connection. Calls that are under way fail.
func (c *Client) Close() error { return c.esdb.Close() }

// NoStream is the revision of a stream without events.
const NoStream = -1

// Append appends a batch to a stream whose last revision must be expected.
func (c *Client) Append(ctx context.Context, stream string, expected int64, batch ...Event) error {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	if expected != NoStream {
		options.ExpectedRevision = esdb.Revision(uint64(expected))
	}
	proposed := make([]esdb.EventData, len(batch))
	for i, e := range batch {
		proposed[i] = esdb.EventData{
			EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: e.Metadata,
		}
	}
	done, err := c.esdb.AppendToStream(ctx, stream, options, proposed...)
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	if want := uint64(expected + int64(len(batch))); done.NextExpectedVersion != want {
		return fmt.Errorf("append to %s: the server answered revision %d instead of %d", stream, done.NextExpectedVersion, want)
	}
	return nil
}

// Amount counts events, and the bytes of them that their authors wrote.
type Amount struct{ Events, Bytes int }

// ReadAll reads $all from its beginning to its end, or up to limit events, and returns how much it saw. Events of
// the server's own, whose types begin with $, count as well.
func (c *Client) ReadAll(ctx context.Context, limit int) (Amount, error) {
	var seen Amount
	err := c.read(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, limit, func(e *esdb.RecordedEvent) {
		seen.Events++
		seen.Bytes += len(e.EventType) + len(e.Data) + len(e.UserMetadata)
	})
	return seen, err
}

// ErrEmpty says that a log has no events.
var ErrEmpty = errors.New("the log is empty")

// ReadNewest reads the newest event. It fails with [ErrEmpty] when there is none.
func (c *Client) ReadNewest(ctx context.Context) error {
	found := false
	err := c.read(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1, func(*esdb.RecordedEvent) { found = true })
	if err == nil && !found {
		return ErrEmpty
	}
	return err
}

func (c *Client) read(ctx context.Context, options esdb.ReadAllOptions, limit int, each func(*esdb.RecordedEvent)) error {
	found, err := c.esdb.ReadAll(ctx, options, uint64(limit))
	if err != nil {
		return fmt.Errorf("read $all: %w", err)
	}
	defer found.Close()
	for {
		e, err := found.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read $all: %w", err)
		}
		each(e.Event)
	}
}

// Subscription is a live subscription to $all.
type Subscription struct{ inner *esdb.Subscription }

// Subscribe subscribes to what is appended to $all from now on. The caller must close the subscription.
func (c *Client) Subscribe(ctx context.Context) (*Subscription, error) {
	inner, err := c.esdb.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		return nil, fmt.Errorf("subscribe to $all: %w", err)
	}
	return &Subscription{inner}, nil
}

// Next waits for an event of somebody's and returns its id. It is for one goroutine.
func (s *Subscription) Next() (uuid.UUID, error) {
	for {
		message := s.inner.Recv()
		switch {
		case message.SubscriptionDropped != nil:
			return uuid.Nil, fmt.Errorf("the subscription ended: %w", message.SubscriptionDropped.Error)
		case message.EventAppeared != nil:
			if e := message.EventAppeared.Event; e != nil && !strings.HasPrefix(e.EventType, "$") {
				return e.EventID, nil
			}
		}
	}
}

// Close ends the subscription, and with it [Subscription.Next].
func (s *Subscription) Close() error { return s.inner.Close() }
