package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/wireid"
)

// StaffMe is the member of the team who asks.
type StaffMe struct {
	ID          string       `json:"id" example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Email       *string      `json:"email"`
	Name        *string      `json:"name"`
	Role        events.Role  `json:"role" enum:"owner,admin,support,auditor,analyst" doc:"What you act with: through an API key never more than when it was made."`
	Permissions []string     `json:"permissions" doc:"What you may do, with the credential that you send."`
	SessionID   *string      `json:"session_id" doc:"Null with an API key."`
	TwoFactor   OwnTwoFactor `json:"two_factor"`
}

// OwnTwoFactor is the second factor of whoever asks.
type OwnTwoFactor struct {
	Enabled       bool `json:"enabled"`
	Required      bool `json:"required" doc:"Whether it is to be set up before anything else can be done."`
	RecoveryCodes int  `json:"recovery_codes_left"`
}

// StaffMeOutput is the answer with who asks.
type StaffMeOutput struct{ Body StaffMe }

// getMe handles GET /v1/staff/me.
func (s *Server) getMe(ctx context.Context, _ *struct{}) (*StaffMeOutput, error) {
	c := callerOf(ctx)
	who, err := s.personOf(ctx, c.storeID, uuid.Nil, c.staffID)
	switch {
	case err != nil:
		return nil, err
	case who.audience() != forTeam:
		return nil, staff.ErrNotFound
	}
	me := StaffMe{
		ID: wireid.Format(wireid.Staff, c.staffID), Email: shown(who.member.State.Email), Name: shown(who.member.State.Name),
		Role: c.role, Permissions: permissionsOf(c),
		TwoFactor: OwnTwoFactor{
			Enabled: who.credentials.State.TwoFactor.Enabled, Required: c.mustEnroll, RecoveryCodes: who.credentials.State.TwoFactor.Remaining(),
		},
	}
	if c.sessionID != uuid.Nil {
		session := wireid.Format(wireid.Session, c.sessionID)
		me.SessionID = &session
	}
	return &StaffMeOutput{Body: me}, nil
}

var errSessionOnly = fault.New(fault.Forbidden, "session_needed", "an API key cannot do this: sign in")

// selfStaff is [Server.self] for members of the team only, with their id.
func (s *Server) selfStaff(ctx context.Context) (identified, string, decider.Request, error) {
	c := callerOf(ctx)
	if c.isCustomer() || c.sessionID == uuid.Nil {
		return identified{}, "", decider.Request{}, errSessionOnly
	}
	who, r, err := s.self(ctx)
	return who, wireid.Format(wireid.Staff, c.staffID), r, err
}

// listMySessions handles GET /v1/staff/me/sessions.
func (s *Server) listMySessions(ctx context.Context, _ *struct{}) (*PageOutput[SessionRow], error) {
	return s.sessionsOf(ctx, uuid.Nil, callerOf(ctx).staffID)
}

// endMySessions handles POST /v1/staff/me/end-sessions.
func (s *Server) endMySessions(ctx context.Context, _ *struct{ CommandContext }) (*CommandOutput, error) {
	who, id, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	return s.endAll(ctx, who, id, r)
}

// SetMyPasswordInput chooses a password after a link was followed.
type SetMyPasswordInput struct {
	CommandContext
	Body struct {
		New    string `json:"new_password" maxLength:"2000" doc:"What it must be like is a policy of the store. The session ends: sign in with it."`
		Repeat string `json:"repeat_password,omitempty" maxLength:"2000" doc:"The same once more, if the form has it."`
	}
}

// setMyPassword handles POST /v1/staff/me/set-password.
func (s *Server) setMyPassword(ctx context.Context, in *SetMyPasswordInput) (*CommandOutput, error) {
	c := callerOf(ctx)
	if c.scope != events.ScopePassword {
		return nil, errNoLink
	}
	who, id, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	hash, err := s.newPassword(ctx, who, in.Body.New, in.Body.Repeat, c.policies)
	if err != nil {
		return nil, err
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), login.ChoosePassword{
		SessionID: c.sessionID, CredentialID: uuid.New(), Hash: hash, Scheme: string(passwords.SchemeOf(hash)),
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(id, out, r), nil
}

// ChangeMyPasswordInput changes one's own password.
type ChangeMyPasswordInput struct {
	CommandContext
	Body struct {
		Current string `json:"current_password" maxLength:"2000"`
		New     string `json:"new_password" maxLength:"2000" doc:"What it must be like is a policy of the store. All sessions end."`
	}
}

// changeMyPassword handles POST /v1/staff/me/change-password.
func (s *Server) changeMyPassword(ctx context.Context, in *ChangeMyPasswordInput) (*CommandOutput, error) {
	who, id, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	return s.changeTo(ctx, who, id, in.Body.Current, in.Body.New, r)
}

// MyPasswordInput is what needs one's own password once more.
type MyPasswordInput struct {
	CommandContext
	Body struct {
		Password string `json:"password" maxLength:"2000"`
	}
}

// startMyTwoFactor handles POST /v1/staff/me/two-factor/start.
func (s *Server) startMyTwoFactor(ctx context.Context, in *MyPasswordInput) (*TwoFactorSetupOutput, error) {
	who, _, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	return s.startFactor(ctx, who, in.Body.Password, r)
}

// ConfirmMyTwoFactorInput confirms a set-up.
type ConfirmMyTwoFactorInput struct {
	CommandContext
	Body struct {
		Code string `json:"code" maxLength:"100" example:"123456"`
	}
}

// confirmMyTwoFactor handles POST /v1/staff/me/two-factor/confirm.
func (s *Server) confirmMyTwoFactor(ctx context.Context, in *ConfirmMyTwoFactorInput) (*RecoveryCodesOutput, error) {
	who, _, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	return s.confirmFactor(ctx, who, in.Body.Code, r)
}

// renewMyRecoveryCodes handles POST /v1/staff/me/two-factor/renew-codes.
func (s *Server) renewMyRecoveryCodes(ctx context.Context, in *MyPasswordInput) (*RecoveryCodesOutput, error) {
	who, _, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	return s.renewCodes(ctx, who, in.Body.Password, r)
}

// disableMyTwoFactor handles POST /v1/staff/me/two-factor/disable.
func (s *Server) disableMyTwoFactor(ctx context.Context, in *MyPasswordInput) (*CommandOutput, error) {
	who, id, r, err := s.selfStaff(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.provePassword(ctx, who, in.Body.Password, r); err != nil {
		return nil, err
	}
	return s.disableFactor(ctx, who, id, r)
}
