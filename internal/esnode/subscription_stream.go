package esnode

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// subscribeStream serves a subscription to one stream, which need not exist yet.
func (r *reader) subscribeStream(stream name, source *streams.ReadReq_Options_StreamOptions) error {
	// Watching comes before the first look, so nothing can happen unseen between the two.
	watch := r.node.horizon.watch(string(stream.full))
	defer r.node.horizon.unwatch(watch)

	upto := r.node.horizon.position()
	h, err := r.node.durableHead(stream.base, upto)
	if err != nil {
		return err
	}
	if h.tombstoned() {
		return errDeleted(stream.full)
	}
	var cursor int64 // the last revision that is not wanted any more
	switch option := source.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		// A tombstone has the highest revision there is and must still be seen.
		cursor = int64(min(option.Revision, math.MaxInt64-1))
	case *streams.ReadReq_Options_StreamOptions_Start:
		cursor = noRevision
	case *streams.ReadReq_Options_StreamOptions_End:
		cursor = h.current(stream)
	default:
		return errInvalid("'%T' is not a valid revision option.", option)
	}
	progress, end := r.node.metrics.subscriptions.begin(ofStream)
	defer end()
	if err := r.confirm(); err != nil {
		return err
	}

	live := false
	for {
		if cursor, err = r.followStream(stream, h, cursor, upto, live, progress); err != nil {
			return err
		}
		if h.tombstoned() {
			return errDeleted(stream.full)
		}
		if !live {
			live = true
			// What metadata hides now stays hidden, even if the metadata changes.
			cursor = max(cursor, h.current(stream))
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := r.wait(watch.wake); err != nil {
			return err
		}
		upto = r.node.horizon.position()
		if h, err = r.node.durableHead(stream.base, upto); err != nil {
			return err
		}
	}
}

// followStream sends what a stream holds after the cursor and returns the new cursor. Metadata counts while
// the subscription catches up, not for events that it has been waiting for.
func (r *reader) followStream(stream name, h head, cursor int64, upto uint64, live bool, p *progress) (int64, error) {
	defer p.left.Store(0)
	last := h.current(stream)
	m := h.effective(stream)
	if live || h.tombstoned() {
		m = streamMetadata{}
	}
	if h.tombstoned() && stream.metastream {
		// The tombstone stands in the stream itself.
		last = h.metaLast
	}
	for first := max(cursor+1, m.firstVisible(last)); first <= last && cursor < last; first = cursor + 1 {
		if !h.tombstoned() { // whose revision counts nothing
			p.left.Store(uint64(last - first + 1))
		}
		if err := r.running(); err != nil {
			return cursor, err
		}
		page, err := r.node.scanStream(stream, h, first, last, false, pageEvents, upto)
		if err != nil || len(page) == 0 {
			return cursor, err
		}
		if _, cursor, err = r.sendPlaced(page, m); err != nil {
			return cursor, err
		}
	}
	return cursor, nil
}
