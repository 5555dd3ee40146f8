package api

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// StaffSignInInput is which member of the team wants to sign in.
type StaffSignInInput struct {
	StorefrontInput
	Body struct {
		Email    string `json:"email" maxLength:"400" example:"grace@example.com"`
		Password string `json:"password" maxLength:"2000"`
		Cookie   bool   `json:"cookie,omitempty" doc:"As in /v1/sign-in. A browser that also has a customer's session says which it means by Steward-Session: staff."`
	}
}

// signInStaff handles POST /v1/staff/sign-in.
func (s *Server) signInStaff(ctx context.Context, in *StaffSignInInput) (*SignInOutput, error) {
	return s.tryPassword(ctx, in.StorefrontInput, strings.TrimSpace(in.Body.Email), in.Body.Password, in.Body.Cookie, forTeam)
}

// forgotStaffPassword handles POST /v1/staff/forgot-password.
func (s *Server) forgotStaffPassword(ctx context.Context, in *ForgotPasswordInput) (*AcceptedOutput, error) {
	return s.forgot(ctx, in, forTeam)
}

var errInvited = fault.New(fault.Conflict, "password_chosen", "this team member has chosen a password already: they can ask for another by themselves")

// inviteStaff handles POST /v1/staff/{id}/invite. Whoever asks never sees the link: it
// goes to the team member's address and nowhere else.
func (s *Server) inviteStaff(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	who, r, err := s.colleague(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !who.active() {
		return nil, errStaffInactive
	}
	policies := callerOf(ctx).policies
	out, err := login.Decider.HandleFrom(ctx, s.engine, events.LoginStream(who.loginID()), func(_ context.Context, state login.State) (login.Command, error) {
		if state.Chosen {
			return nil, errInvited
		}
		return linkTo(who, events.LinkInvitation, policies, s.links.Version(), r), nil
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

// colleague is the team member in the path, whose role is not above the caller's.
func (s *Server) colleague(ctx context.Context, text string) (identified, decider.Request, error) {
	id, err := pathID(wireid.Staff, text)
	if err != nil {
		return identified{}, decider.Request{}, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return identified{}, r, err
	}
	who, err := s.personOf(ctx, r.StoreID, uuid.Nil, id)
	switch {
	case err != nil:
	case who.audience() != forTeam:
		err = staff.ErrNotFound
	case staff.Above(who.member.State.Role, callerOf(ctx).role):
		err = staff.ErrAboveSelf
	}
	return who, r, err
}

// listStaffSessions handles GET /v1/staff/{id}/sessions.
func (s *Server) listStaffSessions(ctx context.Context, in *IDInput) (*PageOutput[SessionRow], error) {
	id, err := pathID(wireid.Staff, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.loadStaff(ctx, callerOf(ctx).storeID, id); err != nil {
		return nil, err
	}
	return s.sessionsOf(ctx, uuid.Nil, id)
}

// endStaffSessions handles POST /v1/staff/{id}/end-sessions.
func (s *Server) endStaffSessions(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	who, r, err := s.colleague(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.endAll(ctx, who, in.ID, r)
}

// DisableStaffTwoFactorInput turns the second factor of a colleague off.
type DisableStaffTwoFactorInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Confirm bool `json:"confirm" doc:"True. The secret and all recovery codes end for good."`
	}
}

var errOwnFactor = staff.ErrSelf.On("id", "is yours: prove yourself at /v1/staff/me/two-factor/disable, or ask a colleague")

// disableStaffTwoFactor handles POST /v1/staff/{id}/two-factor/disable.
func (s *Server) disableStaffTwoFactor(ctx context.Context, in *DisableStaffTwoFactorInput) (*CommandOutput, error) {
	who, r, err := s.colleague(ctx, in.ID)
	switch {
	case err != nil:
		return nil, err
	case who.id() == callerOf(ctx).staffID:
		return nil, errOwnFactor
	case !in.Body.Confirm:
		return nil, errConfirmDisable
	}
	return s.disableFactor(ctx, who, in.ID, r)
}
