package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// CustomerLogin is how the customer signs in.
type CustomerLogin struct {
	ID string `json:"id"`
	*SignInFacts
}

// SignInFacts are how the customer has signed in, as the lists know it, which are a
// moment behind. They are left out while the read models are away.
type SignInFacts struct {
	LastSignInAt     *time.Time    `json:"last_sign_in_at" required:"false" doc:"When the customer last signed in themself. Null for never."`
	LastSignInIP     *string       `json:"last_sign_in_ip" required:"false" doc:"From where that was."`
	LastFailedSignIn *FailedSignIn `json:"last_failed_sign_in,omitempty" doc:"The last attempt that failed, if any did."`
	Undeliverable    bool          `json:"undeliverable,omitempty" doc:"The last mail to the customer's address was rejected: they cannot get a link to reset their password. Customers do not see it."`
	Lockout          *Lockout      `json:"lockout,omitempty" doc:"Whether failed attempts shut the customer out for now. Customers do not see it."`
}

// FailedSignIn is an attempt to sign in as the customer that failed.
type FailedSignIn struct {
	Time   time.Time            `json:"time"`
	Reason events.RefusalReason `json:"reason,omitempty" doc:"Customers do not see it."`
	IP     string               `json:"ip,omitempty"`
}

// Lockout is what too many failed attempts led to. It ends by itself or with a
// success, and is no event.
type Lockout struct {
	Locked      bool       `json:"locked" doc:"Whether no further attempt is looked at now."`
	LockedUntil *time.Time `json:"locked_until" doc:"When the next one is. Null with locked: waiting does not help."`
	Attempts    int        `json:"attempts" doc:"How many failed since the last success."`
}

// signInFacts looks up how a customer has signed in.
func (s *Server) signInFacts(ctx context.Context, store, id uuid.UUID, d CustomerDetail) (*SignInFacts, error) {
	who := callerOf(ctx)
	row, _, err := s.queries.Customer(ctx, store, id) // not there yet when the account is new
	if err != nil {
		return nil, err
	}
	from, err := s.queries.LastSignIns(ctx, s.engine.Sealer, store, row)
	if err != nil {
		return nil, err
	}
	facts := &SignInFacts{LastSignInAt: row.LastSignInAt, LastSignInIP: addressOf(from, id)}
	failed, _, err := s.queries.SignIns(ctx, s.engine.Sealer, projections.SignInFilter{
		StoreID: store, CustomerID: id, Outcome: projections.SignInFailed, Limit: 1,
	})
	if err != nil {
		return nil, err
	}
	for _, e := range failed {
		attempt := signIn(who, e)
		facts.LastFailedSignIn = &FailedSignIn{Time: attempt.Time, Reason: attempt.Reason, IP: attempt.IP}
	}
	if who.isCustomer() {
		return facts, nil
	}
	if facts.Undeliverable, err = s.undeliverable(ctx, store, id, text(d.Email)); err != nil {
		return nil, err
	}
	if facts.Lockout, err = s.lockout(ctx, store, id, d.Username, d.Email); err != nil {
		return nil, err
	}
	return facts, nil
}

// undeliverable reports whether the last mail to an address was rejected.
func (s *Server) undeliverable(ctx context.Context, store, id uuid.UUID, email string) (bool, error) {
	const newest = 10
	mails, _, err := s.queries.Mails(ctx, s.engine.Sealer, store, id, nil, newest)
	if err != nil {
		return false, err
	}
	for _, m := range mails {
		if m.To == email && m.State != projections.MailQueued {
			return m.Failure == events.MailRejected, nil
		}
	}
	return false, nil
}

// lockout looks at all that is counted of attempts to sign in as the customer, by
// either of their names.
func (s *Server) lockout(ctx context.Context, store, id uuid.UUID, names ...*string) (*Lockout, error) {
	buckets := attemptBuckets(store, id, names...)
	var out Lockout
	stopped := false
	for _, b := range buckets {
		state, err := s.throttle.Locked(ctx, s.clock.now(), b)
		if err != nil {
			return nil, err
		}
		out.Attempts += state.Attempts
		stopped = stopped || state.Stopped
		if until := state.Until.UTC(); !state.Until.IsZero() && (out.LockedUntil == nil || until.After(*out.LockedUntil)) {
			out.LockedUntil = &until
		}
	}
	if stopped {
		out.LockedUntil = nil
	}
	out.Locked = stopped || out.LockedUntil != nil
	return &out, nil
}

// attemptBuckets are what attempts to sign in as a customer are counted in.
func attemptBuckets(store, id uuid.UUID, names ...*string) []throttle.Bucket {
	buckets := []throttle.Bucket{throttle.SecondFactor(store, id), provenBucket(store, id)}
	for _, name := range names {
		if name != nil {
			buckets = append(buckets, throttle.Account(store, nameKey(*name)))
		}
	}
	return buckets
}

// unlockCustomer handles POST /v1/customers/{id}/unlock. It says so in the log before it
// does so: what is counted is not in the log.
func (s *Server) unlockCustomer(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	account, err := s.loadCustomer(ctx, r.StoreID, id)
	if err != nil {
		return nil, err
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), login.Unlock{}, r)
	if err != nil || r.DryRun {
		return s.answer(in.ID, out, r), err
	}
	for _, bucket := range attemptBuckets(r.StoreID, id, shown(account.State.Username), shown(account.State.Email)) {
		if err := s.throttle.Clear(ctx, bucket); err != nil {
			return nil, err
		}
	}
	return s.answer(in.ID, out, r), nil
}
