package api_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
)

func TestBootstrap_FinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	b := api.Bootstrap{
		LogID: s.vault.LogID(), IdentityScope: events.ScopeStore, KeyChecks: s.vault.Checks(), StoreName: "Shop", Hosts: []string{"shop.example.com"},
		OwnerEmail: "olivia@example.com", OwnerName: "Olivia", Roles: []events.Role{events.RoleSupport}, ImportKey: true,
	}
	first, err := b.Run(t.Context(), s.engine)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Run(t.Context(), s.engine)
	if err != nil {
		t.Fatal(err)
	}
	if first.StoreID != second.StoreID || !cmp.Equal(first.Staff, second.Staff) || len(first.Staff) != 2 {
		t.Errorf("first %+v, second %+v", first.Staff, second.Staff)
	}
	h := &harness{stack: s, t: t, store: first.StoreID}
	for _, key := range []string{
		first.Keys[events.RoleOwner].Reveal(), second.Keys[events.RoleOwner].Reveal(), first.Keys[events.RoleSupport].Reveal(), second.ImportKey.Reveal(),
	} {
		h.send("GET", "/v1/store", nil, "Authorization", "Bearer "+key).want(200)
	}
	_, md := h.newest()
	if md.Actor != events.System("init") || md.Source != events.SourceCLI {
		t.Errorf("metadata %+v", md)
	}
	b.StoreName = "Another"
	if _, err := b.Run(t.Context(), s.engine); !errors.Is(err, api.ErrOtherInstallation) {
		t.Errorf("another name on the same host: %v", err)
	}
	b.Hosts = []string{"SHOP.example.com", "www.example.com"}
	if _, err := b.Run(t.Context(), s.engine); err == nil {
		t.Error("a host of another store is taken")
	}
	records, err := s.engine.Log.ReadStream(t.Context(), events.PlatformStream, 0)
	if err != nil || len(records) != 1 || records[0].Type != events.TypePlatformInitialized {
		t.Errorf("the platform has %d events: %v", len(records), err)
	}
}
