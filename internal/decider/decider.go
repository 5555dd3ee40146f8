// Package decider turns commands into events: it folds a stream into a state,
// lets a pure function decide, and appends the outcome at exactly the revision
// that was folded.
package decider

import "github.com/stewardhq/steward/events"

// Decider is a consistency boundary as two pure functions. The zero S is the
// state of a stream that does not exist.
//
// Decide returns the events that follow from a command, none when things are
// already so, or a fault. Evolve folds an event into the state; it never fails,
// for the event has already happened.
type Decider[S, C any, E events.Event] struct {
	Decide func(S, C) ([]E, error)
	Evolve func(S, E) S
}

// Fold returns the state that history leads to.
func (d Decider[S, C, E]) Fold(history []E) S {
	var state S
	for _, e := range history {
		state = d.Evolve(state, e)
	}
	return state
}
