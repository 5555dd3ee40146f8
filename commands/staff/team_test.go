package staff_test

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
)

// K1: whatever the members of a team do to each other one after the other, an owner
// remains, and nobody comes to more than whoever gave it to them has.
func TestTeam_K1_AnOwnerRemainsAndNobodyGrantsAboveThemselves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var members []staff.State
		id := func(i int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte{byte(i)}) }
		founder, err := staff.Decide(staff.State{}, staff.Create{StaffID: id(0), Email: "a@team.example", Role: events.RoleOwner, By: staff.Grantor{Role: events.RoleOwner}})
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, staff.Decider.Fold(founder))
		role := rapid.SampledFrom(events.Roles)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			by := members[rapid.IntRange(0, len(members)-1).Draw(t, "by")]
			if !by.Active || staff.Above(events.RoleAdmin, by.Role) {
				continue // has no way in, or not to the team
			}
			grantor := staff.Grantor{StaffID: by.ID, Role: by.Role}
			on := rapid.IntRange(0, len(members)-1).Draw(t, "on")
			before := members[on]
			var command staff.Command
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				before, on = staff.State{}, len(members)
				command = staff.Create{StaffID: id(on), Email: "b@team.example", Role: role.Draw(t, "role"), By: grantor}
			case 1:
				command = staff.ChangeRole{Role: role.Draw(t, "role"), By: grantor}
			case 2:
				command = staff.Deactivate{By: grantor}
			default:
				command = staff.Reactivate{By: grantor}
			}
			decided, err := staff.Decide(before, command)
			if err != nil {
				continue
			}
			after := before
			for _, e := range decided {
				after = staff.Evolve(after, e)
			}
			if len(decided) > 0 && (staff.Above(after.Role, by.Role) || staff.Above(before.Role, by.Role) || after.ID == by.ID) {
				t.Fatalf("a %s made a %s a %s", by.Role, before.Role, after.Role)
			}
			if on == len(members) {
				members = append(members, after)
			}
			members[on] = after
			owners := 0
			for _, m := range members {
				if m.Active && m.Role == events.RoleOwner {
					owners++
				}
			}
			if owners == 0 {
				t.Fatalf("%T left no owner", command)
			}
		}
	})
}
