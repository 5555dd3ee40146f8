package reactions

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// follow is one reading of the log for a topic, from its checkpoint to a
// failure.
type follow struct {
	SubscriberConfig
	topic      string
	checkpoint Checkpoint
	out        chan<- *message.Message

	done     events.Position // everything up to here is done
	unsaved  int             // records done since the checkpoint was moved
	progress bool            // something was done
}

// item is a record, or the news that the end of the log was reached.
type item struct {
	record   events.Record
	caughtUp bool
}

// run goes through the log until ctx ends or something fails, and says what.
func (f *follow) run(ctx context.Context) (err error) {
	if f.done, err = f.checkpoint.Load(ctx); err != nil {
		return err
	}
	f.health.begins(f.topic, f.done)

	ctx, cancel := context.WithCancel(ctx)
	items, ended := f.read(ctx, f.done)
	defer func() {
		cancel()
		<-ended
	}()
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case it, ok := <-items:
			if !ok {
				return <-ended
			}
			err = f.take(ctx, it)
		case <-tick.C:
			err = f.save(ctx, 1)
		}
		if err != nil {
			return err
		}
	}
}

// read follows the log in a goroutine. ended yields why it stopped, then closes.
func (f *follow) read(ctx context.Context, after events.Position) (<-chan item, <-chan error) {
	items, ended := make(chan item), make(chan error, 1)
	send := func(ctx context.Context, it item) error {
		select {
		case items <- it:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() {
		defer close(ended)
		defer close(items)
		ended <- f.Log.Subscribe(eventstore.WithSubscriber(ctx, "reaction "+f.topic), after, eventstore.Handler{
			Deliver:  func(ctx context.Context, r events.Record) error { return send(ctx, item{record: r}) },
			CaughtUp: func(ctx context.Context) error { return send(ctx, item{caughtUp: true}) },
		})
	}()
	return items, ended
}

// take deals with one item. A wanted record moves the checkpoint at once.
func (f *follow) take(ctx context.Context, it item) error {
	if it.caughtUp {
		f.health.caughtUp(f.topic)
		return f.save(ctx, 1)
	}
	wanted := !events.IsSystem(it.record.Type) && !events.IsSystem(it.record.Stream) && f.Wants(f.topic, it.record)
	if wanted {
		if err := f.deliver(ctx, it.record); err != nil {
			return err
		}
	}
	f.done, f.progress = it.record.Position, true
	f.unsaved++
	f.health.reached(f.topic, f.done)
	if wanted {
		return f.save(ctx, 1)
	}
	return f.save(ctx, saveEvents)
}

// save moves the checkpoint if at least so many records were done since.
func (f *follow) save(ctx context.Context, least int) error {
	if f.unsaved < least {
		return nil
	}
	if err := f.checkpoint.Save(ctx, f.done); err != nil {
		return err
	}
	f.unsaved = 0
	return nil
}

// deliver offers a record until it is acknowledged. Order matters more than
// progress: an event that nobody can handle stops its topic.
func (f *follow) deliver(ctx context.Context, r events.Record) error {
	for failures := 1; ; failures++ {
		acked, err := f.offer(ctx, r)
		if acked || err != nil {
			return err
		}
		sleep(ctx, f.Backoff(failures))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// offer sends a record once, as a message of its own, and waits for the answer.
func (f *follow) offer(ctx context.Context, r events.Record) (acked bool, err error) {
	mctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg := message.NewMessageWithContext(mctx, r.ID.String(), r.Data)
	msg.Metadata = f.Metadata(r)
	select {
	case f.out <- msg:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-msg.Acked():
		return true, nil
	case <-msg.Nacked():
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
