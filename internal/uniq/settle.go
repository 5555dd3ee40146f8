package uniq

import (
	"context"
	"errors"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Abandon gives back what was reserved for a claim whose append will not be
// made: it seals the claimant's own stream, so that no late attempt can make it
// after all, and releases the names. If the append was made, by another attempt
// of the same command, the names are confirmed instead. Harmless to repeat.
//
// The errors are those of the log and the keys, [ErrContended] and [ErrBehind].
// What was not given back falls to the next who wants it after the deadline.
func (r *Registry) Abandon(ctx context.Context, md events.Metadata, claim events.Claim, names []Name) error {
	if len(names) == 0 {
		return nil
	}
	r.crash(pointAbandon)
	if err := r.seal(ctx, md, claim, md.StoreID); err != nil {
		return err
	}
	return r.settle(ctx, bare(md), r.wants(md.StoreID, names), claim.Stream, claim.ExpectedRevision+1)
}

// Settle confirms the names that the event of env took and releases those that
// it gave up, unless its stream has done otherwise since. It does nothing for
// an event without names and is harmless to repeat. env may be sealed or open.
// With an erased customer it does so for every name that they ever had: it has to
// be done before the keys are destroyed.
//
// The errors are those of the log and the keys, [ErrContended] and [ErrBehind].
func (r *Registry) Settle(ctx context.Context, env events.Envelope) error {
	if !BearsNames(env.Event) {
		return nil
	}
	if _, erased := env.Event.(events.CustomerErased); erased {
		return r.settleAll(ctx, env)
	}
	opened, err := r.open(ctx, []events.Envelope{env})
	if err != nil {
		return err
	}
	taken, given := Names(opened[0].Event)
	wants := r.wants(env.Metadata.StoreID, append(taken, given...))
	return r.settle(ctx, r.settling(env), wants, env.Stream, int64(env.Revision))
}

// settleAll settles every name that the stream of env has ever used.
func (r *Registry) settleAll(ctx context.Context, env events.Envelope) error {
	user, err := r.readStream(ctx, env.Stream)
	if err != nil {
		return err
	}
	return r.settle(ctx, r.settling(env), r.wants(env.Metadata.StoreID, user.ever), env.Stream, int64(env.Revision))
}

// settle brings the reservations that stream owns in line with what it uses:
// a claim that was used becomes confirmed, a dead one and a confirmed name that
// is no longer used become free. A claim that may still be used stays. known is
// a revision that stream is known to have reached.
func (r *Registry) settle(ctx context.Context, md events.Metadata, open []want, stream string, known int64) error {
	for range maxRounds {
		var owned []want
		for _, w := range open {
			r.crash(pointSettleRead)
			at, err := r.readReservation(ctx, w.stream)
			if err != nil {
				return err
			}
			if at.owned(stream) {
				w.at = at
				owned = append(owned, w)
			}
		}
		if len(owned) == 0 {
			return nil
		}
		r.crash(pointSettleLook)
		user, err := r.readStream(ctx, stream)
		if err != nil {
			return err
		}
		if user.tail < known {
			return ErrBehind
		}
		open = nil
		for _, w := range owned {
			switch err := r.settleOne(ctx, md, w, user); {
			case errors.Is(err, eventstore.ErrWrongRevision):
				open = append(open, w)
			case err != nil:
				return err
			}
		}
		if len(open) == 0 {
			return nil
		}
	}
	return ErrContended
}

func (r *Registry) settleOne(ctx context.Context, md events.Metadata, w want, user user) error {
	switch {
	case !user.past(w.at.claim) && w.at.status == confirmed:
		return ErrBehind
	case !user.past(w.at.claim):
		return nil // the claim may still be used
	case !user.uses(w.name, w.at):
		r.crash(pointSettleRelease)
		return r.write(ctx, w.stream, w.at.revision, events.UniqReleased{Kind: w.name.Kind, Stream: user.stream}, md)
	case w.at.status == reserved:
		r.crash(pointSettleConfirm)
		return r.write(ctx, w.stream, w.at.revision, events.UniqConfirmed{Kind: w.name.Kind, Stream: user.stream}, md)
	default:
		return nil
	}
}
