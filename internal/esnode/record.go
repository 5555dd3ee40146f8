package esnode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"
)

// recordFormat is the version written into every stored record. A record says itself how it is to be read,
// so a later format can live beside this one in the same log.
const recordFormat = 0x10

const flagJSON = 0x01

// event is one stored event. Its byte slices are never changed after it was built.
type event struct {
	position uint64
	revision int64
	created  int64 // 100-nanosecond ticks since the Unix epoch
	id       uuid.UUID
	stream   []byte
	kind     []byte // the event type
	json     bool
	metadata []byte
	data     []byte

	// frame keeps the event as it goes over the wire. Only events of the tail use it, since only those are
	// sent to several subscribers.
	frame atomic.Pointer[[]byte]
}

// recordSize is the exact size of the stored record. It is also the distance to the next position.
func (e *event) recordSize() int {
	return 1 + len(e.id) +
		uvarintSize(uint64(e.revision)) + uvarintSize(uint64(e.created)) +
		uvarintSize(uint64(len(e.stream))) + len(e.stream) +
		uvarintSize(uint64(len(e.kind))) + len(e.kind) +
		uvarintSize(uint64(len(e.metadata))) + len(e.metadata) +
		len(e.data)
}

// appendRecord writes the stored form. The data comes last and needs no length: it is the rest.
func (e *event) appendRecord(b []byte) []byte {
	head := byte(recordFormat)
	if e.json {
		head |= flagJSON
	}
	b = append(b, head)
	b = append(b, e.id[:]...)
	b = binary.AppendUvarint(b, uint64(e.revision))
	b = binary.AppendUvarint(b, uint64(e.created))
	for _, field := range [...][]byte{e.stream, e.kind, e.metadata} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	return append(b, e.data...)
}

var errBrokenRecord = errors.New("broken record")

// decode reads a stored record. The event shares the memory of the record.
func (e *event) decode(position uint64, record []byte) error {
	e.position = position
	if len(record) < 1+len(e.id) || record[0]&^flagJSON != recordFormat {
		return fmt.Errorf("position %d: %w", position, errBrokenRecord)
	}
	e.json = record[0]&flagJSON != 0
	rest := record[1+copy(e.id[:], record[1:]):]

	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			rest = nil
			return 0
		}
		rest = rest[n:]
		return v
	}
	e.revision = int64(number())
	e.created = int64(number())
	for _, field := range [...]*[]byte{&e.stream, &e.kind, &e.metadata} {
		size := number()
		if rest == nil || size > uint64(len(rest)) {
			return fmt.Errorf("position %d: %w", position, errBrokenRecord)
		}
		*field = rest[:size:size]
		rest = rest[size:]
	}
	e.data = rest
	return nil
}

func uvarintSize(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
