package esnode

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// logEnd is where a log ends. The zero value is the end of an empty log.
type logEnd struct {
	last    uint64 // the position of the newest event
	next    uint64 // the position that the next event gets
	created int64  // the time of the newest event
}

// lastEvent finds the end of the log. Of a store open for reading only, stored limits the search to what is
// in tables, without what came from the write-ahead log.
func lastEvent(db pebble.Reader, stored bool) (end logEnd, err error) {
	end.next = 1
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{familyEvent}, UpperBound: []byte{familyEvent + 1}, OnlyReadGuaranteedDurable: stored,
	})
	if err != nil {
		return end, fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()
	if !it.Last() {
		return end, nil
	}
	position, ok := eventPosition(it.Key())
	if !ok {
		return end, fmt.Errorf("the log ends with the impossible key %x: %w", it.Key(), errBrokenRecord)
	}
	var e event
	if err := e.decode(position, it.Value()); err != nil {
		return end, err
	}
	return logEnd{last: position, next: position + uint64(len(it.Value())), created: e.created}, nil
}

// verifyReplay goes through the events that came from the write-ahead log and insists that none is missing
// between them, nor between them and the tables. Damage in the middle of a write-ahead log can hide the rest
// of one file while the next one is read.
func verifyReplay(db pebble.Reader) (err error) {
	stored, err := lastEvent(db, true)
	if err != nil {
		return err
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: eventKey(stored.next), UpperBound: []byte{familyEvent + 1}})
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()
	next := stored.next
	for ok := it.First(); ok; ok = it.Next() {
		position, _ := eventPosition(it.Key())
		if position != next {
			return hole(next, position)
		}
		next = position + uint64(len(it.Value()))
	}
	return nil
}

// eventPosition reads the position from the key of an event.
func eventPosition(key []byte) (uint64, bool) {
	if len(key) != 9 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1:]), true
}

// hole says that events are missing inside the log.
func hole(from, to uint64) *Problem {
	return &Problem{
		Position: from, Remedy: remedyRestore,
		Text: fmt.Sprintf("events are missing: nothing lies between position %d, where one event ends, and %d, where the next begins", from, to),
	}
}

// lostEnd says that the log ends before what was acknowledged.
func lostEnd(files vfs.FS, dir string, end logEnd, acknowledged uint64) *Problem {
	file := dir
	if names, err := files.List(dir); err == nil {
		logs := slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".log") })
		if len(logs) > 0 {
			file = path.Join(dir, slices.Max(logs))
		}
	}
	return &Problem{
		File: file, Position: end.next,
		Text: fmt.Sprintf("the end of the log is missing: it ends at position %d, and appends were acknowledged up to position %d, so %d positions are lost; "+
			"most likely a write-ahead log (*.log) was cut off, damaged or left out when the directory was copied", end.last, acknowledged, acknowledged-end.last),
		Remedy: remedyRestore + "; only if there is no backup and the loss is accepted, remove the file " + AcknowledgedFile + " and start again",
	}
}
