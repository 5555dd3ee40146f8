package trial_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode/contract"
)

// TestUsedStore runs the suite twice on a store that holds a lot already, streams of the server's own among
// it, and to which somebody else keeps writing.
func TestUsedStore(t *testing.T) {
	t.Parallel()
	target := onSocket(t)
	others := &others{client: connect(t, target)}
	others.settle(t)
	others.keepWriting(t)
	for _, round := range []string{"first", "second"} {
		if !t.Run(round, func(t *testing.T) { contract.Run(t, target) }) {
			return
		}
	}
}

func connect(t *testing.T, target contract.Target) *esdb.Client {
	t.Helper()
	configuration, err := target.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	client, err := esdb.NewClient(configuration)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetServerVersion(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// others are whoever else uses the store. Some of their events look like those of the suite.
type others struct {
	client *esdb.Client
	names  []string
}

const foreignBatch = 1000

// settle writes what was there before: 200,000 events in the long form, and in the short one a tenth of them,
// because the race detector makes writing them take longer than the suite.
func (o *others) settle(t *testing.T) {
	t.Helper()
	batches := 20
	if os.Getenv("STEWARD_TEST_LONG") == "1" {
		batches = 200
	}
	for i := range batches {
		name := fmt.Sprintf("%s-%s", []string{"customer", "$ce", "contract", "$stats", "$$$et"}[i%5], uuid.NewString())
		kind := []string{"customer.registered", "contract.happened", "$statsCollected", "$>"}[i%4]
		events := make([]esdb.EventData, foreignBatch)
		for n := range events {
			events[n] = esdb.EventData{EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, "%d@%s", n, name)}
		}
		o.append(t.Context(), t, name, events...)
		o.names = append(o.names, name)
		switch {
		case i%10 == 3:
			o.append(t.Context(), t, "$$"+name, esdb.EventData{
				EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(`{"$maxCount":10,"$maxAge":1}`),
			})
		case i%20 == 5:
			if _, err := o.client.DeleteStream(t.Context(), name, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
				t.Fatal(err)
			}
		case i%20 == 15:
			if _, err := o.client.TombstoneStream(t.Context(), name, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
				t.Fatal(err)
			}
			o.names = o.names[:len(o.names)-1]
		}
	}
}

func (o *others) append(ctx context.Context, t *testing.T, name string, events ...esdb.EventData) {
	t.Helper()
	_, err := o.client.AppendToStream(ctx, name, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events...)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("append to %s: %v", name, err)
	}
}

// keepWriting writes on in the background until the test ends.
func (o *others) keepWriting(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		written := 0
		defer func() { ended <- written }()
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
			name := o.names[rand.IntN(len(o.names))]
			o.append(ctx, t, name, esdb.EventData{EventID: uuid.New(), EventType: "contract.happened", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)})
			written++
		}
	}()
	t.Cleanup(func() {
		cancel()
		if written := <-ended; written == 0 {
			t.Error("nobody else wrote")
		} else {
			t.Logf("others wrote %d events meanwhile", written)
		}
	})
}
