package reactions

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stewardhq/steward/events"
)

// Status is how a reaction is doing.
type Status struct {
	Reaction string
	// Position is the place in the log up to which everything is done. What is
	// not yet done lies between it and the head of the log.
	Position events.Position
	// CaughtUp tells that the end of the log was reached since the start. Later
	// events may be on their way; compare Position with the head.
	CaughtUp bool
	// Handled counts the events handled since the start.
	Handled uint64
	// Failures counts the attempts in a row that failed; 0 is healthy.
	Failures int
	// Err is why the last attempt failed, and FailingSince when the first of
	// them did.
	Err          error
	FailingSince time.Time
}

// Healthy reports whether the reaction has no failure to get over.
func (s Status) Healthy() bool { return s.Failures == 0 }

// health collects the statuses of reactions.
type health struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string]*Status
}

func newHealth(now func() time.Time) *health {
	if now == nil {
		now = time.Now
	}
	return &health{now: now, all: make(map[string]*Status)}
}

func (h *health) change(reaction string, fn func(*Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[reaction]
	if s == nil {
		s = &Status{Reaction: reaction}
		h.all[reaction] = s
	}
	fn(s)
}

// begins notes where a reaction begins, which gets it over no failure yet.
func (h *health) begins(reaction string, at events.Position) {
	h.change(reaction, func(s *Status) { s.Position = at })
}

func (h *health) reached(reaction string, at events.Position) {
	h.change(reaction, func(s *Status) {
		s.Position = at
		s.Failures, s.Err, s.FailingSince = 0, nil, time.Time{}
	})
}

func (h *health) caughtUp(reaction string) {
	h.change(reaction, func(s *Status) { s.CaughtUp = true })
}

func (h *health) handled(reaction string) {
	h.change(reaction, func(s *Status) { s.Handled++ })
}

func (h *health) failed(reaction string, err error) {
	h.change(reaction, func(s *Status) {
		if s.Failures++; s.Failures == 1 {
			s.FailingSince = h.now()
		}
		s.Err = err
	})
}

func (h *health) statuses() []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Status, 0, len(h.all))
	for _, s := range h.all {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Reaction, b.Reaction) })
	return all
}
