package vault

import (
	"container/list"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// CacheLifetime is how long another process may go on using a key after its
// erasure.
const CacheLifetime = time.Minute

const cacheSize = 10_000

// cache holds the keys used last, erased ones included: they are what a page
// of an erased person's history asks for again and again.
type cache struct {
	size     int
	lifetime time.Duration
	now      func() time.Time

	mu        sync.Mutex
	recent    *list.List // of *entry, the one used last in front
	byID      map[uuid.UUID]*list.Element
	bySubject map[events.Subject]*list.Element // the newest version only
	epoch     uint64                           // grows with every eviction
}

type entry struct {
	key     *Key
	newest  bool
	expires time.Time
}

func newCache(size int, lifetime time.Duration, now func() time.Time) *cache {
	return &cache{
		size: size, lifetime: lifetime, now: now,
		recent:    list.New(),
		byID:      make(map[uuid.UUID]*list.Element),
		bySubject: make(map[events.Subject]*list.Element),
	}
}

// ids moves what is known of ids into found and returns the others, with the
// epoch to give to put.
func (c *cache) ids(ids []uuid.UUID, found map[uuid.UUID]*Key) (missing []uuid.UUID, epoch uint64) {
	return lookup(c, c.byID, ids, found)
}

// subjects does for subjects what ids does for ids.
func (c *cache) subjects(subjects []events.Subject, found map[events.Subject]*Key) (missing []events.Subject, epoch uint64) {
	return lookup(c, c.bySubject, subjects, found)
}

func lookup[K comparable](c *cache, index map[K]*list.Element, wanted []K, found map[K]*Key) (missing []K, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, k := range wanted {
		at, ok := index[k]
		if ok && now.After(at.Value.(*entry).expires) {
			c.remove(at)
			ok = false
		}
		if !ok {
			missing = append(missing, k)
			continue
		}
		c.recent.MoveToFront(at)
		found[k] = at.Value.(*entry).key
	}
	return missing, c.epoch
}

// put keeps key. newest says that it is the one to seal with. A key that was
// read before the latest eviction is not kept: it may be the evicted one.
func (c *cache) put(epoch uint64, key *Key, newest bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if at, ok := c.byID[key.id]; ok {
		c.remove(at)
	}
	at := c.recent.PushFront(&entry{key: key, newest: newest, expires: c.now().Add(c.lifetime)})
	c.byID[key.id] = at
	if newest {
		if old, ok := c.bySubject[key.subject]; ok {
			old.Value.(*entry).newest = false
		}
		c.bySubject[key.subject] = at
	}
	for c.recent.Len() > c.size {
		c.remove(c.recent.Back())
	}
}

// evict forgets every key of subject.
func (c *cache) evict(subject events.Subject) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for at := c.recent.Front(); at != nil; {
		next := at.Next()
		if at.Value.(*entry).key.subject == subject {
			c.remove(at)
		}
		at = next
	}
}

func (c *cache) remove(at *list.Element) {
	e := c.recent.Remove(at).(*entry)
	delete(c.byID, e.key.id)
	if e.newest {
		delete(c.bySubject, e.key.subject)
	}
}
