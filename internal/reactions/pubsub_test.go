package reactions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
)

// publisher appends messages to the stream that is called as the topic.
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
	for _, msg := range messages {
		metadata, err := json.Marshal(msg.Metadata)
		if err != nil {
			return err
		}
		id, err := uuid.Parse(msg.UUID)
		if err != nil {
			return err
		}
		batch := []events.Proposed{{ID: id, Type: "message", Data: msg.Payload, Metadata: metadata}}
		for {
			last, err := p.log.ReadStreamBackwards(msg.Context(), topic, 1)
			if err != nil {
				return err
			}
			tail := eventstore.NoStream
			if len(last) > 0 {
				tail = eventstore.Revision(last[0].Revision)
			}
			if _, err = p.log.Append(msg.Context(), topic, tail, batch); err == nil {
				break
			}
			if !errors.Is(err, eventstore.ErrWrongRevision) {
				return err
			}
		}
	}
	return nil
}

func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// TestPubSub is Watermill's own suite. The subscriber claims order and at least
// once; a topic is a stream here, and nobody shares a checkpoint.
func TestPubSub(t *testing.T) {
	log := newLog(t)
	construct := func(t *testing.T) (message.Publisher, message.Subscriber) {
		subscriber := reactions.NewSubscriber(reactions.SubscriberConfig{
			Log:   log,
			Wants: func(topic string, r events.Record) bool { return r.Stream == topic },
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
		ForceShort:                       true,
		GenerateTopicFunc: func(c tests.TestContext) string {
			return fmt.Sprintf("topic-%s", strings.ReplaceAll(string(c.TestID), "-", ""))
		},
	}, construct, nil)
}
