package decider

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
)

// Config says what an engine works with.
type Config struct {
	Log    *eventstore.Store
	Sealer *seal.Sealer
	Names  *uniq.Registry
	// StatesBytes bounds the memory of the streams that are kept folded, 20 MiB
	// if zero.
	StatesBytes int
	// Registerer receives the metrics; nil discards.
	Registerer prometheus.Registerer
}

const defaultStatesBytes = 20 << 20

// Engine is what handling a command needs from the outside. Several engines may
// work on one log.
type Engine struct {
	Log    *eventstore.Store
	Sealer *seal.Sealer
	Names  *uniq.Registry

	states *states
}

// NewEngine makes an engine. It fails when its metrics cannot be registered.
func NewEngine(c Config) (*Engine, error) {
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	if c.StatesBytes == 0 {
		c.StatesBytes = defaultStatesBytes
	}
	return &Engine{Log: c.Log, Sealer: c.Sealer, Names: c.Names, states: newStates(c.Log, c.StatesBytes, m)}, nil
}

// Follow keeps the folded streams current while no command comes, until ctx ends.
// Without it the first command after a pause has more to read.
func (e *Engine) Follow(ctx context.Context) { e.states.follow(ctx) }
