package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// APIKeyRow is a credential of a program. What it opens with is not shown.
type APIKeyRow struct {
	ID        string        `json:"id" example:"key_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Prefix    string        `json:"prefix" doc:"How the key begins." example:"stw_live_0123456789abcdef"`
	StaffID   string        `json:"staff_id" doc:"For whom it acts, with their role."`
	Label     *string       `json:"label"`
	Source    events.Source `json:"source" enum:"api,cli,import"`
	Valid     bool          `json:"valid" doc:"Neither revoked nor expired."`
	CreatedAt time.Time     `json:"created_at"`
	ExpiresAt time.Time     `json:"expires_at"`
	RevokedAt *time.Time    `json:"revoked_at"`
	Scopes    []string      `json:"scopes" doc:"The permissions that it has, as far as the team member has them too."`
	// LastUsedOn is noted within a minute or so.
	LastUsedOn    *string    `json:"last_used_on" doc:"The last day on which it was used, in UTC. Null for never." example:"2026-03-01"`
	PreviousUntil *time.Time `json:"previous_until" doc:"Until when the secret before the last rotation is good as well. Null when there is none."`
}

// listAPIKeys handles GET /v1/api-keys.
func (s *Server) listAPIKeys(ctx context.Context, in *ReadInput) (*PageOutput[APIKeyRow], error) {
	if err := s.await(ctx, *in); err != nil {
		return nil, err
	}
	found, err := s.queries.APIKeys(ctx, callerOf(ctx).storeID)
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	rows := make([]APIKeyRow, len(found))
	for i, k := range found {
		rows[i] = APIKeyRow{
			ID: wireid.Format(wireid.APIKey, k.APIKeyID), Prefix: k.Prefix, StaffID: wireid.Format(wireid.Staff, k.StaffID),
			Label: k.Label, Source: k.Source, Valid: validKey(k, now), CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
			Scopes: scopesOf(k),
		}
		if k.UsedOn != "" {
			rows[i].LastUsedOn = &k.UsedOn
		}
		if k.PreviousUntil != nil && now.Before(*k.PreviousUntil) {
			rows[i].PreviousUntil = k.PreviousUntil
		}
	}
	return page(ctx, s, list{name: "api_keys"}, rows, nil)
}

func validKey(k projections.APIKey, at time.Time) bool {
	return k.RevokedAt == nil && at.Before(k.ExpiresAt)
}

// scopesOf is what a key can have: everything, if it is from before there were scopes.
func scopesOf(k projections.APIKey) []string {
	if len(k.Scopes) == 0 {
		return permissionsOf(&caller{role: events.RoleOwner})
	}
	return k.Scopes
}

// opensKey is [apikey.State.Opens] as the read model knows it.
func opensKey(k projections.APIKey, token apitoken.Token, at time.Time) bool {
	known := apikey.State{ID: k.APIKeyID, Hash: k.Hash, PreviousHash: k.PreviousHash, ExpiresAt: k.ExpiresAt, Revoked: k.RevokedAt != nil}
	if k.PreviousUntil != nil {
		known.PreviousUntil = *k.PreviousUntil
	}
	return known.Opens(token.Matches, at)
}

// CreateAPIKeyInput issues a key.
type CreateAPIKeyInput struct {
	CommandContext
	Body struct {
		StaffID   string        `json:"staff_id,omitempty" doc:"For whom it acts; by default for you." example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
		Label     string        `json:"label,omitempty" doc:"What it is for." example:"billing"`
		Source    events.Source `json:"source,omitempty" enum:"api,cli,import" default:"api" doc:"Written into the events that the key causes."`
		ExpiresAt time.Time     `json:"expires_at,omitempty" doc:"By default, and at most, in a year." example:"2027-01-31T00:00:00Z"`
		Scopes    []string      `json:"scopes,omitempty" maxItems:"100" doc:"The permissions that it has, none beyond yours and the team member's; by default all of these. What the team member loses the key loses too." example:"[\"customers:read\"]"`
		Password  string        `json:"password,omitempty" maxLength:"2000" doc:"Yours, in a session."`
	}
}

// CreatedAPIKey is the answer to the creation of a key.
type CreatedAPIKey struct {
	CommandAnswer
	Key string `json:"key,omitempty" doc:"The whole key. It is shown this once and kept nowhere." example:"stw_live_0123456789abcdef_…"`
}

// CreateAPIKeyOutput is the answer with the secret.
type CreateAPIKeyOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Position string `header:"Steward-Position"`
	Body     CreatedAPIKey
}

// maxKeys is how many valid keys a store can have. They are counted in the read
// model, so it keeps a habit in bounds and not a burst: keys that are created at
// the same moment do not see each other.
const maxKeys = 20

// Faults of keys.
var (
	errTooManyKeys   = fault.New(fault.Conflict, "too_many_api_keys", "the store has 20 valid API keys: revoke one first")
	errStaffInactive = fault.New(fault.Conflict, "staff_inactive", "this team member is deactivated")
)

// defaultKeyLifetime is how long a key is valid unless the caller says.
const defaultKeyLifetime = 365 * 24 * time.Hour

// createAPIKey handles POST /v1/api-keys.
func (s *Server) createAPIKey(ctx context.Context, in *CreateAPIKeyInput) (*CreateAPIKeyOutput, error) {
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	if err := s.stepUp(ctx, in.Body.Password, r); err != nil {
		return nil, err
	}
	holder := callerOf(ctx).staffID
	if in.Body.StaffID != "" {
		if holder, err = wireid.Parse(wireid.Staff, in.Body.StaffID); err != nil {
			return nil, apikey.ErrInvalid.On("staff_id", err.Error())
		}
	}
	member, err := s.mayHoldKey(ctx, r.StoreID, holder)
	if err != nil {
		return nil, err
	}
	if in.Body.ExpiresAt.IsZero() {
		in.Body.ExpiresAt = r.At.Add(defaultKeyLifetime)
	}
	token := apitoken.New()
	out, err := apikey.Decider.Handle(ctx, s.engine, events.APIKeyStream(token.ID()), apikey.Create{
		APIKeyID: token.ID(), StaffID: holder, Prefix: token.Prefix(), Hash: token.Hash(), Label: in.Body.Label,
		Source: in.Body.Source, ExpiresAt: in.Body.ExpiresAt, At: r.At,
		Scopes: in.Body.Scopes, Allowed: common(callerOf(ctx), member.Role), Role: member.Role,
	}, r)
	if err != nil {
		return nil, err
	}
	return s.showKey(token, out, r, http.StatusCreated), nil
}

// showKey answers with a key's secret, which is the only time.
func (s *Server) showKey(token apitoken.Token, out decider.Outcome, r decider.Request, status int) *CreateAPIKeyOutput {
	a := s.answer(wireid.Format(wireid.APIKey, token.ID()), out, r)
	created := &CreateAPIKeyOutput{Status: a.Status, ETag: a.ETag, Position: a.Position, Body: CreatedAPIKey{CommandAnswer: a.Body}}
	if !r.DryRun {
		created.Status, created.Body.Key = status, token.Reveal()
	}
	return created
}

// common lists what both the caller and somebody with a role may do.
func common(who *caller, role events.Role) []string {
	return slices.DeleteFunc(permissionsOf(who), func(p string) bool { return !allows(role, permission(p)) })
}

// stepUp lets a caller go on who proves anew who they are. A session that was left
// open, or taken, does not have the password; an API key has its scopes instead.
func (s *Server) stepUp(ctx context.Context, password string, r decider.Request) error {
	if callerOf(ctx).sessionID == uuid.Nil {
		return nil
	}
	who, err := s.asker(ctx)
	if err != nil {
		return err
	}
	return s.provePassword(ctx, who, password, r)
}

// mayHoldKey refuses keys for people who are not there, or whose role is above
// the caller's: the key would do what the caller may not.
func (s *Server) mayHoldKey(ctx context.Context, store, id uuid.UUID) (staff.State, error) {
	member, err := s.loadStaff(ctx, store, id)
	switch {
	case err != nil:
		return staff.State{}, err
	case staff.Above(member.State.Role, callerOf(ctx).role):
		return staff.State{}, staff.ErrAboveSelf.On("staff_id", "has a role above your own")
	case !member.State.Active:
		return staff.State{}, errStaffInactive.On("staff_id", "is deactivated")
	}
	keys, err := s.queries.APIKeys(ctx, store)
	if err != nil {
		return staff.State{}, err
	}
	valid := 0
	for _, k := range keys {
		if validKey(k, s.clock.now()) {
			valid++
		}
	}
	if valid >= maxKeys {
		return staff.State{}, errTooManyKeys
	}
	return member.State, nil
}

// revokeAPIKey handles POST /v1/api-keys/{id}/revoke.
func (s *Server) revokeAPIKey(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	id, err := pathID(wireid.APIKey, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	role := callerOf(ctx).role
	out, err := apikey.Decider.HandleFrom(ctx, s.engine, events.APIKeyStream(id), func(ctx context.Context, key apikey.State) (apikey.Command, error) {
		if key.ID == uuid.Nil {
			return nil, apikey.ErrNotFound
		}
		member, err := s.loadStaff(ctx, r.StoreID, key.StaffID)
		if err == nil && staff.Above(member.State.Role, role) {
			err = staff.ErrAboveSelf
		}
		return apikey.Revoke{}, err
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}
