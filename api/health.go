package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// check is something that must be well for the server to be ready. Its probe
// returns what is wrong, in a sentence for operators without personal data or
// secrets.
type check struct {
	name  string
	probe func(context.Context) error
}

// Health is how the server is.
type Health struct {
	Status string        `json:"status" enum:"alive,ready,not_ready"`
	Checks []CheckResult `json:"checks,omitempty" doc:"What is away or behind; with verbose everything."`
}

// CheckResult is how one thing is.
type CheckResult struct {
	Name   string `json:"name" example:"event_store"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// HealthOutput is the answer to a probe.
type HealthOutput struct {
	Status int
	Body   Health
}

// getLive handles GET /livez.
func (s *Server) getLive(context.Context, *struct{}) (*HealthOutput, error) {
	return &HealthOutput{Status: http.StatusOK, Body: Health{Status: "alive"}}, nil
}

// ReadyInput asks whether the server is ready.
type ReadyInput struct {
	Verbose string `query:"verbose" doc:"Also name what is well."`
}

// draining is set when the server is about to stop.
type draining struct{ on atomic.Bool }

// Drain makes the server answer that it is not ready, so that nobody sends it
// more while it finishes what it has.
func (s *Server) Drain() { s.drain.on.Store(true) }

// checkTimeout bounds each check.
const checkTimeout = 2 * time.Second

// getReady handles GET /readyz.
func (s *Server) getReady(ctx context.Context, _ *ReadyInput) (*HealthOutput, error) {
	_, verbose := queryOf(callOf(ctx))["verbose"]
	out := &HealthOutput{Status: http.StatusOK, Body: Health{Status: "ready"}}
	for _, c := range s.checks() {
		result := CheckResult{Name: c.name, OK: true}
		probing, cancel := context.WithTimeout(ctx, checkTimeout)
		if err := c.probe(probing); err != nil {
			result.OK, result.Detail = false, err.Error()
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "not_ready"
		}
		cancel()
		if verbose || !result.OK {
			out.Body.Checks = append(out.Body.Checks, result)
		}
	}
	return out, nil
}

func (s *Server) checks() []check {
	return []check{
		{"shutdown", s.checkShutdown},
		{"event_store", s.checkEventStore},
		{"postgres", s.checkPostgres},
		{"projections", s.checkProjections},
		{"reactions", s.checkReactions},
	}
}

func (s *Server) checkShutdown(context.Context) error {
	if s.drain.on.Load() {
		return fmt.Errorf("the server is about to stop")
	}
	return nil
}

func (s *Server) checkEventStore(ctx context.Context) error {
	if _, err := s.engine.Log.ReadStreamBackwards(ctx, events.PlatformStream, 1); err != nil {
		return fmt.Errorf("it does not answer")
	}
	switch err := s.engine.Log.Writable(); {
	case errors.Is(err, eventstore.ErrFull):
		return fmt.Errorf("it has no room left")
	case err != nil:
		return fmt.Errorf("it takes no more writes")
	}
	return nil
}

// maxSkew is how far our clock and the database's may be apart.
const maxSkew = 10 * time.Second

func (s *Server) checkPostgres(ctx context.Context) error {
	var now time.Time
	if err := s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return fmt.Errorf("it does not answer")
	}
	if skew := s.clock.wall().Sub(now).Abs(); skew > maxSkew {
		return fmt.Errorf("its clock and ours are %s apart", skew.Round(time.Second))
	}
	return nil
}

// checkProjections reports read models that do not follow, or are behind.
func (s *Server) checkProjections(ctx context.Context) error {
	if s.projector != nil {
		if h := s.projector.Health(); !h.OK() {
			return fmt.Errorf("group %s is %s: %s", h.Group, h.Condition, h.Reason)
		}
	}
	head, err := s.engine.Log.Head(ctx)
	if err != nil {
		return nil // the event store is named already
	}
	waiting, cancel := context.WithTimeout(ctx, checkTimeout/2)
	defer cancel()
	if err := s.waiter.Wait(waiting, head); err != nil {
		return fmt.Errorf("the read models are behind")
	}
	return nil
}

func (s *Server) checkReactions(context.Context) error {
	if s.reactions == nil {
		return nil
	}
	for _, status := range s.reactions.Statuses() {
		if !status.Healthy() {
			return fmt.Errorf("%s has failed %d times in a row", status.Reaction, status.Failures)
		}
	}
	return nil
}

// dataAsOf is when the read models last changed.
func (s *Server) dataAsOf(ctx context.Context) (at time.Time, err error) {
	err = s.pool.QueryRow(ctx, `SELECT updated_at FROM read_core.checkpoint WHERE group_name = 'core'`).Scan(&at)
	if err != nil {
		return at, fmt.Errorf("read how current the lists are: %w", err)
	}
	return at, nil
}
