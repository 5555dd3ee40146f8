package reactions_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/reactions"
)

// flaky is a log whose subscriptions end by themselves after a record each.
type flaky struct{ log *eventstore.Store }

var errFlaky = errors.New("the subscription ended")

func (f flaky) Subscribe(ctx context.Context, after events.Position, h eventstore.Handler) error {
	delivered := false
	return f.log.Subscribe(ctx, after, eventstore.Handler{Deliver: func(ctx context.Context, r events.Record) error {
		if delivered {
			return errFlaky
		}
		delivered = true
		return h.Deliver(ctx, r)
	}})
}

func TestSubscriber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantsAll := func(string, events.Record) bool { return true }
	open := func(t *testing.T, c reactions.SubscriberConfig) <-chan *message.Message {
		t.Helper()
		c.Backoff = func(int) time.Duration { return time.Millisecond }
		s := reactions.NewSubscriber(c)
		messages, err := s.Subscribe(t.Context(), "topic")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return messages
	}
	w.write(t, renamed("1"), renamed("2"), renamed("3"))
	records, err := w.log.ReadAll(t.Context(), events.Position{}, 100)
	if err != nil || len(records) != 3 {
		t.Fatal(len(records), err)
	}

	t.Run("sends the next after the acknowledgement", func(t *testing.T) {
		t.Parallel()
		messages := open(t, reactions.SubscriberConfig{Log: w.log, Wants: wantsAll})
		for _, want := range records {
			msg := receive(t, messages)
			got, err := reactions.RecordOf(msg)
			if err != nil || got.ID != want.ID || got.Position != want.Position || got.Revision != want.Revision ||
				got.Stream != want.Stream || got.Type != want.Type || !got.RecordedAt.Equal(want.RecordedAt) ||
				string(got.Data) != string(want.Data) || string(got.Metadata) != string(want.Metadata) {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
			select {
			case <-messages:
				t.Fatal("two messages at a time")
			case <-time.After(20 * time.Millisecond):
			}
			msg.Ack()
			<-msg.Context().Done()
		}
	})
	t.Run("sends again what was refused", func(t *testing.T) {
		t.Parallel()
		messages := open(t, reactions.SubscriberConfig{Log: w.log})
		for _, want := range records {
			for range 3 {
				msg := receive(t, messages)
				if msg.UUID != want.ID.String() {
					t.Fatal("out of order")
				}
				msg.Nack()
			}
			receive(t, messages).Ack()
		}
	})
	t.Run("goes on through every failure", func(t *testing.T) {
		t.Parallel()
		messages := open(t, reactions.SubscriberConfig{Log: flaky{w.log}})
		for _, want := range records {
			msg, ok := <-messages
			if !ok || msg.UUID != want.ID.String() {
				t.Fatal("the channel closed, or out of order")
			}
			msg.Ack()
		}
	})
	t.Run("closes its channels only when closed", func(t *testing.T) {
		t.Parallel()
		s := reactions.NewSubscriber(reactions.SubscriberConfig{Log: w.log})
		messages, err := s.Subscribe(t.Context(), "topic")
		if err != nil {
			t.Fatal(err)
		}
		receive(t, messages)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := <-messages; ok {
			t.Fatal("a message after Close")
		}
		if _, err := s.Subscribe(t.Context(), "topic"); !errors.Is(err, reactions.ErrClosed) {
			t.Fatal(err)
		}
	})
}
