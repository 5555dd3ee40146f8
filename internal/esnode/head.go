package esnode

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// noRevision is the last revision of a stream without events.
const noRevision = -1

// head is where a stream and its metastream end.
type head struct {
	number       uint64 // the stream's number in the indexes; 0 when nothing was ever written
	last         int64
	lastPosition uint64

	hasMetastream bool
	metaLast      int64
	metaPosition  uint64
	metadata      streamMetadata // what the newest metadata event says
}

func (h head) tombstoned() bool { return h.last == tombstoneRevision }

// newest is the position of the newest event that this head tells about.
func (h head) newest() uint64 { return max(h.lastPosition, h.metaPosition) }

// current is the last revision of the stream as the rules of appending see it.
func (h head) current(n name) int64 {
	if !n.metastream || h.tombstoned() {
		return h.last
	}
	return h.metaLast
}

// effective is the metadata that governs reads of the stream.
func (h head) effective(n name) streamMetadata {
	if n.metastream {
		return implicitMetadata
	}
	return h.metadata
}

// nameValue is what the name index says about a stream: its number, and whether it has a metastream, which
// spares the many streams without metadata a second search.
func nameValue(h head) []byte {
	value := binary.AppendUvarint(nil, h.number)
	if h.hasMetastream {
		return append(value, 1)
	}
	return append(value, 0)
}

const everything = math.MaxUint64

// loadHead reads a head from the store as of a position: events after it are taken as not written.
func (n *Node) loadHead(base []byte, asOf uint64) (head, error) {
	h := head{last: noRevision, metaLast: noRevision}
	value, closer, err := n.db.Get(nameKey(base))
	if errors.Is(err, pebble.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("look up stream %q: %w", base, err)
	}
	number, size := binary.Uvarint(value)
	broken := size <= 0 || size >= len(value)
	if !broken {
		h.number, h.hasMetastream = number, value[size] == 1
	}
	if err := closer.Close(); err != nil {
		return h, fmt.Errorf("look up stream %q: %w", base, err)
	}
	if broken {
		return h, fmt.Errorf("stream %q: %w: broken entry in the name index", base, errBrokenIndex)
	}

	h.last, h.lastPosition, err = n.lastIndexed(false, h.number, asOf)
	if err != nil {
		return h, err
	}
	if !h.hasMetastream {
		return h, nil
	}
	h.metaLast, h.metaPosition, err = n.lastIndexed(true, h.number, asOf)
	if err != nil || h.metaPosition == 0 {
		return h, err
	}
	e, err := n.eventAt(h.metaPosition)
	if err != nil {
		return h, err
	}
	h.metadata = parseMetadata(e.json, e.data)
	return h, nil
}

// lastIndexed returns the newest revision of a stream, and where it stands in the log.
func (n *Node) lastIndexed(metastream bool, number, asOf uint64) (revision int64, position uint64, err error) {
	prefix := indexPrefix(metastream, number)
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upperBound(prefix)})
	if err != nil {
		return noRevision, 0, fmt.Errorf("open the stream index: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()
	for ok := it.Last(); ok; ok = it.Prev() {
		revision, position, err := indexEntry(it, len(prefix))
		if err != nil || position <= asOf {
			return revision, position, err
		}
	}
	return noRevision, 0, nil
}

// indexEntry reads the entry of the stream index that the iterator stands on.
func indexEntry(it *pebble.Iterator, prefix int) (revision int64, position uint64, err error) {
	number, _, err := readOrdered(it.Key()[prefix:])
	if err != nil {
		return noRevision, 0, err
	}
	position, err = readPosition(it.Value())
	return int64(number), position, err
}

// readPosition reads the value of a stream index entry.
func readPosition(value []byte) (uint64, error) {
	position, size := binary.Uvarint(value)
	if size <= 0 {
		return 0, fmt.Errorf("%w: broken entry in the stream index: %x", errBrokenIndex, value)
	}
	return position, nil
}

// closeIterator closes it and returns the first thing that went wrong.
func closeIterator(it *pebble.Iterator, err error) error {
	if closed := it.Close(); err == nil && closed != nil {
		return fmt.Errorf("read the store: %w", closed)
	}
	return err
}

// heads caches the heads of the streams in use. Writers put the heads they make while they hold the write
// lock, so a cached head is never behind the store; it may be ahead of the horizon.
type heads struct {
	mu      sync.Mutex
	limit   int
	entries map[string]*list.Element
	recent  *list.List // of *cachedHead, the most recently used in front
	loading map[string]*headLoad
}

type cachedHead struct {
	base string
	head head
}

// headLoad is a look-up under way. One that a writer overtook must not enter the cache.
type headLoad struct {
	users int
	stale bool
}

func newHeads(limit int) *heads {
	return &heads{
		limit:   limit,
		entries: make(map[string]*list.Element),
		recent:  list.New(),
		loading: make(map[string]*headLoad),
	}
}

// get returns the head of a stream, from the cache or through load.
func (c *heads) get(base []byte, load func([]byte, uint64) (head, error)) (head, error) {
	c.mu.Lock()
	if element, ok := c.entries[string(base)]; ok {
		c.recent.MoveToFront(element)
		h := element.Value.(*cachedHead).head
		c.mu.Unlock()
		return h, nil
	}
	flight, ok := c.loading[string(base)]
	if !ok {
		flight = &headLoad{}
		c.loading[string(base)] = flight
	}
	flight.users++
	c.mu.Unlock()

	h, err := load(base, everything)

	c.mu.Lock()
	defer c.mu.Unlock()
	if flight.users--; flight.users == 0 {
		delete(c.loading, string(base))
	}
	if err == nil && !flight.stale {
		if _, ok := c.entries[string(base)]; !ok {
			c.insert(string(base), h)
		}
	}
	return h, err
}

// put stores what a writer has just made of a stream. The caller holds the write lock.
func (c *heads) put(base []byte, h head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if flight, ok := c.loading[string(base)]; ok {
		flight.stale = true
	}
	if element, ok := c.entries[string(base)]; ok {
		element.Value.(*cachedHead).head = h
		c.recent.MoveToFront(element)
		return
	}
	c.insert(string(base), h)
}

func (c *heads) insert(base string, h head) {
	c.entries[base] = c.recent.PushFront(&cachedHead{base: base, head: h})
	if len(c.entries) > c.limit {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, oldest.Value.(*cachedHead).base)
	}
}
