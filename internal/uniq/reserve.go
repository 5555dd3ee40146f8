package uniq

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Reserve sets every name aside for exactly the append that claim describes, or
// refuses. The stream of the claim must not use the names yet.
//
// A refusal is [ErrNameTaken] or else [ErrNameReserved] and names every field
// concerned; what this command had set aside before is given back. It returns
// [ErrClaimStale] when a reservation shows that the claimant's stream is past
// the claim; where none does, the append itself finds out. It also returns
// [ErrContended], [ErrBehind] and the errors of the log and the keys; then and
// after a crash, another attempt of the same command adopts what was reserved.
func (r *Registry) Reserve(ctx context.Context, md events.Metadata, claim events.Claim, names []Name) error {
	if len(names) == 0 {
		return nil
	}
	wants := r.wants(md.StoreID, names)
	for range maxRounds {
		again, err := r.round(ctx, md, claim, wants)
		if !again {
			return err
		}
	}
	return ErrContended
}

// verdict is what a look at a name came to.
type verdict uint8

const (
	verdictFree    verdict = iota // reserve it at the revision read
	verdictAdopted                // reserved for this very claim
	verdictOverdue                // another's claim, neither used nor dead, past its deadline
	verdictPending                // the same, within its deadline
	verdictTaken                  // another stream uses it
	verdictStale                  // the own stream is past the claim
)

// want is a name that a command wants, and what is known of it.
type want struct {
	name    Name
	stream  string
	at      reservation
	verdict verdict
}

// wants brings names into the one order in which every command reserves them:
// of two commands after the same names, one has the first and so gets the rest.
func (r *Registry) wants(store uuid.UUID, names []Name) []want {
	wants := make([]want, len(names))
	for i, n := range names {
		wants[i] = want{name: n, stream: r.stream(store, n)}
	}
	slices.SortStableFunc(wants, func(a, b want) int { return cmp.Compare(a.stream, b.stream) })
	return slices.CompactFunc(wants, func(a, b want) bool { return a.stream == b.stream })
}

// round tries once to reserve all of wants. It reports whether to try again,
// because somebody moved a reservation or a stream was sealed.
func (r *Registry) round(ctx context.Context, md events.Metadata, claim events.Claim, wants []want) (again bool, err error) {
	for i := range wants {
		if err := r.look(ctx, md, claim, &wants[i]); err != nil {
			return false, err
		}
	}
	worst := slices.MaxFunc(wants, func(a, b want) int { return cmp.Compare(a.verdict, b.verdict) }).verdict
	switch worst {
	case verdictStale:
		return false, ErrClaimStale
	case verdictTaken, verdictPending:
		return false, errors.Join(r.refusal(wants), r.giveBack(ctx, md, claim, wants))
	case verdictOverdue:
		return true, r.sealOverdue(ctx, md, wants)
	}
	for _, w := range wants {
		if w.verdict == verdictAdopted {
			continue
		}
		r.crash(pointReserve)
		err := r.write(ctx, w.stream, w.at.revision, events.UniqReserved{
			Kind: w.name.Kind, Claim: claim, CommandID: md.CommandID, Deadline: r.now().Add(patience).UTC(),
		}, bare(md))
		if err != nil {
			return errors.Is(err, eventstore.ErrWrongRevision), err
		}
	}
	return false, nil
}

// look reads a name's reservation and, where another stream has it, that stream.
func (r *Registry) look(ctx context.Context, md events.Metadata, claim events.Claim, w *want) (err error) {
	r.crash(pointRead)
	if w.at, err = r.readReservation(ctx, w.stream); err != nil {
		return err
	}
	if w.at.status == free {
		w.verdict = verdictFree
		return nil
	}
	if w.at.owned(claim.Stream) {
		w.verdict = ownVerdict(w.at, claim, r.now())
		return nil
	}
	r.crash(pointLook)
	user, err := r.readUser(ctx, w.at)
	if err != nil {
		return err
	}
	late := w.at.status == reserved && w.at.overdue(r.now())
	switch {
	case user.uses(w.name, w.at):
		w.verdict = verdictTaken
		if late && user.past(w.at.claim) {
			return r.help(ctx, md, *w)
		}
	case user.past(w.at.claim):
		w.verdict = verdictFree
	case late:
		w.verdict = verdictOverdue
	default:
		w.verdict = verdictPending
	}
	return nil
}

// ownVerdict judges a reservation of the claimant itself. A newer claim, or a
// confirmation of this one, shows that the stream has moved on.
func ownVerdict(at reservation, claim events.Claim, now time.Time) verdict {
	switch {
	case at.claim.ExpectedRevision > claim.ExpectedRevision:
		return verdictStale
	case at.claim.ExpectedRevision < claim.ExpectedRevision:
		return verdictFree
	case at.status == confirmed:
		return verdictStale
	case at.overdue(now):
		return verdictFree // and so gets another deadline
	default:
		return verdictAdopted
	}
}

// help confirms the claim of somebody who used the name and went away.
func (r *Registry) help(ctx context.Context, md events.Metadata, w want) error {
	r.crash(pointHelp)
	helping := r.sealing(md, w.at.store)
	err := r.write(ctx, w.stream, w.at.revision, events.UniqConfirmed{Kind: w.name.Kind, Stream: w.at.claim.Stream}, helping)
	if errors.Is(err, eventstore.ErrWrongRevision) {
		return nil // somebody else did
	}
	return err
}

// sealOverdue moves the stream of every overdue claim past it, unless it has
// moved by itself.
func (r *Registry) sealOverdue(ctx context.Context, md events.Metadata, wants []want) error {
	for _, w := range wants {
		if w.verdict != verdictOverdue {
			continue
		}
		r.crash(pointSeal)
		if err := r.seal(ctx, md, w.at.claim, w.at.store); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) seal(ctx context.Context, md events.Metadata, claim events.Claim, store uuid.UUID) error {
	err := r.write(ctx, claim.Stream, claim.ExpectedRevision, events.UniqClaimAborted{Claim: claim}, r.sealing(md, store))
	if errors.Is(err, eventstore.ErrWrongRevision) {
		return nil // it is past the claim, which is all that is wanted
	}
	return err
}

// refusal names every field whose name is taken, or else every one that is
// about to be.
func (r *Registry) refusal(wants []want) error {
	var (
		refused = ErrNameReserved
		text    = "is being taken by somebody else"
		reason  = func(v verdict) bool { return v == verdictPending }
		wait    time.Duration
	)
	if slices.ContainsFunc(wants, func(w want) bool { return w.verdict == verdictTaken }) {
		refused, text = ErrNameTaken, "is already in use"
		reason = func(v verdict) bool { return v == verdictTaken }
	}
	for _, w := range wants {
		if reason(w.verdict) {
			refused = refused.On(w.name.Field, text)
			wait = max(wait, w.at.deadline.Sub(r.now()))
		}
	}
	if errors.Is(refused, ErrNameReserved) {
		return refused.After(min(max(wait, time.Second), patience))
	}
	return refused
}

// giveBack abandons the claim if anything is reserved for it.
func (r *Registry) giveBack(ctx context.Context, md events.Metadata, claim events.Claim, wants []want) error {
	var mine []Name
	for _, w := range wants {
		if w.at.status == reserved && w.at.claim == claim {
			mine = append(mine, w.name)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	return r.Abandon(ctx, md, claim, mine)
}
