package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// RotateAPIKeyInput gives a key another secret.
type RotateAPIKeyInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Grace    *int   `json:"grace_minutes,omitempty" doc:"How long the secret before stays good as well: 60 unless you say, at most 1440. A secret that was replaced before that ends now."`
		Password string `json:"password,omitempty" maxLength:"2000" doc:"Yours, in a session."`
	}
}

// defaultGrace is how long the secret before stays good unless the caller says.
const defaultGrace = time.Hour

var errKeyAbove = fault.New(fault.Forbidden, "api_key_above_own", "this API key may do more than you")

// rotateAPIKey handles POST /v1/api-keys/{id}/rotate. Whoever rotates a key learns it,
// so it must not be able to do more than they may.
func (s *Server) rotateAPIKey(ctx context.Context, in *RotateAPIKeyInput) (*CreateAPIKeyOutput, error) {
	id, err := pathID(wireid.APIKey, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	if err := s.stepUp(ctx, in.Body.Password, r); err != nil {
		return nil, err
	}
	rotate := apikey.Rotate{Grace: defaultGrace, At: r.At}
	if in.Body.Grace != nil {
		rotate.Grace = time.Duration(min(max(*in.Body.Grace, -1), 1441)) * time.Minute
	}
	var token apitoken.Token
	out, err := apikey.Decider.HandleFrom(ctx, s.engine, events.APIKeyStream(id), func(ctx context.Context, key apikey.State) (apikey.Command, error) {
		if key.ID == uuid.Nil {
			return nil, apikey.ErrNotFound
		}
		token = apitoken.Renewed(key.Prefix)
		rotate.Hash = token.Hash()
		return rotate, s.mayKnowKey(ctx, r.StoreID, key)
	}, r)
	if err != nil {
		return nil, err
	}
	return s.showKey(token, out, r, http.StatusOK), nil
}

// mayKnowKey refuses a key that may do what the caller may not.
func (s *Server) mayKnowKey(ctx context.Context, store uuid.UUID, key apikey.State) error {
	member, err := s.loadStaff(ctx, store, key.StaffID)
	if err != nil {
		return err
	}
	who := callerOf(ctx)
	most := cmp.Or(key.Role, member.State.Role) // which may be theirs again one day
	if staff.Above(member.State.Role, who.role) || staff.Above(most, who.role) {
		return staff.ErrAboveSelf
	}
	held := permissionsOf(&caller{role: most, scopes: key.Scopes})
	if slices.ContainsFunc(held, func(p string) bool { return !who.may(permission(p)) }) {
		return errKeyAbove
	}
	return nil
}
