package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/projections"
)

func TestStoreRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.given(events.StoreStream(w.store),
		events.StoreRenamed{StoreID: w.store, Before: "Domains & more", After: "Names"},
		events.StoreHostsChanged{StoreID: w.store, Before: []string{"shop.example"}, After: []string{"a.example", "b.example"}},
		events.StoreBrandingChanged{StoreID: w.store, After: events.Branding{LogoURL: "https://x.example/l.png", Color: "#112233"}},
	)
	w.then()
	row, ok, err := projections.NewQueries(w.pool).StoreByHost(t.Context(), "b.example")
	if err != nil || !ok || row.StoreID != w.store || row.Name != "Names" || row.Color != "#112233" || row.Revision != 3 {
		t.Fatal(row, ok, err)
	}
	if _, ok, err := projections.NewQueries(w.pool).StoreByHost(t.Context(), "shop.example"); err != nil || ok {
		t.Fatal("the old host still leads to the store", err)
	}
	same, ok, err := w.queries.Store(t.Context(), w.store)
	if diff := cmp.Diff(row, same); err != nil || !ok || diff != "" {
		t.Fatal(diff, err)
	}
	if all, err := projections.NewQueries(w.pool).Stores(t.Context()); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	w.exact()
}

func TestStaffRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.given(events.StaffStream(id),
		events.StaffCreated{StaffID: id, Email: events.Clear("b@reseller.example"), Role: events.RoleSupport},
		events.StaffRenamed{StaffID: id, After: events.Clear("Bea"), Before: events.Clear("")},
		events.StaffEmailChanged{StaffID: id, Before: events.Clear("b@reseller.example"), After: events.Clear("bea@reseller.example")},
		events.StaffRoleChanged{StaffID: id, Before: events.RoleSupport, After: events.RoleAuditor},
		events.StaffDeactivated{StaffID: id},
	)
	w.then()
	team, err := w.queries.Team(t.Context(), w.store)
	if err != nil || len(team) != 2 || team[0].StaffID != w.staff {
		t.Fatal(team, err)
	}
	if bea := team[1]; *bea.Name != "Bea" || *bea.Email != "bea@reseller.example" || bea.Role != events.RoleAuditor || bea.Active || bea.Revision != 4 {
		t.Fatalf("%+v", bea)
	}
	if other, err := w.queries.Team(t.Context(), uuid.New()); err != nil || len(other) != 0 {
		t.Fatal(other, err)
	}
	w.exact()
}

func TestAPIKeyRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	expires := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	w.given(events.APIKeyStream(id), events.APIKeyCreated{
		APIKeyID: id, StaffID: w.staff, Prefix: "stw_live_0011223344556677", Hash: "aa", Label: events.Clear("import"),
		Source: events.SourceImport, ExpiresAt: expires,
	})
	w.then()
	keys, err := w.queries.APIKeysByPrefix(t.Context(), "stw_live_0011223344556677")
	if err != nil || len(keys) != 1 || keys[0].APIKeyID != id || keys[0].StoreID != w.store || *keys[0].Label != "import" || !keys[0].ExpiresAt.Equal(expires) || keys[0].RevokedAt != nil {
		t.Fatal(keys, err)
	}
	w.given(events.APIKeyStream(id), events.APIKeyRevoked{APIKeyID: id, StaffID: w.staff})
	w.then()
	if keys, err = w.queries.APIKeys(t.Context(), w.store); err != nil || len(keys) != 1 || keys[0].RevokedAt == nil {
		t.Fatal(keys, err)
	}
	w.exact()
}
