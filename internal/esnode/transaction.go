package esnode

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// transaction is one atomic change under construction.
type transaction struct {
	batch   *pebble.Batch
	stream  name
	head    head  // as it will be
	before  head  // as it was
	created int64 // one time for all events
	next    uint64
	events  []*event
	other   *otherHead
	reached int64  // revision of the last event that the caller asked for
	answer  uint64 // and its position
}

// otherHead is the head of a second name that a transaction changes. It happens only when a metastream is
// itself deleted: its metadata stands under another name.
type otherHead struct {
	base []byte
	head head
}

func (n *Node) begin(stream name, h head) *transaction {
	return &transaction{
		batch:   n.db.NewBatch(),
		stream:  stream,
		head:    h,
		before:  h,
		created: max(ticks(n.clock()), n.lastCreated),
		next:    n.next,
	}
}

// fill puts everything that the write entails into the transaction.
func (n *Node) fill(t *transaction, w write) error {
	switch w.operation {
	case tombstone:
		t.add(t.stream, &t.head, &event{id: uuid.New(), kind: []byte(kindDeleted), revision: tombstoneRevision})
	case softDelete:
		return n.addMetadata(t, streamMetadata{}.truncatedAt(softDeleted).raw)
	case appendEvents:
		revision := t.before.current(t.stream)
		for _, e := range w.events {
			revision++
			e.revision = revision
			t.add(t.stream, &t.head, e)
		}
		last := w.events[len(w.events)-1]
		t.reached, t.answer = last.revision, last.position
		return n.revive(t, last)
	}
	t.answer = t.events[len(t.events)-1].position
	return nil
}

// revive undoes a soft deletion when the stream is written to, by hiding what it held before.
func (n *Node) revive(t *transaction, last *event) error {
	if !t.before.metadata.softDeleted() {
		return nil
	}
	m := t.before.metadata
	if t.stream.metastream {
		// New metadata revives the stream too, and its own properties are those to keep. Metadata that is
		// not valid leaves the stream without any, which shows everything again.
		if m = parseMetadata(last.json, last.data); m.raw == nil {
			return nil
		}
	}
	answer := t.answer
	if err := n.addMetadata(t, m.truncatedAt(t.before.last+1).raw); err != nil {
		return err
	}
	t.answer = answer
	return nil
}

// addMetadata writes a metadata event for the stream that the transaction is about; when that is a
// metastream and it is being revived, the event goes into the metastream itself.
func (n *Node) addMetadata(t *transaction, raw []byte) error {
	e := &event{id: uuid.New(), kind: []byte(kindMetadata), json: true, data: raw}
	target := &t.head
	stream := name{full: append([]byte(metastreamPrefix), t.stream.base...), base: t.stream.base, metastream: true}
	if t.stream.metastream && len(t.events) == 0 {
		own, err := n.heads.get(t.stream.full, n.loadHead)
		if err != nil {
			return err
		}
		stream = t.stream.ofMetadata()
		t.other = &otherHead{base: stream.base, head: own}
		target = &t.other.head
	}
	e.revision = target.metaLast + 1
	t.add(stream, target, e)
	t.answer = e.position
	return nil
}

// add writes one event with its index entries. The stream's number is taken from the position of the event
// that first named it, which makes it unique without a counter to keep.
func (t *transaction) add(stream name, h *head, e *event) {
	e.stream, e.created, e.position = stream.full, t.created, t.next
	size := e.recordSize()
	t.next += uint64(size)

	if h.number == 0 || stream.metastream && !h.hasMetastream {
		if h.number == 0 {
			h.number = e.position
		}
		h.hasMetastream = h.hasMetastream || stream.metastream
		t.set(nameKey(stream.base), nameValue(*h))
	}
	record := t.batch.SetDeferred(9, size)
	record.Key[0] = familyEvent
	binary.BigEndian.PutUint64(record.Key[1:], e.position)
	e.appendRecord(record.Value[:0])
	// Finish can only fail for a batch that is built together with an index, which this is not.
	_ = record.Finish()
	t.set(indexKey(stream.metastream, h.number, e.revision), binary.AppendUvarint(nil, e.position))
	t.set(idKey(stream.metastream, h.number, e.id, e.revision), nil)

	if stream.metastream {
		h.metaLast, h.metaPosition = e.revision, e.position
		h.metadata = parseMetadata(e.json, e.data)
	} else {
		h.last, h.lastPosition = e.revision, e.position
	}
	t.events = append(t.events, e)
}

// set adds a key. Building a batch in memory cannot fail.
func (t *transaction) set(key, value []byte) { _ = t.batch.Set(key, value, nil) }
