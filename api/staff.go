package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// StaffDetail is a member of the team.
type StaffDetail struct {
	ID        string      `json:"id" example:"stf_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Email     *string     `json:"email"`
	Name      *string     `json:"name"`
	Role      events.Role `json:"role" enum:"owner,admin,support,auditor,analyst"`
	Active    bool        `json:"active"`
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"`
	Revision  int64       `json:"revision"`
	Links     StaffLinks  `json:"links"`
}

// StaffLinks lead to what belongs to a team member.
type StaffLinks struct {
	Self string `json:"self"`
	Log  string `json:"log" doc:"What they did."`
}

// StaffOutput is the answer with one team member.
type StaffOutput struct {
	ETag string `header:"ETag"`
	Body StaffDetail
}

func staffDetail(row projections.Staff) StaffDetail {
	id := wireid.Format(wireid.Staff, row.StaffID)
	return StaffDetail{
		ID: id, Email: row.Email, Name: row.Name, Role: row.Role, Active: row.Active,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Revision: int64(row.Revision),
		Links: StaffLinks{Self: staffPath(row.StaffID), Log: "/v1/log?staff=" + id},
	}
}

// listStaff handles GET /v1/staff.
func (s *Server) listStaff(ctx context.Context, in *ReadInput) (*PageOutput[StaffDetail], error) {
	if err := s.await(ctx, *in); err != nil {
		return nil, err
	}
	rows, err := s.queries.Team(ctx, callerOf(ctx).storeID)
	if err != nil {
		return nil, err
	}
	team := make([]StaffDetail, len(rows))
	for i, row := range rows {
		team[i] = staffDetail(row)
	}
	return page(ctx, s, list{name: "staff"}, team, nil)
}

// getStaff handles GET /v1/staff/{id}.
func (s *Server) getStaff(ctx context.Context, in *IDInput) (out *StaffOutput, err error) {
	id, err := pathID(wireid.Staff, in.ID)
	if err != nil {
		return nil, err
	}
	own := callerOf(ctx).storeID
	err = s.read(ctx, in.ReadInput, func(ctx context.Context) error {
		loaded, err := staff.Decider.LoadHistory(ctx, s.engine, own, events.StaffStream(id))
		switch {
		case err != nil:
			return err
		case loaded.State.ID == uuid.Nil:
			return staff.ErrNotFound
		}
		history := loaded.Events
		out = &StaffOutput{ETag: etag(loaded.Revision), Body: staffDetail(projections.Staff{
			StaffID: id, Email: shown(loaded.State.Email), Name: shown(loaded.State.Name), Role: loaded.State.Role,
			Active: loaded.State.Active, CreatedAt: history[0].RecordedAt, UpdatedAt: history[len(history)-1].RecordedAt,
			Revision: uint64(loaded.Revision),
		})}
		return nil
	}, func(ctx context.Context) error {
		rows, err := s.queries.StaffByID(ctx, own, []uuid.UUID{id})
		switch {
		case err != nil:
			return err
		case len(rows) == 0:
			return staff.ErrNotFound
		}
		out = &StaffOutput{ETag: etag(eventstore.Revision(rows[0].Revision)), Body: staffDetail(rows[0])}
		return nil
	})
	return out, err
}

// loadStaff folds a member of the caller's team.
func (s *Server) loadStaff(ctx context.Context, store, id uuid.UUID) (decider.Loaded[staff.State], error) {
	loaded, err := staff.Decider.Load(ctx, s.engine, store, events.StaffStream(id))
	if err == nil && loaded.State.ID == uuid.Nil {
		err = staff.ErrNotFound
	}
	return loaded, err
}

// grantor is the caller as somebody who gives or takes roles.
func (c *caller) grantor() staff.Grantor { return staff.Grantor{StaffID: c.staffID, Role: c.role} }

// CreateStaffInput adds a team member.
type CreateStaffInput struct {
	CommandInput
	Body struct {
		Email  string      `json:"email" example:"grace@example.com"`
		Name   string      `json:"name,omitempty" example:"Grace"`
		Role   events.Role `json:"role" enum:"owner,admin,support,auditor,analyst" doc:"Not above your own."`
		Invite *bool       `json:"invite,omitempty" doc:"Whether they are sent a link to choose a password by; true unless you say. Without a password somebody can only act through API keys."`
	}
}

// createStaff handles POST /v1/staff.
func (s *Server) createStaff(ctx context.Context, in *CreateStaffInput) (*CommandOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	by := callerOf(ctx).grantor()
	invite := in.Body.Invite == nil || *in.Body.Invite
	id, out, err := staff.Decider.Create(ctx, s.engine, string(wireid.Staff), events.StaffStream, func(id uuid.UUID) staff.Command {
		return staff.Create{StaffID: id, Email: in.Body.Email, Name: in.Body.Name, Role: in.Body.Role, Invite: invite, By: by}
	}, r)
	if err != nil {
		return nil, err
	}
	return s.created(wireid.Format(wireid.Staff, id), staffPath(id), out, r), nil
}

// onStaff handles a command on the team member in the path. Nobody changes
// anything about somebody whose role is above their own.
func (s *Server) onStaff(ctx context.Context, text string, command staff.Command) (*CommandOutput, error) {
	id, err := pathID(wireid.Staff, text)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	role := callerOf(ctx).role
	out, err := staff.Decider.HandleFrom(ctx, s.engine, events.StaffStream(id), func(_ context.Context, state staff.State) (staff.Command, error) {
		if staff.Above(state.Role, role) {
			return nil, staff.ErrAboveSelf
		}
		return command, nil
	}, r)
	if err != nil {
		return nil, err
	}
	return s.answer(text, out, r), nil
}

// renameStaff handles POST /v1/staff/{id}/rename.
func (s *Server) renameStaff(ctx context.Context, in *RenameInput) (*CommandOutput, error) {
	return s.onStaff(ctx, in.ID, staff.Rename{Name: in.Body.Name})
}

// changeStaffEmail handles POST /v1/staff/{id}/change-email.
func (s *Server) changeStaffEmail(ctx context.Context, in *ChangeEmailInput) (*CommandOutput, error) {
	return s.onStaff(ctx, in.ID, staff.ChangeEmail{Email: in.Body.Email})
}

// ChangeRoleInput changes what a team member may do.
type ChangeRoleInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Role events.Role `json:"role" enum:"owner,admin,support,auditor,analyst" doc:"Not above your own."`
	}
}

// changeStaffRole handles POST /v1/staff/{id}/change-role.
func (s *Server) changeStaffRole(ctx context.Context, in *ChangeRoleInput) (*CommandOutput, error) {
	return s.onStaff(ctx, in.ID, staff.ChangeRole{Role: in.Body.Role, By: callerOf(ctx).grantor()})
}

// deactivateStaff handles POST /v1/staff/{id}/deactivate.
func (s *Server) deactivateStaff(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	return s.onStaff(ctx, in.ID, staff.Deactivate{By: callerOf(ctx).grantor()})
}

// reactivateStaff handles POST /v1/staff/{id}/reactivate.
func (s *Server) reactivateStaff(ctx context.Context, in *PlainInput) (*CommandOutput, error) {
	return s.onStaff(ctx, in.ID, staff.Reactivate{By: callerOf(ctx).grantor()})
}
