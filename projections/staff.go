package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// Staff is a row of staff: one per member of a reseller's team. Email and name
// are nil once the person was erased.
type Staff struct {
	StaffID   uuid.UUID   `json:"staff_id" db:"staff_id"`
	StoreID   uuid.UUID   `json:"store_id" db:"store_id"`
	Email     *string     `json:"email" db:"email"`
	Name      *string     `json:"name" db:"name"`
	Role      events.Role `json:"role" db:"role"`
	Active    bool        `json:"active" db:"active"`
	CreatedAt time.Time   `json:"created_at" db:"created_at"`
	UpdatedAt time.Time   `json:"updated_at" db:"updated_at"`
	Revision  uint64      `json:"revision" db:"revision"`
	Position  uint64      `json:"position" db:"position"`
}

const createStaff = `
	CREATE TABLE staff (
		staff_id   uuid PRIMARY KEY,
		store_id   uuid NOT NULL,
		email      text,
		name       text,
		role       text NOT NULL,
		active     boolean NOT NULL,
		created_at timestamptz NOT NULL,
		updated_at timestamptz NOT NULL,
		revision   bigint NOT NULL,
		position   bigint NOT NULL
	)`

var indexStaff = []string{`CREATE INDEX staff_store ON staff (store_id, created_at, staff_id)`}

const staffColumns = `staff_id, store_id, email, name, role, active, created_at, updated_at, revision, position`

const loadStaff = `
	SELECT ` + staffColumns + `
	FROM staff
	WHERE staff_id = ANY($1)`

const saveStaff = `
	INSERT INTO staff
	SELECT * FROM json_populate_recordset(NULL::staff, $1)
	ON CONFLICT (staff_id) DO UPDATE SET
		email = EXCLUDED.email, name = EXCLUDED.name, role = EXCLUDED.role, active = EXCLUDED.active,
		updated_at = EXCLUDED.updated_at, revision = EXCLUDED.revision, position = EXCLUDED.position`

var staffModel = projector.State[uuid.UUID, Staff]{
	Name:    "staff",
	Create:  createStaff,
	Indexes: indexStaff,
	Key:     inCategory(events.CategoryStaff),
	Evolve:  evolveStaff,
	ID:      func(r Staff) uuid.UUID { return r.StaffID },
	Load:    loadStaff,
	Save:    saveStaff,
}

// evolveStaff folds an event of a staff member's stream into the member's row.
func evolveStaff(row Staff, env projector.Event) (Staff, bool) {
	if e, ok := env.Event.(events.StaffCreated); ok {
		row = Staff{
			StaffID: e.StaffID, StoreID: env.Metadata.StoreID, Email: shown(e.Email), Name: shown(e.Name), Role: e.Role,
			Active: true, CreatedAt: recorded(env),
		}
	} else if row.StaffID == uuid.Nil {
		return row, false
	}
	switch e := env.Event.(type) {
	case events.StaffRenamed:
		row.Name = shown(e.After)
	case events.StaffEmailChanged:
		row.Email = shown(e.After)
	case events.StaffRoleChanged:
		row.Role = e.After
	case events.StaffDeactivated:
		row.Active = false
	case events.StaffReactivated:
		row.Active = true
	}
	row.UpdatedAt, row.Revision, row.Position = recorded(env), env.Revision, env.Position.Commit
	return row, true
}

const (
	selectStaff = `
		SELECT ` + staffColumns + `
		FROM read_core.staff
		WHERE store_id = $1
		ORDER BY created_at, staff_id`
	selectStaffByID = `
		SELECT ` + staffColumns + `
		FROM read_core.staff
		WHERE store_id = $1 AND staff_id = ANY($2)`
)

// Team returns the staff of a store, the longest there first.
func (q Queries) Team(ctx context.Context, store uuid.UUID) ([]Staff, error) {
	return collect[Staff](ctx, q.db, "staff", selectStaff, store)
}

// StaffByID returns those of ids that are staff of the store, in no order.
func (q Queries) StaffByID(ctx context.Context, store uuid.UUID, ids []uuid.UUID) ([]Staff, error) {
	return collect[Staff](ctx, q.db, "staff by id", selectStaffByID, store, ids)
}
