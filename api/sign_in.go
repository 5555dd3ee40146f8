package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/wireid"
)

// SignInInput is who wants to sign in.
type SignInInput struct {
	StorefrontInput
	Body struct {
		Name     string `json:"name" maxLength:"400" doc:"The username or the email address." example:"ada"`
		Password string `json:"password" maxLength:"2000"`
		Cookie   bool   `json:"cookie,omitempty" doc:"For browsers: keep the session in a cookie that scripts cannot read, instead of answering its token."`
	}
}

// SignInOutput is a session that has begun, or what is missing before it can.
type SignInOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      SignedIn
}

// SignedIn is what came of an attempt to sign in.
type SignedIn struct {
	Next         string    `json:"next" enum:"signed_in,second_factor,set_up_second_factor,set_password,sign_in" doc:"Whether the session has begun, or a second factor is asked for, or is to be set up before anything else. After a link: whether a password is to be chosen in the session that has begun, or one can sign in."`
	Alternatives []string  `json:"alternatives,omitempty" doc:"With second_factor: what can be sent to /v1/sign-in/second-factor." example:"[\"code\",\"recovery_code\"]"`
	Challenge    string    `json:"challenge,omitempty" doc:"With second_factor: send it along. It is good for five minutes and opens nothing."`
	SessionID    string    `json:"session_id,omitempty" example:"ses_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	CustomerID   string    `json:"customer_id,omitempty" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	StaffID      string    `json:"staff_id,omitempty" doc:"In place of the customer, for a member of the team." example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Token        string    `json:"token,omitempty" doc:"Send it as Authorization: Bearer. It is shown once."`
	ExpiresAt    time.Time `json:"expires_at,omitzero" doc:"When the session, or the challenge, ends in any case; an unused session ends earlier."`
}

// Faults of signing in. Whoever tries learns which name exists from none of them.
var (
	errCredentials = fault.New(fault.Unauthorized, "invalid_credentials", "name or password is wrong")
	errDisabled    = fault.New(fault.Forbidden, "account_disabled", "Account is Disabled")
)

// signIn handles POST /v1/sign-in.
func (s *Server) signIn(ctx context.Context, in *SignInInput) (*SignInOutput, error) {
	return s.tryPassword(ctx, in.StorefrontInput, strings.TrimSpace(in.Body.Name), in.Body.Password, in.Body.Cookie, forCustomers)
}

// tryPassword signs somebody in by their password, or asks for their second factor.
// Nothing that it does or answers tells who of the audience has an account, or why
// they may not sign in.
func (s *Server) tryPassword(ctx context.Context, at StorefrontInput, name, password string, cookie bool, of audience) (*SignInOutput, error) {
	shop, err := s.storefront(ctx, at)
	if err != nil {
		return nil, err
	}
	r, err := s.visit(ctx, shop.id)
	if err != nil {
		return nil, err
	}
	who, slot, err := s.letTry(ctx, shop, of, name, r.At)
	if err != nil {
		return nil, err
	}
	refused, rehash, err := s.verify(ctx, who, password)
	if errors.Is(err, passwords.ErrBusy) {
		err = errors.Join(err, slot.Unused(ctx)) // nothing was looked at
	}
	if err != nil {
		return nil, err
	}
	if refused == "" {
		if who, err = s.activated(ctx, shop, who, r); err != nil {
			return nil, err
		}
	}
	token := apitoken.NewSession()
	attempt := session.SignIn{
		SessionID: token.ID(), CustomerID: who.account.State.ID, StaffID: who.member.State.ID,
		VisitorID: events.VisitorID(shop.id, r.At), Name: nameOf(name),
		Refused: refused, Status: who.status(), LoginID: who.loginID(), Epoch: who.epoch(),
	}
	r.Actor = who.actor(uuid.Nil)
	if refused != "" || !who.active() {
		if _, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(token.ID()), attempt, r); err != nil {
			return nil, err
		}
		return nil, who.refusal(shop.policies, refused)
	}
	if err := slot.GiveBack(ctx); err != nil {
		return nil, err
	}
	if rehash {
		s.rehash(ctx, who, password, r)
	}
	if who.credentials.State.TwoFactor.Enabled {
		return s.challenge(ctx, token, attempt, r)
	}
	begun := s.newSession(token, who, shop.id, r, cookie)
	attempt.Scope = scopeOf(who.credentials.State)
	attempt.TokenHash, attempt.Idle, attempt.ExpiresAt = token.Hash(), begun.row.Idle, begun.row.ExpiresAt
	out, err := s.begin(ctx, begun, attempt, r)
	switch {
	case err != nil:
	case attempt.Scope == events.ScopePassword:
		out.Body.Next = nextSetPassword
	case who.mustEnroll(shop.policies):
		out.Body.Next = nextEnroll
	}
	return out, err
}

// letTry lets an attempt go on, and finds who it is of. Who comes in a browser that the
// login knows is counted apart: strangers who guess do not shut them out.
func (s *Server) letTry(ctx context.Context, shop storefront, of audience, name string, now time.Time) (who identified, slot *throttle.Slot, err error) {
	buckets := signInBuckets(ctx, shop, of, name)
	known, presented := s.presentedDevice(ctx, shop.id)
	if presented {
		if who, err = s.identify(ctx, shop, of, name); err != nil {
			return who, nil, err
		}
		if who.id() != uuid.Nil && who.loginID() == known.loginID {
			buckets[0] = throttle.Device(shop.id, of.bucket(name), known.id.String())
		}
	}
	if slot, err = s.throttle.Take(ctx, now, buckets...); err != nil || presented {
		return who, slot, err
	}
	who, err = s.identify(ctx, shop, of, name)
	return who, slot, err
}

// scopeOf is what a session of a login is for: while its password is the one that the
// team set for once, for choosing another.
func scopeOf(credentials login.State) events.SessionScope {
	if credentials.Temporary {
		return events.ScopePassword
	}
	return ""
}

// What comes next where it is not what one would expect.
const (
	nextSignIn      = "sign_in"
	nextSetPassword = "set_password"
	nextEnroll      = "set_up_second_factor"
)

// challengeTime is how long a second factor is waited for.
const challengeTime = 5 * time.Minute

// challenge asks for the second factor of somebody whose password was right.
func (s *Server) challenge(ctx context.Context, token apitoken.Token, attempt session.SignIn, r decider.Request) (*SignInOutput, error) {
	challenge := token.Challenge()
	attempt.Challenge, attempt.ChallengeUntil = challenge.Hash(), r.At.Add(challengeTime).Truncate(time.Second)
	if _, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(token.ID()), attempt, r); err != nil {
		return nil, err
	}
	return &SignInOutput{Body: SignedIn{
		Next: "second_factor", Alternatives: []string{"code", "recovery_code"}, Challenge: challenge.Reveal(),
		SessionID: wireid.Format(wireid.Session, token.ID()), ExpiresAt: attempt.ChallengeUntil.UTC(),
	}}, nil
}

// newSession is a session that is about to begin.
type newSession struct {
	token  apitoken.Token
	who    identified
	row    sessions.Session
	cookie bool
}

func (s *Server) newSession(token apitoken.Token, who identified, store uuid.UUID, r decider.Request, cookie bool) newSession {
	idle, absolute := sessions.CustomerIdle, sessions.CustomerAbsolute
	if who.audience() == forTeam {
		idle, absolute = sessions.StaffIdle, sessions.StaffAbsolute
	}
	return newSession{token, who, sessions.Session{
		ID: token.ID(), StoreID: store, CustomerID: who.id(), At: r.At,
		Idle: idle, ExpiresAt: r.At.Add(absolute).Truncate(time.Second),
	}, cookie}
}

// begin begins a session by the command that leads to it. Every session begins
// here. The row comes first: without it the session would be over at once.
func (s *Server) begin(ctx context.Context, n newSession, command session.Command, r decider.Request) (*SignInOutput, error) {
	if err := s.sessions.Begin(ctx, n.row); err != nil {
		return nil, err
	}
	r.Actor = n.who.actor(n.row.ID)
	if _, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(n.row.ID), command, r); err != nil {
		return nil, err
	}
	if err := s.endBeyond(ctx, n.row.StoreID, n.row.CustomerID, r); err != nil {
		return nil, err
	}
	out := &SignInOutput{Body: SignedIn{
		Next: "signed_in", SessionID: wireid.Format(wireid.Session, n.row.ID), ExpiresAt: n.row.ExpiresAt.UTC(),
	}}
	if n.who.audience() == forTeam {
		out.Body.StaffID = wireid.Format(wireid.Staff, n.who.id())
	} else {
		out.Body.CustomerID = wireid.Format(wireid.Customer, n.who.id())
	}
	if n.cookie {
		out.SetCookie = []http.Cookie{cookie(n.who.audience(), n.token.Reveal(), 0)}
		if _, byLink := command.(session.Open); !byLink {
			out.SetCookie = append(out.SetCookie, s.remember(ctx, n, r)...)
		}
	} else {
		out.Body.Token = n.token.Reveal()
	}
	return out, nil
}

// endBeyond ends the oldest sessions of somebody who has more than they may.
func (s *Server) endBeyond(ctx context.Context, store, id uuid.UUID, r decider.Request) error {
	beyond, err := s.sessions.Oldest(ctx, r.At, store, id, sessions.CustomerConcurrent)
	if err != nil {
		return err
	}
	for _, old := range beyond {
		r := systemStep(r, "end "+old.String(), "sessions")
		_, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(old), session.End{Reason: events.EndedByLimit}, r)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
	}
	return s.sessions.Ended(ctx, beyond...)
}

// signInBuckets are what limits attempts to sign in: the name that was sent, be it
// anybody's or not, and the network that it came from.
func signInBuckets(ctx context.Context, shop storefront, of audience, name string) []throttle.Bucket {
	return []throttle.Bucket{
		throttle.Account(shop.id, of.bucket(name)),
		throttle.Network(shop.id, netOf(ctx).IP),
	}
}

// nameKey is what a name counts as, in whatever way it is spelled.
func nameKey(name string) string {
	if strings.Contains(name, "@") {
		return identity.EmailKey(name)
	}
	return identity.UsernameKey(name)
}

// nameOf is as much of a name that is nobody's as is kept.
func nameOf(name string) string {
	if clean, err := identity.Line(name, 254); err == nil {
		return clean
	}
	return ""
}

// verify checks a password, with the same work whatever comes of it.
func (s *Server) verify(ctx context.Context, who identified, password string) (refused events.RefusalReason, rehash bool, err error) {
	hash, readable := who.credentials.State.Hash.Reveal()
	if !readable {
		refused = events.RefusedNoPassword
		if who.id() == uuid.Nil {
			refused = events.RefusedUnknown
		}
		return refused, false, s.hasher.VerifyNobody(ctx, password)
	}
	match, err := s.hasher.Verify(ctx, hash, password)
	switch {
	case err != nil:
		return "", false, err
	case match.Outcome == passwords.Matched:
		return "", match.NeedsRehash, nil
	case match.Outcome == passwords.Unreadable:
		return events.RefusedUnreadable, false, nil
	default:
		return events.RefusedPassword, false, nil
	}
}

// activated makes an account usable that only waits for what its store does not
// ask for, or for what was done already. It is done when registering or following a
// link, and here if that was cut short.
func (s *Server) activated(ctx context.Context, shop storefront, who identified, r decider.Request) (identified, error) {
	var err error
	switch account := who.account.State; {
	case who.audience() == forTeam:
		return who, nil
	case waitsForLink(account, shop.policies) && who.credentials.State.Proven:
		r := r.Step("activate")
		r.Actor = events.Customer(account.ID, uuid.Nil)
		_, err = customer.Decider.Handle(ctx, s.engine, events.CustomerStream(account.ID), customer.Activate{By: r.Actor, Proven: true}, r)
	case account.Status == events.StatusPending && shop.policies.Get(policy.Activation) == policy.ActivationAuto:
		err = s.activate(ctx, account.ID, r)
	default:
		return who, nil
	}
	if err != nil {
		return who, err
	}
	who.account, err = customer.Decider.Load(ctx, s.engine, shop.id, events.CustomerStream(who.account.State.ID))
	return who, err
}

func (s *Server) activate(ctx context.Context, id uuid.UUID, r decider.Request) error {
	r = systemStep(r, "activate", "registration")
	_, err := customer.Decider.Handle(ctx, s.engine, events.CustomerStream(id), customer.Activate{By: r.Actor}, r)
	return err
}

// systemStep is what a component of the system does by itself in the course of a
// request. The system is nowhere, so it has no address.
func systemStep(r decider.Request, name, component string) decider.Request {
	r = r.Step(name)
	r.Actor, r.Net = events.System(component), events.Net{}
	return r
}

// rehash keeps a password that was just verified in the form that is the custom
// now. A failure leaves the old form, which the next sign-in finds again.
func (s *Server) rehash(ctx context.Context, who identified, password string, r decider.Request) {
	hash, err := s.hasher.Hash(ctx, password)
	if err == nil {
		r = systemStep(r, "rehash", "passwords")
		_, err = login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), login.Rehash{
			Before: who.credentials.State.CredentialID, CredentialID: uuid.New(), Hash: hash, Scheme: string(passwords.SchemeOf(hash)),
		}, r)
	}
	if err != nil {
		s.log.WarnContext(ctx, "a password was not hashed anew", "login_id", who.loginID(), "err", err)
	}
}
