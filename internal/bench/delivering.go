package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

const (
	// deliveryRate is how many events are appended each second while they are
	// followed, whatever the answers take.
	deliveryRate = 1000
	// deliveryPatience is how long the last event may be on its way.
	deliveryPatience = 30 * time.Second
)

// delivery is how events of a steady stream of appends reached a live subscription.
type delivery struct {
	rate      float64         // appends per second
	sinceSent []time.Duration // from the beginning of each append
	// sinceAnswer is from the answer. An event may come before it, which counts as
	// no time.
	sinceAnswer []time.Duration
}

// measureDelivery appends at an even pace and notes when each answer comes, and
// when each event comes on a live subscription, which has a connection of its own.
func (g *grown) measureDelivery(ctx context.Context, node *server) (err error) {
	count := int(g.bench.sizes.storeDelivery.Seconds() * deliveryRate)
	g.bench.progress.say("following %s appends at %s/s", grouped(float64(count)), grouped(deliveryRate))
	follower, err := yardstick.Connect(ctx, node.socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, follower.Close()) }()
	sub, err := follower.Subscribe(ctx)
	if err != nil {
		return err
	}
	arrived := make(chan arrivals, 1)
	go func() { arrived <- follow(sub, count) }()
	appended, err := g.appendEvenly(ctx, node.client, count)
	if err != nil {
		return errors.Join(err, sub.Close())
	}
	late := time.AfterFunc(deliveryPatience, func() { _ = sub.Close() }) // which ends the wait below
	defer late.Stop()
	seen := <-arrived
	if err := errors.Join(seen.err, sub.Close()); err != nil {
		return fmt.Errorf("%d of %d events were delivered: %w", len(seen.at), count, err)
	}
	for _, a := range appended {
		there, ok := seen.at[a.id]
		if !ok {
			return fmt.Errorf("event %s was never delivered", a.id)
		}
		g.delivery.sinceSent = append(g.delivery.sinceSent, there.Sub(a.sent))
		g.delivery.sinceAnswer = append(g.delivery.sinceAnswer, max(0, there.Sub(a.answered)))
	}
	return nil
}

// arrivals says when events came on a subscription.
type arrivals struct {
	at  map[uuid.UUID]time.Time
	err error
}

func follow(sub *yardstick.Subscription, count int) arrivals {
	a := arrivals{at: make(map[uuid.UUID]time.Time, count)}
	for len(a.at) < count {
		id, err := sub.Next()
		if err != nil {
			a.err = err
			break
		}
		a.at[id] = time.Now()
	}
	return a
}

// appended says when an append was sent, and when it was answered.
type appended struct {
	id             uuid.UUID
	sent, answered time.Time
}

// appendEvenly appends events, each when it is due.
func (g *grown) appendEvenly(ctx context.Context, client *yardstick.Client, count int) ([]appended, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	source := yardstick.NewSource(writerSeed(g.bench.seed+2, 0))
	all := make([]appended, count)
	var group sync.WaitGroup
	began := time.Now()
	for i := range all {
		if err := wait(ctx, time.Until(began.Add(time.Duration(i)*time.Second/deliveryRate))); err != nil {
			break
		}
		stream, e := source.Stream(), source.Next()
		group.Go(func() {
			sent := time.Now()
			if err := client.Append(ctx, stream, yardstick.NoStream, e); err != nil {
				cancel(err)
				return
			}
			all[i] = appended{id: e.ID, sent: sent, answered: time.Now()}
		})
	}
	group.Wait()
	g.delivery.rate = float64(count) / time.Since(began).Seconds()
	return all, context.Cause(ctx)
}
