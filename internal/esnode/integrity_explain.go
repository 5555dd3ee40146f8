package esnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// explain looks every event up in the indexes and every entry of the indexes up in the log. It takes many
// times as long as the rest of a check and runs only when something is known to be wrong.
func (w *walk) explain() error {
	for family, visit := range map[byte]func(key, value []byte){
		familyEvent:      w.explainEvent,
		familyStream:     w.explainIndexEntry,
		familyMetastream: w.explainIndexEntry,
		familyID:         w.explainIDEntry,
		familyMetaID:     w.explainIDEntry,
		familyName:       w.explainName,
	} {
		if err := w.scan(family, visit); err != nil {
			return err
		}
	}
	return nil
}

// explainEvent reports the entries that an event lacks.
func (w *walk) explainEvent(key, value []byte) {
	position, _ := eventPosition(key)
	var e event
	if e.decode(position, value) != nil {
		return
	}
	stream := parseName(e.stream)
	missing := func(index string) {
		w.add(Problem{
			Position: position, Stream: string(e.stream), Remedy: remedyRestore,
			Text: fmt.Sprintf("revision %d of the stream is missing in the %s", e.revision, index),
		})
	}
	entry, found := w.get(nameKey(stream.base))
	number, metastream, err := readNameEntry(entry)
	if !found || err != nil || stream.metastream && !metastream {
		missing("name index")
		return
	}
	entry, found = w.get(indexKey(stream.metastream, number, e.revision))
	if !found || !bytes.Equal(entry, binary.AppendUvarint(nil, position)) {
		missing("stream index")
	}
	if _, found = w.get(idKey(stream.metastream, number, e.id, e.revision)); !found {
		missing("id index")
	}
}

// explainIndexEntry reports an entry of a stream index that leads to no event of its.
func (w *walk) explainIndexEntry(key, value []byte) {
	number, at, err := readIndexEntry(key, value)
	if err != nil {
		return
	}
	e, stream, found := w.event(at.position)
	if !found || e.revision != at.revision || stream.metastream != (key[0] == familyMetastream) || !w.names(stream.base, number) {
		w.add(Problem{
			Position: at.position, Remedy: remedyRestore,
			Text: fmt.Sprintf("the stream index has a revision %d here that the log does not have", at.revision),
		})
	}
}

// explainIDEntry reports an entry of an id index that leads to no event of its.
func (w *walk) explainIDEntry(key, _ []byte) {
	number, print, revision, err := readIDEntry(key)
	if err != nil {
		return
	}
	entry, found := w.get(indexKey(key[0] == familyMetaID, number, revision))
	position, size := binary.Uvarint(entry)
	e, _, ok := w.event(position)
	if !found || size <= 0 || !ok || fingerprint(e.id) != print {
		w.add(Problem{
			Position: position, Remedy: remedyRestore,
			Text: fmt.Sprintf("the id index has an entry for revision %d of the stream that began at position %d, which the log does not have", revision, number),
		})
	}
}

// explainName reports a name that leads to no stream.
func (w *walk) explainName(key, value []byte) {
	number, metastream, err := readNameEntry(value)
	if err != nil {
		return
	}
	_, stream, found := w.event(number)
	p := Problem{Position: number, Stream: string(key[1:]), Remedy: remedyRestore}
	if !found || !bytes.Equal(stream.base, key[1:]) {
		p.Text = "the name index leads to an event that is not the stream's"
		w.add(p)
	} else if _, has := w.get(indexKey(true, number, 0)); has != metastream {
		p.Text = "the name index is wrong about whether the stream has metadata"
		w.add(p)
	}
}

// names reports whether the name index gives a stream this number.
func (w *walk) names(base []byte, number uint64) bool {
	entry, found := w.get(nameKey(base))
	n, _, err := readNameEntry(entry)
	return found && err == nil && n == number
}

// event returns the event at a position.
func (w *walk) event(position uint64) (*event, name, bool) {
	record, found := w.get(eventKey(position))
	e := &event{}
	if !found || e.decode(position, record) != nil {
		return nil, name{}, false
	}
	return e, parseName(e.stream), true
}

// get looks a key up. What cannot be read counts as absent and is a problem of its own.
func (w *walk) get(key []byte) ([]byte, bool) {
	value, closer, err := w.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	if err != nil {
		w.damaged(err, Problem{Text: "the store cannot be read"})
		return nil, false
	}
	value = bytes.Clone(value)
	if err := closer.Close(); err != nil {
		w.damaged(err, Problem{Text: "the store cannot be read"})
	}
	return value, true
}
