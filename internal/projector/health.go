package projector

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Condition is how a projector is.
type Condition string

// The conditions.
const (
	Starting Condition = "starting"
	Running  Condition = "running"
	// Waiting says that PostgreSQL, the event store or the vault is away. The
	// projector tries again by itself.
	Waiting Condition = "waiting"
	// Stalled says that an event cannot be applied.
	Stalled Condition = "stalled"
	// Refused says that the tables do not fit the code or the log.
	Refused Condition = "refused"
	Stopped Condition = "stopped"
)

// Health is how a projector is and, unless it runs, why and what to do.
type Health struct {
	Group     string
	Condition Condition
	Reason    string // a sentence for operators, without personal data
	// Event is the event that a stalled projector stands before.
	Event *StalledEvent
	Since time.Time // in this condition
	// Trimmed lists the streams of ours in which the event store was told to remove
	// events. It must never be.
	Trimmed []TrimAlarm
}

// OK reports whether the read models are being kept current and nothing is amiss.
func (h Health) OK() bool { return h.Condition == Running && len(h.Trimmed) == 0 }

// StalledEvent is an event that cannot be applied.
type StalledEvent struct {
	ID       uuid.UUID
	Stream   string
	Revision uint64
	Type     string
	Position events.Position
	Reason   string // without personal data
}

// TrimAlarm is a setting that removes events of a stream of ours.
type TrimAlarm struct {
	Stream  string `db:"stream"`
	Setting string `db:"setting"` // "$tb", "$maxAge", "$maxCount" or "deleted"
}

// condition holds the health and tells whoever waits for it to change.
type condition struct {
	mu      sync.Mutex
	health  Health
	changed chan struct{}
}

func (c *condition) get() (Health, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health, c.changed
}

// set returns whether the condition is another one than before.
func (c *condition) set(to Condition, reason string, event *StalledEvent) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.health.Condition
	if was == to && c.health.Reason == reason && c.health.Event == event {
		return false
	}
	c.health.Condition, c.health.Reason, c.health.Event = to, reason, event
	if was != to {
		c.health.Since = time.Now()
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return was != to
}

func (c *condition) setTrimmed(alarms []TrimAlarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.Trimmed = alarms
	close(c.changed)
	c.changed = make(chan struct{})
}

// progress is how far a group is known to be, and tells whoever waits for more.
type progress struct {
	mu       sync.Mutex
	position events.Position
	changed  chan struct{}
}

func (p *progress) get() (events.Position, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position, p.changed
}

// set is for a position that is known for certain.
func (p *progress) set(position events.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move(position)
}

// advance is for a position that may be older than what is known.
func (p *progress) advance(position events.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.position.Before(position) {
		p.move(position)
	}
}

func (p *progress) move(position events.Position) {
	if p.position == position {
		return
	}
	p.position = position
	close(p.changed)
	p.changed = make(chan struct{})
}
