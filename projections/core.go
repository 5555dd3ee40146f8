package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// CoreVersion is the version of the tables of core. It is raised in the commit
// that changes a table or what a column means; then steward rebuild is due.
const CoreVersion = 5

// Opener opens the sealed personal values of events: a seal.Sealer.
type Opener interface {
	Open(ctx context.Context, envelopes []events.Envelope) ([]events.Envelope, error)
}

// Core returns the group of the read models that Steward itself reads.
func Core(opener Opener) projector.Group {
	return projector.Group{
		Name:       "core",
		Version:    CoreVersion,
		Extensions: []string{"pg_trgm"},
		Models: []projector.Model{
			eventLogModel, customersModel, domainsModel, storesModel, staffModel, apiKeysModel, mailsModel,
		},
		Lookups: []projector.Lookup{lookupAPIKey},
		Open: func(ctx context.Context, envelopes []events.Envelope) ([]events.Envelope, error) {
			return openShown(ctx, opener, envelopes)
		},
	}
}

// openShown opens what the tables show in the clear. Where a request came from
// and why is not among it, so most events need no key at all.
func openShown(ctx context.Context, opener Opener, envelopes []events.Envelope) ([]events.Envelope, error) {
	var sealed []events.Envelope
	var at []int
	for i, env := range envelopes {
		if !showsPersonal(env.Event) {
			continue
		}
		env.Metadata.Net, env.Metadata.Reason = events.Personal{}, events.Personal{}
		sealed = append(sealed, env)
		at = append(at, i)
	}
	if len(sealed) == 0 {
		return envelopes, nil
	}
	opened, err := opener.Open(ctx, sealed)
	if err != nil {
		return nil, err
	}
	all := append([]events.Envelope(nil), envelopes...)
	for n, i := range at {
		all[i].Event = opened[n].Event
	}
	return all, nil
}

// showsPersonal reports whether a row shows a personal value of e in the clear.
func showsPersonal(e events.Event) bool {
	switch e.(type) {
	case events.CustomerCreated, events.CustomerProfileEdited, events.CustomerEmailChanged,
		events.CustomerUsernameChanged, events.CustomerExternalIDChanged, events.CustomerNamesClaimed,
		events.StaffCreated, events.StaffRenamed, events.StaffEmailChanged, events.APIKeyCreated:
		return true
	}
	return false
}

// inCategory returns a key function: the id in the name of a stream of the
// category.
func inCategory(category string) func(projector.Event) (uuid.UUID, bool) {
	prefix := category + "-"
	return func(e projector.Event) (uuid.UUID, bool) {
		if len(e.Stream) <= len(prefix) || e.Stream[:len(prefix)] != prefix {
			return uuid.Nil, false
		}
		id, err := uuid.Parse(e.Stream[len(prefix):])
		return id, err == nil
	}
}

// recorded is when the event was recorded, in the precision of the database.
func recorded(e projector.Event) time.Time { return stored(e.RecordedAt) }

// stored is t as the database keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// shown is a personal value as a column holds it: NULL when there is none, or
// none any more.
func shown(p events.Personal) *string {
	text, ok := p.Reveal()
	if !ok {
		return nil
	}
	return &text
}

// optional makes a column of an id that may be missing.
func optional(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
