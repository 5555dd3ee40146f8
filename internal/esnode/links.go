package esnode

import (
	"bytes"
	"strconv"
)

// parseLink reads what a link event points to: "revision@stream", taken apart at the first at sign.
func parseLink(data []byte) (revision int64, stream name, ok bool) {
	number, full, found := bytes.Cut(data, []byte("@"))
	revision, err := strconv.ParseInt(string(number), 10, 64)
	stream = parseName(full)
	return revision, stream, found && err == nil && revision >= 0 && len(stream.base) > 0
}

// resolves reports whether the event is to be sent together with what it links to.
func (r *reader) resolves(e *event) bool { return r.resolve && string(e.kind) == kindLink }

// encode makes the frame of an event; links are resolved when the client asked for it. Only one step is
// taken: a link to a link shows the second link.
func (r *reader) encode(e *event) (frame, error) {
	if !r.resolves(e) {
		return eventFrame(e, nil, r.form), nil
	}
	revision, stream, ok := parseLink(e.data)
	if !ok {
		return eventFrame(e, nil, r.form), nil
	}
	upto := r.node.horizon.position()
	h, err := r.node.durableHead(stream.base, upto)
	if err != nil {
		return nil, err
	}
	m, current := h.effective(stream), h.current(stream)
	gone := eventFrame(nil, e, r.form)
	if h.tombstoned() || m.softDeleted() || revision > current || revision < m.firstVisible(current) {
		return gone, nil
	}
	position, err := r.node.positionOf(stream, h, revision)
	if err != nil || position == 0 {
		return gone, err
	}
	f := gone
	err = r.node.viewEvent(position, func(target *event) error {
		if !m.expired(target, r.node.clock()) {
			f = eventFrame(target, e, r.form)
		}
		return nil
	})
	return f, err
}
