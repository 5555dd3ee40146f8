package vault

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func newTestCache(size int) (*cache, *clock) {
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return newCache(size, time.Minute, func() time.Time { return c.now }), c
}

func testKey(subject events.Subject) *Key { return &Key{id: uuid.New(), subject: subject} }

func (c *cache) hasID(id uuid.UUID) bool {
	missing, _ := c.ids([]uuid.UUID{id}, make(map[uuid.UUID]*Key))
	return len(missing) == 0
}

func (c *cache) has(subject events.Subject) bool {
	missing, _ := c.subjects([]events.Subject{subject}, make(map[events.Subject]*Key))
	return len(missing) == 0
}

func TestCache(t *testing.T) {
	t.Parallel()
	subject := events.Subject{Kind: events.SubjectCustomer, ID: uuid.New()}

	t.Run("forgets after its lifetime", func(t *testing.T) {
		t.Parallel()
		c, clock := newTestCache(10)
		key := testKey(subject)
		c.put(0, key, true)
		clock.advance(time.Minute)
		if !c.hasID(key.id) || !c.has(subject) {
			t.Error("forgot within its lifetime")
		}
		clock.advance(1)
		if c.hasID(key.id) || c.has(subject) || c.recent.Len() != 0 {
			t.Error("remembers after its lifetime")
		}
	})

	t.Run("use does not make a key live longer", func(t *testing.T) {
		t.Parallel()
		c, clock := newTestCache(10)
		key := testKey(subject)
		c.put(0, key, true)
		for range 3 {
			clock.advance(30 * time.Second)
			c.hasID(key.id)
		}
		if c.hasID(key.id) {
			t.Error("an erased key would never go")
		}
	})

	t.Run("drops the key that was not used for longest", func(t *testing.T) {
		t.Parallel()
		c, _ := newTestCache(3)
		keys := make([]*Key, 4)
		for i := range keys {
			keys[i] = testKey(events.Subject{Kind: events.SubjectLogin, ID: uuid.New()})
			c.put(0, keys[i], true)
			c.hasID(keys[0].id)
		}
		for i, want := range []bool{true, false, true, true} {
			if c.hasID(keys[i].id) != want || c.has(keys[i].subject) != want {
				t.Errorf("key %d: want %v", i, want)
			}
		}
		if len(c.byID) != 3 || len(c.bySubject) != 3 || c.recent.Len() != 3 {
			t.Errorf("holds %d, %d, %d", len(c.byID), len(c.bySubject), c.recent.Len())
		}
	})

	t.Run("an old version is not one to seal with", func(t *testing.T) {
		t.Parallel()
		c, _ := newTestCache(10)
		old, current := testKey(subject), testKey(subject)
		c.put(0, old, false)
		if c.has(subject) {
			t.Error("an old version seals")
		}
		c.put(0, current, true)
		c.put(0, old, false)
		found := make(map[events.Subject]*Key)
		if c.subjects([]events.Subject{subject}, found); found[subject] != current {
			t.Error("the current version does not seal")
		}
		if !c.hasID(old.id) {
			t.Error("the old version does not open")
		}
	})

	t.Run("evicts all versions of one subject", func(t *testing.T) {
		t.Parallel()
		c, _ := newTestCache(10)
		other := testKey(events.Subject{Kind: events.SubjectCustomer, ID: uuid.New()})
		a, b := testKey(subject), testKey(subject)
		c.put(0, a, true)
		c.put(0, b, true)
		c.put(0, other, true)
		c.evict(subject)
		if c.hasID(a.id) || c.hasID(b.id) || c.has(subject) || !c.hasID(other.id) {
			t.Error("the wrong ones are gone")
		}
	})

	t.Run("does not take what was read before an eviction", func(t *testing.T) {
		t.Parallel()
		c, _ := newTestCache(10)
		key := testKey(subject)
		_, epoch := c.subjects([]events.Subject{subject}, make(map[events.Subject]*Key))
		c.evict(subject)
		c.put(epoch, key, true)
		if c.hasID(key.id) {
			t.Error("an erased key came back")
		}
	})
}
