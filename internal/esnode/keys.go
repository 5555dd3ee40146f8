package esnode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/google/uuid"
)

// The key families. Events come first on purpose: a flushed table then reaches from its first new event up
// to the last index key, so it never overlaps the older events and compaction leaves those where they are.
const (
	familyEvent      = 0x01 // position -> record
	familyStream     = 0x02 // stream number, revision -> position
	familyMetastream = 0x03 // the same for the stream's metastream
	familyID         = 0x04 // stream number, fingerprint of the event id, revision -> nothing
	familyMetaID     = 0x05 // the same for the stream's metastream
	familyName       = 0x06 // stream name -> stream number, flags
	familyInfo       = 0x07 // facts about the store itself
)

// tombstoneRevision is the revision of a $streamDeleted event, and so the last revision of a deleted stream.
const tombstoneRevision = math.MaxInt64

// errBrokenIndex says that an index does not lead to what it should lead to.
var errBrokenIndex = errors.New("broken index")

// fingerprintSize is how much of an event id its index keeps. The index only narrows the search down, the
// stored event decides, so the size trades disk space against useless look-ups.
const fingerprintSize = 6

var formatKey = []byte{familyInfo, 'f'}

func eventKey(position uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyEvent}, position)
}

func indexKey(metastream bool, number uint64, revision int64) []byte {
	return appendOrdered(indexPrefix(metastream, number), uint64(revision))
}

func indexPrefix(metastream bool, number uint64) []byte {
	family := byte(familyStream)
	if metastream {
		family = familyMetastream
	}
	key := make([]byte, 0, 20)
	return appendOrdered(append(key, family), number)
}

func idKey(metastream bool, number uint64, id uuid.UUID, revision int64) []byte {
	return appendOrdered(idPrefix(metastream, number, id), uint64(revision))
}

func idPrefix(metastream bool, number uint64, id uuid.UUID) []byte {
	family := byte(familyID)
	if metastream {
		family = familyMetaID
	}
	key := make([]byte, 0, 32)
	key = appendOrdered(append(key, family), number)
	for i := range fingerprintSize {
		// Both halves, because some kinds of UUID hold their randomness in one half only.
		key = append(key, id[i]^id[i+8])
	}
	return key
}

func nameKey(base []byte) []byte {
	key := make([]byte, 0, len(base)+1)
	return append(append(key, familyName), base...)
}

// appendOrdered appends v so that keys sort like numbers and small numbers stay short: a length byte, then
// the significant bytes, big end first.
func appendOrdered(key []byte, v uint64) []byte {
	n := (bits.Len64(v) + 7) / 8
	key = append(key, byte(n))
	for i := n - 1; i >= 0; i-- {
		key = append(key, byte(v>>(8*i)))
	}
	return key
}

// readOrdered is the inverse of appendOrdered; it returns what follows the number.
func readOrdered(key []byte) (uint64, []byte, error) {
	if len(key) == 0 || int(key[0]) > 8 || len(key) < 1+int(key[0]) {
		return 0, nil, fmt.Errorf("%w: broken number in key %x", errBrokenIndex, key)
	}
	n := int(key[0])
	var v uint64
	for _, b := range key[1 : 1+n] {
		v = v<<8 | uint64(b)
	}
	return v, key[1+n:], nil
}

// upperBound returns the smallest key above every key that begins with prefix.
func upperBound(prefix []byte) []byte {
	bound := append([]byte(nil), prefix...)
	for i := len(bound) - 1; i >= 0; i-- {
		if bound[i] != 0xff {
			bound[i]++
			return bound[:i+1]
		}
	}
	return nil
}
