package decider

import (
	"context"
	"errors"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
)

// reservation is what a command set aside for its append.
type reservation struct {
	metadata events.Metadata
	claim    events.Claim
	names    []uniq.Name
	// repeatable says that the command has an id of its own making, which comes again
	// with it; a random one does not.
	repeatable bool
}

// abandon gives the names of a refused command back. An append whose outcome is
// not known keeps them: the reservation reaction settles that later. So does an
// outage: nothing can be given back while the log is away, and while the keys are
// a command that can be repeated finds what it set aside.
func (r *reservation) abandon(ctx context.Context, e *Engine, cause error) error {
	if r == nil || errors.Is(cause, eventstore.ErrOutcomeUnknown) || errors.Is(cause, eventstore.ErrUnavailable) ||
		errors.Is(cause, eventstore.ErrFull) || errors.Is(cause, eventstore.ErrReadOnly) || r.repeatable && errors.Is(cause, vault.ErrDatabaseUnavailable) {
		return nil
	}
	return e.Names.Abandon(ctx, r.metadata, r.claim, r.names)
}

// taken lists the names that the events take and do not give up again.
func taken(decided []events.Event) []uniq.Name {
	var names []uniq.Name
	for _, event := range decided {
		take, _ := uniq.Names(event)
		names = append(names, take...)
	}
	return names
}

// available answers for a dry run whether the names could be had now.
func (e *Engine) available(ctx context.Context, r Request, stream string, decided []events.Event) error {
	refused := uniq.ErrNameTaken
	held := false
	for _, name := range taken(decided) {
		holder, ok, err := e.Names.Holder(ctx, r.StoreID, name)
		if err != nil {
			return err
		}
		if ok && holder != stream {
			held = true
			refused = refused.On(name.Field, "is taken")
		}
	}
	if held {
		return refused
	}
	return nil
}
