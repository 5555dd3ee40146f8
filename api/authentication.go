package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
)

// errUnauthorized answers every credential that does not open anything, for
// whatever reason.
var errUnauthorized = fault.New(fault.Unauthorized, "unauthorized", "send a valid API key, or the token of a session, as Authorization: Bearer …")

// authenticate finds out who sends a request. It reads the API key and the staff
// member from the log, so a revoked key is out at once. When the log is away,
// reads are answered from the read models, which then also say who the caller is.
func (s *Server) authenticate(ctx context.Context, r *http.Request) error {
	token, err := presented(r)
	if err != nil {
		return err
	}
	c := callOf(ctx)
	if token.IsSession() {
		if c.caller, err = s.authenticateSession(ctx, token); err != nil && s.away(ctx, err) {
			return fmt.Errorf("%w (%w)", eventstore.ErrUnavailable, err)
		}
		return err
	}
	if token.IsImpersonation() {
		c.caller, err = s.authenticateImpersonation(ctx, token)
		switch {
		case errors.Is(err, errUnauthorized) && r.Header.Get("Authorization") == "":
			over := keptImpersonation("", -1)
			c.answer.Add("Set-Cookie", over.String())
		case err != nil && s.away(ctx, err):
			return fmt.Errorf("%w (%w)", eventstore.ErrUnavailable, err)
		}
		return err
	}
	if reads(r.Method) && s.outage.recent() {
		return s.authenticateStale(ctx, c, token)
	}
	who, err := s.authenticateNow(ctx, token)
	if err != nil && s.away(ctx, err) {
		if reads(r.Method) {
			return s.authenticateStale(ctx, c, token)
		}
		return fmt.Errorf("%w (%w)", eventstore.ErrUnavailable, err)
	}
	c.caller = who
	return err
}

// presented returns the API key or the token of a session that a request presents:
// as a bearer, or a session's in its cookie.
func presented(r *http.Request) (apitoken.Token, error) {
	value, given, err := single(r.Header, "Authorization", errUnauthorized)
	if err != nil {
		return apitoken.Token{}, err
	}
	scheme, text, _ := strings.Cut(value, " ")
	var kept *http.Cookie
	if !given {
		if kept, err = keptSession(r); err != nil {
			return apitoken.Token{}, err
		}
		if err := sameSite(r); err != nil {
			return apitoken.Token{}, err
		}
		scheme, text = "Bearer", kept.Value
	}
	token, err := apitoken.Parse(text)
	if token.IsChallenge() || !strings.EqualFold(scheme, "Bearer") || err != nil || !given && !keeps(kept, token) {
		return apitoken.Token{}, errUnauthorized
	}
	return token, nil
}

// sessionKinds are the kinds of session that a browser may be in, and what keeps them.
var sessionKinds = []struct{ name, cookie string }{
	{"customer", sessionCookie}, {"staff", staffCookie}, {"impersonation", impersonationCookie},
}

var (
	errWhichSession = fault.New(fault.Malformed, "session_ambiguous", "there are cookies of several sessions: say which one asks").
			On("Steward-Session", "is missing: customer, staff or impersonation")
	errBadSession = fault.New(fault.Malformed, "bad_session", "Steward-Session is customer, staff or impersonation").
			On("Steward-Session", "is none of customer, staff, impersonation")
)

// keptSession returns the cookie of the session that a request is sent in. With several
// in one browser it is never guessed in whose name something is done.
func keptSession(r *http.Request) (*http.Cookie, error) {
	which, given, err := single(r.Header, "Steward-Session", errBadSession)
	if err != nil {
		return nil, err
	}
	known := false
	var kept []*http.Cookie
	for _, kind := range sessionKinds {
		known = known || which == kind.name
		if given && which != kind.name {
			continue
		}
		if found, err := r.Cookie(kind.cookie); err == nil {
			kept = append(kept, found)
		}
	}
	switch {
	case given && !known:
		return nil, errBadSession
	case len(kept) == 0:
		return nil, errUnauthorized
	case len(kept) > 1:
		return nil, errWhichSession
	}
	return kept[0], nil
}

// authenticateNow asks the log.
func (s *Server) authenticateNow(ctx context.Context, token apitoken.Token) (*caller, error) {
	ctx, cancel := context.WithTimeout(ctx, strongReadTimeout)
	defer cancel()
	key, err := apikey.Decider.LoadAny(ctx, s.engine, events.APIKeyStream(token.ID()))
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	if !key.State.Opens(token.Matches, now) {
		return nil, errUnauthorized
	}
	member, err := staff.Decider.Load(ctx, s.engine, key.StoreID, events.StaffStream(key.State.StaffID))
	if err != nil {
		return nil, err
	}
	if !member.State.Active {
		return nil, errUnauthorized
	}
	shop, err := store.Decider.Load(ctx, s.engine, key.StoreID, events.StoreStream(key.StoreID))
	if err != nil {
		return nil, err
	}
	s.uses.note(key, now)
	return &caller{
		storeID: key.StoreID, staffID: key.State.StaffID, keyID: key.State.ID,
		role: lower(member.State.Role, key.State.Role), scopes: key.State.Scopes,
		source: key.State.Source, policies: shop.State.Policies.At(now),
	}, nil
}

// strongReadTimeout is how long a request waits for the log before it counts as
// away.
const strongReadTimeout = 3 * time.Second

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// away reports whether err means that the event store does not answer, and
// remembers it for a moment, so that not every read waits to find out.
func (s *Server) away(ctx context.Context, err error) bool {
	slow := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if !slow && !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrClosed) {
		return false
	}
	s.outage.begin()
	return true
}

// authenticateStale asks the read models, as of when they were last current.
func (s *Server) authenticateStale(ctx context.Context, c *call, token apitoken.Token) error {
	keys, err := s.queries.APIKeysByPrefix(ctx, token.Prefix())
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.APIKeyID != token.ID() || !opensKey(k, token, s.clock.now()) {
			continue
		}
		members, err := s.queries.StaffByID(ctx, k.StoreID, []uuid.UUID{k.StaffID})
		switch {
		case err != nil:
			return err
		case len(members) == 0 || !members[0].Active:
			return errUnauthorized
		}
		c.caller = &caller{storeID: k.StoreID, staffID: k.StaffID, keyID: k.APIKeyID, role: lower(members[0].Role, k.Role), scopes: k.Scopes, source: k.Source}
		return s.goStale(ctx, c)
	}
	return errUnauthorized
}
