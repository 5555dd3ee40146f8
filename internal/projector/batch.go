package projector

import (
	"context"
	"fmt"
	"slices"

	"github.com/stewardhq/steward/events"
)

// item is a record of the log on its way into the tables.
type item struct {
	record events.Record
	event  Event  // of a record that is ours
	system bool   // belongs to the event store itself
	trim   string // a setting that would remove events of ours
	err    error  // why the record could not be decoded or opened
}

// batch is what was read at once, all that follows a position.
type batch struct {
	after events.Position
	items []item
}

// end is the position of the last record.
func (b batch) end() events.Position {
	if len(b.items) == 0 {
		return b.after
	}
	return b.items[len(b.items)-1].record.Position
}

// prepare decodes records and opens them. A record that cannot be decoded or
// opened keeps its place and says why; prepare fails only when the keys are out
// of reach.
func (g Group) prepare(ctx context.Context, after events.Position, records []events.Record) (batch, error) {
	b := batch{after: after, items: make([]item, len(records))}
	var envelopes []events.Envelope
	var at []int
	for i, r := range records {
		it := &b.items[i]
		it.record = r
		if it.system = events.IsSystem(r.Type) || events.IsSystem(r.Stream); it.system {
			it.trim = trimming(r)
			continue
		}
		env, err := events.Decode(r)
		if err != nil {
			it.err = err
			continue
		}
		it.event = Event{Envelope: env, Stored: r}
		envelopes = append(envelopes, env)
		at = append(at, i)
	}
	if g.Open == nil || len(envelopes) == 0 {
		return b, nil
	}
	opened, err := g.Open(ctx, envelopes)
	if err == nil {
		for i, env := range opened {
			b.items[at[i]].event.Envelope = env
		}
		return b, nil
	}
	if transient(err) {
		return batch{}, fmt.Errorf("open personal values: %w", err)
	}
	// One of them is at fault: find out which.
	for n, i := range at {
		opened, err := g.Open(ctx, envelopes[n:n+1])
		switch {
		case err == nil:
			b.items[i].event.Envelope = opened[0]
		case transient(err):
			return batch{}, fmt.Errorf("open personal values: %w", err)
		default:
			b.items[i].err = err
		}
	}
	return b, nil
}

// from drops what a checkpoint has already passed. It returns false when records
// between the checkpoint and the batch are missing.
func (b batch) from(position events.Position) (batch, bool) {
	if position.Before(b.after) {
		return batch{}, false
	}
	first := slices.IndexFunc(b.items, func(it item) bool { return position.Before(it.record.Position) })
	if first < 0 {
		return batch{after: position}, true
	}
	return batch{after: position, items: b.items[first:]}, true
}

// upTo drops what lies after a position.
func (b batch) upTo(position events.Position) batch {
	if past := slices.IndexFunc(b.items, func(it item) bool { return position.Before(it.record.Position) }); past >= 0 {
		b.items = b.items[:past]
	}
	return b
}

// clean returns the items before the first one that could not be decoded.
func (b batch) clean() batch {
	if bad := slices.IndexFunc(b.items, func(it item) bool { return it.err != nil }); bad >= 0 {
		b.items = b.items[:bad]
	}
	return b
}

// split parts a batch before its n-th item.
func (b batch) split(n int) (first, rest batch) {
	first = batch{after: b.after, items: b.items[:n:n]}
	return first, batch{after: first.end(), items: b.items[n:]}
}
