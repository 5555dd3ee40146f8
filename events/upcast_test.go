package events

import (
	"testing"

	"github.com/google/uuid"
)

// An old shape of an event as it might have been: before roles had names.
type staffRoleChangedV0 struct {
	StaffID uuid.UUID `json:"staff_id"`
	Admin   bool      `json:"admin"`
}

func (v staffRoleChangedV0) current() StaffRoleChanged {
	if v.Admin {
		return StaffRoleChanged{StaffID: v.StaffID, Before: RoleSupport, After: RoleAdmin}
	}
	return StaffRoleChanged{StaffID: v.StaffID, Before: RoleAdmin, After: RoleSupport}
}

// An event stored in an old shape is read as the current one.
func TestUpcast(t *testing.T) {
	t.Parallel()
	registry := map[string]decoder{"staff.role_changed.v0": upcast(staffRoleChangedV0.current)}
	id := uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	env, err := decodeWith(registry, Record{
		Type: "staff.role_changed.v0", Data: []byte(`{"staff_id":"` + id.String() + `","admin":true}`),
		Metadata: []byte(`{"schema":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := StaffRoleChanged{StaffID: id, Before: RoleSupport, After: RoleAdmin}
	if env.Event != Event(want) {
		t.Fatalf("got %+v, want %+v", env.Event, want)
	}
	if _, err := decodeWith(registry, Record{Type: "staff.role_changed.v0", Data: []byte(`{"more":1}`), Metadata: []byte(`{"schema":1}`)}); err == nil {
		t.Fatal("an old shape with a field it never had was read")
	}
}
