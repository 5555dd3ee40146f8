package api

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Also what customers cannot do yet is bounded by the scope.
func TestBarred_S0_39_C17(t *testing.T) {
	t.Parallel()
	p := http.MethodPost
	for _, c := range []struct {
		method, path            string
		readOnly, support, full events.ImpersonationRefusal
	}{
		{http.MethodGet, "/v1/customers/{id}", "", "", ""},
		{http.MethodGet, "/v1/customers", events.RefusedAsCustomer, events.RefusedAsCustomer, events.RefusedAsCustomer},
		{p, "/v1/domains/{id}/set-lock", events.RefusedScope, "", ""},
		{p, "/v1/customers/{id}/send-link", events.RefusedScope, "", ""},
		{p, "/v1/customers/{id}/erase", events.RefusedAsCustomer, events.RefusedAsCustomer, events.RefusedAsCustomer},
		{p, "/v1/customers/{id}/impersonate", events.RefusedAsCustomer, events.RefusedAsCustomer, events.RefusedAsCustomer},
		{p, "/v1/api-keys", events.RefusedAsCustomer, events.RefusedAsCustomer, events.RefusedAsCustomer},
		{p, "/v1/impersonations/end", "", "", ""},
	} {
		for within, want := range map[events.ImpersonationScope]events.ImpersonationRefusal{
			events.ImpersonationReadOnly: c.readOnly, events.ImpersonationSupport: c.support, events.ImpersonationFull: c.full,
		} {
			who := &caller{customerID: uuid.New(), staffID: uuid.New(), impersonation: uuid.New(), within: within}
			rt := route{method: c.method, path: c.path}
			if got := who.barred(rt); got != want || who.mayUse(rt) != (want == "") {
				t.Errorf("%s %s within %s: %q, want %q", c.method, c.path, within, got, want)
			}
		}
	}
}
