package esnode

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// Expected revisions below zero; from zero up it is the revision itself.
const (
	expectNoStream     = -1
	expectAny          = -2
	expectStreamExists = -4
)

// outcome is what an append comes to.
type outcome int

const (
	accepted  outcome = iota // nothing stands against writing
	repeated                 // these events were written before: success without writing
	conflict                 // the stream is not where the caller thought
	destroyed                // the stream is deleted
)

// verdict is an outcome with the revisions that the answer names.
type verdict struct {
	outcome outcome
	current int64 // the stream's last revision before this append
	last    int64 // of a repeated append: the revision of its last event
}

// check decides whether events with these ids may be appended where the caller expects. The order of the
// questions is part of the protocol. The caller holds the write lock.
func (n *Node) check(stream name, h head, expected int64, ids []uuid.UUID) (verdict, error) {
	current := h.current(stream)
	v := verdict{outcome: accepted, current: current}
	softDeleted := h.effective(stream).softDeleted()

	if current == tombstoneRevision {
		v.outcome = destroyed
		return v, nil
	}
	if expected == expectStreamExists {
		if softDeleted {
			v.outcome = destroyed
			return v, nil
		}
		if current < 0 {
			exists, err := n.metastreamExists(stream, h)
			if err != nil {
				return v, err
			}
			if !exists {
				v.outcome = conflict
				return v, nil
			}
		}
	}

	switch {
	case expected == expectAny || expected == expectStreamExists:
		return n.checkRepeatAnywhere(stream, h, v, ids)
	case expected < current:
		return n.checkRepeatAt(stream, h, v, expected, softDeleted, ids)
	case expected > current:
		v.outcome = conflict
	}
	return v, nil
}

// checkRepeatAnywhere looks for a repeat when the caller named no revision: every id must have been written
// to this stream before. An unknown first id makes it a new append, whatever the others are.
func (n *Node) checkRepeatAnywhere(stream name, h head, v verdict, ids []uuid.UUID) (verdict, error) {
	for i, id := range ids {
		revision, err := n.firstRevisionOf(stream, h, id)
		if err != nil {
			return v, err
		}
		if revision == noRevision {
			if i > 0 {
				v.outcome = conflict
			}
			return v, nil
		}
		v.last = revision
	}
	if len(ids) > 0 {
		v.outcome = repeated
	}
	return v, nil
}

// checkRepeatAt looks for a repeat when the stream has moved past the revision that the caller named: the
// events right after that revision must be the very same.
func (n *Node) checkRepeatAt(stream name, h head, v verdict, expected int64, softDeleted bool, ids []uuid.UUID) (verdict, error) {
	v.outcome = conflict
	for i, id := range ids {
		written, err := n.idAt(stream, h, expected+1+int64(i))
		if err != nil {
			return v, err
		}
		if written != id {
			if i == 0 && expected == expectNoStream && softDeleted {
				v.outcome = accepted
			}
			return v, nil
		}
	}
	if len(ids) > 0 {
		v.outcome = repeated
		v.last = expected + int64(len(ids))
	}
	return v, nil
}

// metastreamExists reports whether the stream has metadata: it counts as existing then, even without events.
func (n *Node) metastreamExists(stream name, h head) (bool, error) {
	if !stream.metastream {
		return h.metaLast != noRevision, nil
	}
	own, err := n.heads.get(stream.full, n.loadHead)
	return own.metaLast != noRevision, err
}

// firstRevisionOf returns the revision at which the stream first got an event with this id.
func (n *Node) firstRevisionOf(stream name, h head, id uuid.UUID) (revision int64, err error) {
	if h.number == 0 {
		return noRevision, nil
	}
	prefix := idPrefix(stream.metastream, h.number, id)
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
	if err != nil {
		return noRevision, fmt.Errorf("open the id index: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()
	for ok := it.First(); ok; ok = it.Next() {
		number, _, err := readOrdered(it.Key()[len(prefix):])
		if err != nil {
			return noRevision, err
		}
		// The index holds a fingerprint only.
		written, err := n.idAt(stream, h, int64(number))
		if err != nil {
			return noRevision, err
		}
		if written == id {
			return int64(number), nil
		}
	}
	return noRevision, nil
}

// idAt returns the id of a stream's event, or the nil id when it has no such event. It looks at what is
// stored, so truncated events count.
func (n *Node) idAt(stream name, h head, revision int64) (uuid.UUID, error) {
	position, err := n.positionOf(stream, h, revision)
	if err != nil || position == 0 {
		return uuid.Nil, err
	}
	if e := n.tail.at(position); e != nil {
		return e.id, nil
	}
	e, err := n.eventAt(position)
	return e.id, err
}

// positionOf returns where a stream's event stands in the log, or 0 when it has no such event.
func (n *Node) positionOf(stream name, h head, revision int64) (uint64, error) {
	value, closer, err := n.db.Get(indexKey(stream.metastream, h.number, revision))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up revision %d of %q: %w", revision, stream.full, err)
	}
	position, err := readPosition(value)
	if closed := closer.Close(); err == nil {
		err = closed
	}
	return position, err
}
