package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/internal/wireid"
)

// harness is a store of its own on a stack, and a client for it.
type harness struct {
	*stack
	t     *testing.T
	store uuid.UUID
	staff map[events.Role]uuid.UUID
	keys  map[events.Role]string
}

// newHarness makes a store of its own in the stack that tests share.
func newHarness(t *testing.T) *harness {
	t.Helper()
	return sharedStack().newStore(t)
}

// newStore makes a store with a team member and a key for each role.
func (s *stack) newStore(t *testing.T) *harness {
	t.Helper()
	fingerprints, err := s.vault.Secret(vault.SecretFingerprint)
	if err != nil {
		t.Fatal(err)
	}
	founded, err := api.Bootstrap{
		FingerprintKey: fingerprints,
		LogID:          s.vault.LogID(), IdentityScope: s.scope, KeyChecks: s.vault.Checks(),
		StoreName: "Shop", Hosts: []string{"shop-" + uuid.NewString() + ".example.com"},
		OwnerEmail: "olivia@example.com", OwnerName: "Olivia Owner", Roles: events.Roles,
	}.Run(t.Context(), s.engine)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{stack: s, t: t, store: founded.StoreID, staff: founded.Staff, keys: make(map[events.Role]string)}
	for role, token := range founded.Keys {
		h.keys[role] = token.Reveal()
	}
	return h
}

// do sends a request. body is JSON as a text, something to marshal, or nil.
// Headers are given as pairs.
func (h *harness) do(role events.Role, method, path string, body any, headers ...string) *reply {
	h.t.Helper()
	all := append([]string{"Authorization", "Bearer " + h.keys[role]}, headers...)
	return h.send(method, path, body, all...)
}

// send sends a request as it is.
func (s *stack) request(ctx context.Context, method, path string, body any, headers ...string) (*http.Request, error) {
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.http.URL+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host // which is where the client takes it from
		r.Header.Del("Host")
	}
	return r, nil
}

func (h *harness) send(method, path string, body any, headers ...string) *reply {
	h.t.Helper()
	r, err := h.request(h.t.Context(), method, path, body, headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := h.http.Client().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out := &reply{t: h.t, stack: h.stack, status: answer.StatusCode, header: answer.Header, raw: raw}
	if len(raw) > 0 && strings.Contains(answer.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			h.t.Fatalf("%s %s: answer is not JSON: %v", method, path, err)
		}
	}
	return out
}

// owner and support send as one of the team.
func (h *harness) owner(method, path string, body any, headers ...string) *reply {
	h.t.Helper()
	return h.do(events.RoleOwner, method, path, body, headers...)
}

// read reads a list or a log that shows at least what after tells.
func (h *harness) read(path string, after *reply) *reply {
	h.t.Helper()
	return h.owner("GET", path, nil, "Steward-Min-Position", after.str("position")).want(200)
}

// customer creates a customer and returns their id and the answer.
func (h *harness) customer(username string) (string, *reply) {
	h.t.Helper()
	created := h.owner("POST", "/v1/customers", map[string]any{"email": username + "@example.com", "username": username}).want(201)
	return created.str("id"), created
}

// domain registers a domain for a customer and returns its id and the answer.
func (h *harness) domain(name, customer string) (string, *reply) {
	h.t.Helper()
	created := h.owner("POST", "/v1/domains", map[string]any{
		"name": name, "customer_id": customer, "registered_at": "2024-05-01", "expires_at": "2027-05-01",
		"locked": true, "nameservers": []string{"ns1.example.net", "ns2.example.net"},
	}).want(201)
	return created.str("id"), created
}

// stored reads every event of the store from the log.
func (h *harness) stored() []events.Record {
	h.t.Helper()
	var own []events.Record
	var after events.Position
	for {
		records, err := h.engine.Log.ReadAll(context.Background(), after, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, r := range records {
			after = r.Position
			if events.IsSystem(r.Stream) || events.IsSystem(r.Type) {
				continue
			}
			md, err := events.DecodeMetadata(r.Metadata)
			if err != nil {
				h.t.Fatal(err)
			}
			if md.StoreID == h.store {
				own = append(own, r)
			}
		}
		if len(records) < 1000 {
			return own
		}
	}
}

// facts are the stored events without those of reservations.
func (h *harness) facts() []events.Record {
	h.t.Helper()
	var facts []events.Record
	for _, r := range h.stored() {
		if !strings.HasPrefix(r.Type, "uniq.") {
			facts = append(facts, r)
		}
	}
	return facts
}

// unchanged fails the test if fn lets anything be written.
func (h *harness) unchanged(fn func()) {
	h.t.Helper()
	before := len(h.facts())
	fn()
	if after := len(h.facts()); after != before {
		h.t.Fatalf("%d events were written", after-before)
	}
}

// newest returns the last fact and its metadata.
func (h *harness) newest() (events.Record, events.Metadata) {
	h.t.Helper()
	facts := h.facts()
	last := facts[len(facts)-1]
	return last, must(events.DecodeMetadata(last.Metadata))
}

// storeID is the store's id as callers know it.
func (h *harness) storeID() string { return wireid.Format(wireid.Store, h.store) }

// staffID is a team member's id as callers know it.
func (h *harness) staffID(role events.Role) string { return wireid.Format(wireid.Staff, h.staff[role]) }

// unknown is an id that nothing has.
func unknown(kind wireid.Kind) string { return wireid.Format(kind, uuid.New()) }

// together does n things at the same time.
func (h *harness) together(n int, fn func(i int) *reply) []*reply {
	h.t.Helper()
	replies := make([]*reply, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { replies[i] = fn(i) })
	}
	running.Wait()
	return replies
}

const confirmMinutes = 11 * time.Minute

func unknownCustomer() string { return unknown(wireid.Customer) }
