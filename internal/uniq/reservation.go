package uniq

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// status is what a reservation stream says about its name.
type status uint8

const (
	free status = iota
	reserved
	confirmed
)

// reservation is a reservation stream, folded.
type reservation struct {
	stream   string
	revision int64 // of its last event, -1 without any
	status   status
	// claim is the newest one; it stays known after its confirmation.
	claim    events.Claim
	deadline time.Time
	store    uuid.UUID // of the claimant
}

// owned reports whether the name is reserved for or confirmed to stream.
func (r reservation) owned(stream string) bool {
	return r.status != free && r.claim.Stream == stream
}

// overdue reports whether the claimant has had its time.
func (r reservation) overdue(now time.Time) bool { return !now.Before(r.deadline) }

func (r reservation) with(env events.Envelope) (reservation, error) {
	r.revision = int64(env.Revision)
	switch e := env.Event.(type) {
	case events.UniqReserved:
		r.status, r.claim, r.deadline, r.store = reserved, e.Claim, e.Deadline, env.Metadata.StoreID
	case events.UniqConfirmed:
		if r.status != reserved || r.claim.Stream != e.Stream {
			return r, fmt.Errorf("%s@%d confirms a claim that was not reserved", env.Stream, env.Revision)
		}
		r.status = confirmed
	case events.UniqReleased:
		r.status = free
	default:
		return r, fmt.Errorf("%s@%d holds a foreign %s", env.Stream, env.Revision, env.Event.EventType())
	}
	return r, nil
}

func (r *Registry) readReservation(ctx context.Context, stream string) (reservation, error) {
	res := reservation{stream: stream, revision: -1}
	records, err := r.log.ReadStream(ctx, stream, 0)
	if err != nil {
		return res, err
	}
	for _, record := range records {
		env, err := events.Decode(record)
		if err != nil {
			return res, err
		}
		if res, err = res.with(env); err != nil {
			return res, err
		}
	}
	return res, nil
}
