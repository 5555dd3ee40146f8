package reactions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
)

// publisher appends the messages of a call to the stream that is called as the
// topic, at its end and in one piece.
type publisher struct {
	log    *eventstore.Store
	mu     sync.Mutex
	closed bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("publisher is closed")
	}
	if len(messages) == 0 {
		return nil
	}
	var batch []events.Proposed
	for _, msg := range messages {
		metadata, err := json.Marshal(msg.Metadata)
		if err != nil {
			return err
		}
		id, err := uuid.Parse(msg.UUID)
		if err != nil {
			return err
		}
		batch = append(batch, events.Proposed{ID: id, Type: "message", Data: msg.Payload, Metadata: metadata})
	}
	ctx := messages[0].Context()
	for {
		last, err := p.log.ReadStreamBackwards(ctx, topic, 1)
		if err != nil {
			return err
		}
		tail := eventstore.NoStream
		if len(last) > 0 {
			tail = eventstore.Revision(last[0].Revision)
		}
		if _, err := p.log.Append(ctx, topic, tail, batch); !errors.Is(err, eventstore.ErrWrongRevision) {
			return err
		}
	}
}

func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// TestPubSub is Watermill's own suite. A topic is a stream here, and every
// subscriber begins at its start. What is claimed: order, messages that outlive
// their subscribers, and delivery to whoever subscribes later. What is not:
// exactly once, since a message comes again when its acknowledgement was lost,
// and consumer groups, since subscribers do not share the messages of a topic
// (routers do, by the row of their checkpoint; see
// [TestRoutersShareOneCheckpoint]).
func TestPubSub(t *testing.T) {
	log := openLog(t, newNode(t))
	construct := func(t *testing.T) (message.Publisher, message.Subscriber) {
		subscriber := reactions.NewSubscriber(reactions.SubscriberConfig{
			Log:     log,
			Wants:   func(topic string, r events.Record) bool { return r.Stream == topic },
			Backoff: func(int) time.Duration { return time.Millisecond }, // the suite refuses a message a hundred times
			Metadata: func(r events.Record) (md message.Metadata) {
				if err := json.Unmarshal(r.Metadata, &md); err != nil {
					t.Error(err)
				}
				return md
			},
		})
		t.Cleanup(func() { _ = subscriber.Close() }) // the suite does not close them all
		return &publisher{log: log}, subscriber
	}
	tests.TestPubSub(t, tests.Features{
		GuaranteedOrder:                  true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
		ForceShort:                       os.Getenv("STEWARD_TEST_LONG") != "1",
		GenerateTopicFunc: func(c tests.TestContext) string {
			return fmt.Sprintf("topic-%s", strings.ReplaceAll(string(c.TestID), "-", ""))
		},
	}, construct, nil)
}
