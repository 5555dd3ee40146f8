package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/impersonation"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/projections"
)

// wasEntered reports whether a grant to enter a customer's session was used.
func wasEntered(ctx context.Context, e *decider.Engine, store uuid.UUID, stream string) (bool, error) {
	loaded, err := impersonation.Decider.Load(ctx, e, store, stream)
	return loaded.State.TokenHash != "", err
}

// EndImpersonation does the job to note that a session as a customer is over. One that
// was ended before stays as it is.
func (m *Mailer) EndImpersonation(ctx context.Context, job jobs.Impersonation) error {
	ctx = decider.Arrive(ctx)
	command := uuid.NewSHA1(job.ImpersonationID, []byte("expired"))
	_, err := impersonation.Decider.Handle(ctx, m.Engine, events.ImpersonationStream(job.ImpersonationID), impersonation.End{Reason: events.ImpersonationExpired}, decider.Request{
		StoreID: job.StoreID, Actor: events.System("impersonations"), Source: events.SourceReaction,
		CommandID: command, Fingerprint: command.String(), At: m.Now(),
	})
	return err
}

// Receipts reads from the event log what was done in sessions as a customer, for
// [Mailer.Done].
type Receipts struct {
	Queries projections.Queries
	Opener  projections.Opener
	// Waiter waits until the event log shows an event.
	Waiter *projector.Waiter
}

// maxReceipt bounds how many changes a receipt lists, the last ones.
const maxReceipt = 200

// Done lists what was done in a session as a customer that ended at a position, a
// sentence each, the oldest first.
func (r Receipts) Done(ctx context.Context, store, id uuid.UUID, ended events.Position) ([]string, error) {
	if err := r.Waiter.Wait(ctx, ended); err != nil {
		return nil, err
	}
	entries, _, err := r.Queries.ReadLog(ctx, r.Opener, projections.LogFilter{StoreID: store, ImpersonationID: id, Public: true, Limit: maxReceipt})
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, e := range entries {
		if _, about := e.Envelope.Event.(events.ImpersonationEvent); !about && e.ActorKind == events.ActorAsCustomer {
			lines = append(lines, sentence(e))
		}
	}
	slices.Reverse(lines)
	if len(lines) == 0 {
		lines = []string{"Nothing was changed."}
	}
	return lines, nil
}

// sentence says what an event did.
func sentence(e projections.LogEntry) string {
	text := e.OccurredAt.UTC().Format("15:04 UTC") + ": " + e.Event
	for _, c := range e.Changes {
		before, after := "nothing", "nothing"
		if c.Before != nil {
			before = fmt.Sprint(c.Before)
		}
		if c.After != nil {
			after = fmt.Sprint(c.After)
		}
		text += fmt.Sprintf("; %s from %s to %s", c.Field, before, after)
	}
	return text
}
