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
	if !given {
		kept, err := keptCookie(r)
		if err != nil {
			return apitoken.Token{}, err
		}
		if err := sameSite(r); err != nil {
			return apitoken.Token{}, err
		}
		scheme, text = "Bearer", kept.Value
	}
	token, err := apitoken.Parse(text)
	if token.IsChallenge() || !strings.EqualFold(scheme, "Bearer") || err != nil || !given && !token.IsSession() {
		return apitoken.Token{}, errUnauthorized
	}
	return token, nil
}

// keptCookie is the cookie of the session that a browser means. Where it has that of a
// customer and that of a member of the team, the customer's goes first: it may less.
func keptCookie(r *http.Request) (*http.Cookie, error) {
	names := []string{sessionCookie, staffCookie}
	switch r.Header.Get("Steward-Session") {
	case "customer":
		names = names[:1]
	case "staff":
		names = names[1:]
	}
	for _, name := range names {
		if kept, err := r.Cookie(name); err == nil {
			return kept, nil
		}
	}
	return nil, errUnauthorized
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
