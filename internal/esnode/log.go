package esnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// viewEvent calls view with the event at a position. The event must not be kept: its memory belongs to the
// store.
func (n *Node) viewEvent(position uint64, view func(*event) error) error {
	if e := n.tail.at(position); e != nil {
		return view(e)
	}
	value, closer, err := n.db.Get(eventKey(position))
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%w: there is no event at position %d", errBrokenIndex, position)
	}
	if err != nil {
		return fmt.Errorf("read the event at position %d: %w", position, err)
	}
	var e event
	if err = e.decode(position, value); err == nil {
		err = view(&e)
	}
	if closed := closer.Close(); err == nil && closed != nil {
		err = fmt.Errorf("read the event at position %d: %w", position, closed)
	}
	return err
}

// eventAt returns a copy of the event at a position.
func (n *Node) eventAt(position uint64) (*event, error) {
	var found *event
	err := n.viewEvent(position, func(e *event) error {
		found = e.clone()
		return nil
	})
	return found, err
}

func (e *event) clone() *event {
	return &event{
		position: e.position, revision: e.revision, created: e.created, id: e.id, json: e.json,
		stream: bytes.Clone(e.stream), kind: bytes.Clone(e.kind), metadata: bytes.Clone(e.metadata), data: bytes.Clone(e.data),
	}
}

// scan visits the events with first <= position <= last, in log order or against it, until visit returns
// false. The events must not be kept.
func (n *Node) scan(first, last uint64, backwards bool, visit func(*event) (bool, error)) (err error) {
	if first > last {
		return nil
	}
	upper := []byte{familyEvent + 1}
	if last != everything {
		upper = eventKey(last + 1)
	}
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: eventKey(first), UpperBound: upper})
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()

	step, ok := it.Next, false
	if backwards {
		step, ok = it.Prev, it.Last()
	} else {
		ok = it.First()
	}
	var e event
	for ; ok; ok = step() {
		if err := e.decode(binary.BigEndian.Uint64(it.Key()[1:]), it.Value()); err != nil {
			return err
		}
		more, err := visit(&e)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// placed is an entry of the stream index: a revision and where its event stands.
type placed struct {
	revision int64
	position uint64
}

// scanStream returns the places of a stream's events with first <= revision <= last, in either order and at
// most limit of them, leaving out what lies beyond the position upto.
func (n *Node) scanStream(stream name, h head, first, last int64, backwards bool, limit int, upto uint64) (page []placed, err error) {
	if h.number == 0 || first > last {
		return nil, nil
	}
	prefix := indexPrefix(stream.metastream, h.number)
	upper := upperBound(prefix)
	if last != tombstoneRevision {
		upper = indexKey(stream.metastream, h.number, last+1)
	}
	it, err := n.db.NewIter(&pebble.IterOptions{
		LowerBound: indexKey(stream.metastream, h.number, first),
		UpperBound: upper,
	})
	if err != nil {
		return nil, fmt.Errorf("open the stream index: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()

	step, ok := it.Next, false
	if backwards {
		step, ok = it.Prev, it.Last()
	} else {
		ok = it.First()
	}
	for ; ok && len(page) < limit; ok = step() {
		revision, position, err := indexEntry(it, len(prefix))
		if err != nil {
			return nil, err
		}
		if position <= upto {
			page = append(page, placed{revision, position})
		}
	}
	return page, nil
}

// durableHead returns the head of a stream as of a position at or before the horizon.
func (n *Node) durableHead(base []byte, upto uint64) (head, error) {
	h, err := n.heads.get(base, n.loadHead)
	if err == nil && h.newest() > upto {
		// Something is on its way to the disk; take the stream as it was before.
		h, err = n.loadHead(base, upto)
	}
	return h, err
}
