package reactions

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/uniq"
)

// Reaction is what follows from certain events.
type Reaction struct {
	// Name is the key of its checkpoint; never rename.
	Name string
	// FromStart says that repeating everything does no harm and is what a new
	// version wants: without a checkpoint it begins at the start of the log. A
	// reaction without it begins with what happens from now on, if others have a
	// checkpoint; if none has, the database was lost and it refuses to guess.
	FromStart bool
	// Wants says which kinds of event it handles, asked once for every stored
	// name with an empty event of its current shape.
	Wants func(events.Event) bool
	// Handle does what follows from one event, whose personal values are
	// sealed. What it writes with tx happens exactly once, together with the
	// move of the checkpoint; anything else it does may be repeated, and must
	// do no harm then. An error makes the same event come again.
	Handle func(ctx context.Context, tx pgx.Tx, env events.Envelope) error
}

// Reservations is the reaction that confirms names which an event took and
// releases those it gave up. A command does not wait for it: until then, whoever
// wants such a name looks at the stream that it is reserved for.
func Reservations(names *uniq.Registry) Reaction {
	return Reaction{
		Name:  "reservations",
		Wants: uniq.BearsNames,
		Handle: func(ctx context.Context, _ pgx.Tx, env events.Envelope) error {
			return names.Settle(ctx, env)
		},
	}
}
