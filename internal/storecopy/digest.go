package storecopy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// tally counts events and digests them in order.
type tally struct {
	events  uint64
	leftOut uint64
	hash    hash.Hash
	form    []byte
}

func newTally() *tally { return &tally{hash: sha256.New()} }

func (t *tally) add(r events.Record) {
	t.form = appendCanonical(t.form[:0], r)
	t.hash.Write(t.form)
	t.events++
}

func (t *tally) end() end {
	return end{Events: t.events, LeftOut: t.leftOut, SHA256: hex.EncodeToString(t.hash.Sum(nil))}
}

// same reports whether two events are copies of each other.
func same(a, b events.Record) bool {
	return bytes.Equal(appendCanonical(nil, a), appendCanonical(nil, b))
}

// appendCanonical appends the form of an event that is digested. It is the same for an event and its copy.
func appendCanonical(b []byte, r events.Record) []byte {
	switch {
	case r.Type == typeStreamDeleted:
		r = events.Record{Stream: r.Stream, Type: r.Type}
	case r.Type == typeMetadata && isMetastream(r.Stream):
		r.ID = uuid.Nil
		r.Data = canonicalJSON(r.Data)
	}
	b = appendSized(b, r.Stream)
	b = binary.BigEndian.AppendUint64(b, r.Revision)
	b = append(b, r.ID[:]...)
	b = appendSized(b, r.Type)
	if r.Binary {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = appendSized(b, r.Data)
	return appendSized(b, r.Metadata)
}

func appendSized[T string | []byte](b []byte, text T) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
	return append(b, text...)
}

// canonicalJSON orders the keys and drops the spaces; what is not JSON stays as it is.
func canonicalJSON(text []byte) []byte {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil || decoder.More() {
		return text
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return canonical
}
