package storecopy

import (
	"context"

	"github.com/stewardhq/steward/events"
)

// pageEvents is how many events are read at once. One event may have a mebibyte.
const pageEvents = 500

// Source is a log to be read: an eventstore.Store.
type Source interface {
	// Head is the position of the newest event.
	Head(ctx context.Context) (events.Position, error)
	// ReadAll reads up to limit events after a position; fewer mean that the end was reached.
	ReadAll(ctx context.Context, after events.Position, limit int) ([]events.Record, error)
}

// pages reads a log from a position to its end, one page ahead of its user.
type pages struct {
	cancel context.CancelFunc
	coming chan page
	ready  []events.Record
}

type page struct {
	records []events.Record
	err     error
}

// readPages begins to read. The caller must stop it.
func readPages(ctx context.Context, source Source, after events.Position) *pages {
	ctx, cancel := context.WithCancel(ctx)
	p := &pages{cancel: cancel, coming: make(chan page, 1)}
	go func() {
		defer close(p.coming)
		for {
			records, err := source.ReadAll(ctx, after, pageEvents)
			select {
			case p.coming <- page{records, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || len(records) < pageEvents {
				return
			}
			after = records[len(records)-1].Position
		}
	}()
	return p
}

// stop ends the reading and waits until it has ended.
func (p *pages) stop() {
	p.cancel()
	for range p.coming { //nolint:revive // drained until it is closed
	}
}

// next returns the next event, of the server's own too, and false at the end of the log.
func (p *pages) next(ctx context.Context) (events.Record, bool, error) {
	for len(p.ready) == 0 {
		if err := ctx.Err(); err != nil {
			return events.Record{}, false, err
		}
		next, ok := <-p.coming
		if !ok {
			return events.Record{}, false, ctx.Err()
		}
		if next.err != nil {
			return events.Record{}, false, next.err
		}
		p.ready = next.records
	}
	r := p.ready[0]
	p.ready = p.ready[1:]
	return r, true, nil
}
