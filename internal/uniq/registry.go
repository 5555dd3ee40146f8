package uniq

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
)

// Log is what a registry needs of the event log; [eventstore.Store] is one.
type Log interface {
	Append(ctx context.Context, stream string, expected eventstore.Revision, batch []events.Proposed) (eventstore.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) ([]events.Record, error)
}

// Opener makes sealed personal values readable, or erased ones known as such.
// It fails when a key is merely out of reach: a name whose user cannot be read
// must not look free.
type Opener interface {
	Open(ctx context.Context, envs []events.Envelope) ([]events.Envelope, error)
}

// Config says what a registry works with.
type Config struct {
	Log    Log
	Sealer Opener
	// IndexKey hides the names in the names of reservation streams. It never
	// changes: with another key every name looks free.
	IndexKey []byte
	// Scope bounds the uniqueness of emails and usernames.
	Scope events.IdentityScope
	// Now is the clock, [time.Now] if nil. It decides how long somebody waits
	// for a claimant that may have died, never who gets a name.
	Now func() time.Time
	// Crash is told each of the [Points] right before its read or write. It is
	// for tests, which panic there; nil does nothing.
	Crash func(point string)
}

// Registry hands out names. Its methods may be called at the same time, and by
// any number of registries over one log.
type Registry struct {
	log    Log
	sealer Opener
	key    []byte
	scope  events.IdentityScope
	now    func() time.Time
	crash  func(point string)
}

// New makes a registry.
func New(c Config) *Registry {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Crash == nil {
		c.Crash = func(string) {}
	}
	return &Registry{log: c.Log, sealer: c.Sealer, key: c.IndexKey, scope: c.Scope, now: c.Now, crash: c.Crash}
}

// The steps of the protocol: one read or one append each. The model check
// searches all their interleavings.
const (
	pointRead          = "read"           // R of a name that a command wants
	pointLook          = "look"           // the stream that R names
	pointHelp          = "help"           // Confirmed, for a claimant that is gone
	pointSeal          = "seal"           // ClaimAborted, into the stream of an overdue claim
	pointReserve       = "reserve"        // Reserved
	pointAbandon       = "abandon"        // ClaimAborted, into the own stream
	pointSettleRead    = "settle.read"    // R of a name to be settled
	pointSettleLook    = "settle.look"    // the stream that it is settled for
	pointSettleConfirm = "settle.confirm" // Confirmed
	pointSettleRelease = "settle.release" // Released
)

// Points lists every point that [Config.Crash] is told.
func Points() []string {
	return []string{
		pointRead, pointLook, pointHelp, pointSeal, pointReserve, pointAbandon,
		pointSettleRead, pointSettleLook, pointSettleConfirm, pointSettleRelease,
	}
}

const (
	// patience is how long a claimant has for its append before others may seal
	// its stream.
	patience = 10 * time.Second
	// maxRounds bounds how often a call begins anew because somebody else moved
	// a reservation. Each time somebody did get on.
	maxRounds = 32
)

// Failures that a caller tells apart.
var (
	// ErrNameTaken names every field whose name another stream uses.
	ErrNameTaken = fault.New(fault.Conflict, "name_taken", "the name is already in use")
	// ErrNameReserved names the fields whose names another command is about to
	// take, and when to try again.
	ErrNameReserved = fault.New(fault.Conflict, "name_reserved", "the name is being taken by somebody else at this moment, try again")
	// ErrClaimStale says that the claimant's stream has moved past the claim, so
	// its append cannot succeed: decide again.
	ErrClaimStale = fault.New(fault.Stale, "claim_stale", "changed by someone else at the same moment, try again")
	// ErrContended says that others kept moving the reservation.
	ErrContended = fault.New(fault.Conflict, "name_contended", "too many are after the name at this moment, try again").After(time.Second)
	// ErrBehind says that a replica of the log answered with less than was
	// already known.
	ErrBehind = fault.New(fault.Unavailable, "event_store_behind", "the event store is catching up, try again in a moment").After(time.Second)
)

// Holder returns the stream that uses name now, read from the log itself. It
// fails with the errors of the log and the keys, [ErrContended] and [ErrBehind].
func (r *Registry) Holder(ctx context.Context, store uuid.UUID, name Name) (stream string, ok bool, err error) {
	at := r.stream(store, name)
	for range maxRounds {
		res, err := r.readReservation(ctx, at)
		if err != nil || res.status == free {
			return "", false, err
		}
		user, err := r.readUser(ctx, res)
		if err != nil {
			return "", false, err
		}
		if user.uses(name, res) {
			return user.stream, true, nil
		}
		again, err := r.readReservation(ctx, at)
		if err != nil || again.revision == res.revision {
			return "", false, err
		}
	}
	return "", false, ErrContended
}
