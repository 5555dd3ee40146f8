package esnode

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// readStream sends up to count events of a stream as it stands when the read begins.
func (r *reader) readStream(stream name, source *streams.ReadReq_Options_StreamOptions, count uint64, backwards bool) error {
	from, err := readStart(source)
	if err != nil {
		return err
	}
	upto := r.node.horizon.position()
	h, err := r.node.durableHead(stream.base, upto)
	if err != nil {
		return err
	}
	if h.tombstoned() {
		return errDeleted(stream.full)
	}
	current, m := h.current(stream), h.effective(stream)
	if current == noRevision || m.softDeleted() {
		return r.sendNotFound(stream)
	}

	first, last := m.firstVisible(current), current
	if backwards {
		last = min(last, from)
	} else {
		first = max(first, from)
	}
	for count > 0 && first <= last {
		page, err := r.node.scanStream(stream, h, first, last, backwards, int(min(count, pageEvents)), upto)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		sent, reached, err := r.sendPlaced(page, m)
		if err != nil {
			return err
		}
		count -= sent
		if backwards {
			last = reached - 1
		} else {
			first = reached + 1
		}
	}
	return nil
}

// readStart is the first revision of a read. The end is the highest number there is: forwards nothing
// follows it, backwards everything does.
func readStart(source *streams.ReadReq_Options_StreamOptions) (int64, error) {
	switch option := source.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		return int64(min(option.Revision, math.MaxInt64)), nil
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return math.MaxInt64, nil
	default:
		return 0, errInvalid("'%T' is not a valid revision option.", option)
	}
}

// sendPlaced sends the events of a page that metadata does not hide by age. It may stop early when they are
// large; reached is the revision it got to.
func (r *reader) sendPlaced(page []placed, m streamMetadata) (sent uint64, reached int64, err error) {
	r.items = r.items[:0]
	size, now := 0, r.node.clock()
	for _, p := range page {
		err := r.node.viewEvent(p.position, func(e *event) error {
			if m.expired(e, now) {
				return nil
			}
			f, err := r.encode(e)
			r.items = append(r.items, item{position: p.position, frame: f})
			size += len(f)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		reached = p.revision
		if size >= pageBytes {
			break
		}
	}
	for _, i := range r.items {
		if err := r.send(i.frame); err != nil {
			return 0, 0, err
		}
	}
	return uint64(len(r.items)), reached, nil
}
