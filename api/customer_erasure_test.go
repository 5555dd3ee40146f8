package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/erasure"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/internal/wireid"
)

// A person with a past of every kind is erased: nothing that is stored or shown
// holds anything of them any more, and the names are free.
func TestErasure_S4_34_S4_35_S4_36_NothingIsLeft(t *testing.T) {
	t.Parallel()
	e := newErasing(t)
	browser := []string{"X-Forwarded-For", "198.51.100.77", "User-Agent", "CanaryBrowser/7"}
	account := map[string]any{
		"email": "canary.one@example.org", "username": "canaryuser", "password": goodPassword,
		"profile": map[string]any{"first_name": "Canaria", "last_name": "Byrdsong", "phone": "+49 30 55501234", "city": "Canarytown"},
	}
	e.visit("/v1/register", account, browser...).want(202)
	begun := e.visit("/v1/sign-in", map[string]any{"name": "canaryuser", "password": goodPassword}, browser...).want(200)
	id := begun.str("customer_id")
	path := "/v1/customers/" + id
	e.as(begun, "POST", path+"/two-factor/start", map[string]any{"password": goodPassword}, browser...).want(200)
	domain, _ := e.domain("kept.com", id)
	heir, _ := e.customer("heir")
	e.as(begun, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": false}, browser...).want(200)
	e.push(domain, map[string]any{"to": map[string]any{"customer_id": heir}}, "Steward-Reason", "canary words").want(200)
	e.owner("POST", path+"/suspend", map[string]any{"reason": "canary words"}).want(200)
	e.owner("POST", path+"/reactivate", nil).want(200)
	e.owner("POST", path+"/notes", map[string]any{"text": "canary note"}).want(200)
	e.visit("/v1/forgot-password", map[string]any{"email": "canary.one@example.org"}, browser...).want(202)
	e.owner("POST", path+"/change-email", map[string]any{"email": "canary.two@example.org"}).want(200)
	e.owner("POST", path+"/change-external-id", map[string]any{"external_id": "canary-crm-9"}).want(200)
	e.visit("/v1/sign-in", map[string]any{"name": "canaryuser", "password": "wrong"}, browser...).refused(401, "invalid_credentials")
	canaries := []string{"canary.one@", "canary.two@", "canaryuser", "Canaria", "Byrdsong", "55501234", "Canarytown", "198.51.100.77", "CanaryBrowser", "canary words", "canary note", "canary-crm-9"}
	before := e.everywhere()
	for _, canary := range canaries {
		if len(where(before, canary)) == 0 {
			t.Errorf("%q is nowhere before it is erased, so the test shows nothing", canary)
		}
	}
	if got := where(before, "canary.two@"); !slices.Contains(got, "read_core.customers") {
		t.Errorf("the email address is in %v, and not in a table", got)
	}

	e.as(begun, "POST", path+"/erase", map[string]any{"password": "wrong"}, browser...).refused(403, "wrong_password", "password")
	e.as(begun, "POST", path+"/erase", nil, browser...).refused(403, "wrong_password", "password")
	e.as(begun, "POST", "/v1/customers/me/erase", map[string]any{"password": goodPassword}, browser...).want(200)
	e.as(begun, "GET", path, nil, browser...).refused(401, "unauthorized")
	e.visit("/v1/sign-in", map[string]any{"name": "canaryuser", "password": goodPassword}, browser...).refused(403, "account_disabled")
	e.visit("/v1/register", account, browser...).refused(409, "name_taken", "username")
	e.carryOut()
	if got := e.owner("GET", path, nil).want(200); got.at("status.value") != "deleted" || got.at("erasure.due_at") == nil {
		t.Errorf("within the grace: %s", got.raw)
	}

	e.now.advance(72 * time.Hour)
	e.sweep()
	if got := e.owner("GET", path, nil).want(200); got.at("status.value") != "erased" || got.str("name") != "[erased]" || got.at("erasure.completed") != false || got.at("email") != nil {
		t.Errorf("erased: %s", got.raw)
	}
	e.now.advance(vault.CacheLifetime)
	e.sweep()
	if got := e.owner("GET", path, nil).want(200); got.at("erasure.completed") != true || len(got.texts("available_actions")) != 0 {
		t.Errorf("completed: %s", got.raw)
	}
	after := e.everywhere()
	for _, canary := range canaries {
		if places := where(after, canary); len(places) > 0 {
			t.Errorf("%q is still in %v", canary, places)
		}
	}
	if !strings.Contains(after["/v1/events?limit=200"], `{"erased":true}`) || !strings.Contains(after["/v1/log?limit=200"], `"[erased]"`) {
		t.Error("what was erased is not marked as such")
	}
	list := e.owner("GET", "/v1/customers?status=erased", nil).want(200).list("items")
	if len(list) != 1 || list[0]["name"] != "[erased]" || list[0]["id"] != id {
		t.Errorf("the list shows %v", list)
	}
	for _, term := range []string{"canary", "byrdsong", "canaryuser"} {
		if found := e.owner("GET", "/v1/customers?status=erased&status=active&q="+term, nil).want(200).list("items"); len(found) != 0 {
			t.Errorf("a search for %s finds %v", term, found)
		}
	}
	for _, once := range onceEach {
		if n := count(e.types(id), once); n != 1 {
			t.Errorf("%s happened %d times", once, n)
		}
	}
	rebuilt, err := projector.Rebuild(t.Context(), e.pool, e.engine.Log, e.group(), projector.RebuildOptions{})
	if err != nil || !rebuilt.Report.Same() {
		t.Errorf("a rebuild differs: %v %+v", err, rebuilt)
	}

	t.Run("S4-34 there is no way back", func(t *testing.T) {
		e.owner("POST", path+"/restore", nil).refused(409, "customer_erased")
		e.owner("POST", path+"/cancel-erasure", nil).refused(409, "customer_erased")
		e.owner("POST", path+"/change-email", map[string]any{"email": "x@example.org"}).refused(409, "customer_erased")
		e.owner("POST", path+"/export", map[string]any{"purpose": "x"}).refused(409, "customer_erased")
		known := e.visit("/v1/sign-in", map[string]any{"name": "canaryuser", "password": goodPassword}, "X-Request-Id", "5a3e5a3e").refused(401, "invalid_credentials")
		nobody := e.visit("/v1/sign-in", map[string]any{"name": "nobodyatall", "password": goodPassword}, "X-Request-Id", "5a3e5a3e").refused(401, "invalid_credentials")
		if string(known.raw) != string(nobody.raw) {
			t.Errorf("the erased name answers %s, an unknown one %s", known.raw, nobody.raw)
		}
	})
	t.Run("a late event about them is refused", func(t *testing.T) {
		raw, err := wireid.Parse(wireid.Customer, id)
		if err != nil {
			t.Fatal(err)
		}
		late := events.CustomerProfileEdited{CustomerID: raw, After: events.Profile{City: events.Clear("x")}}
		md := events.Metadata{Schema: events.MetadataSchema, StoreID: e.store, Actor: events.System("test"), OccurredAt: time.Now()}
		_, err = e.engine.Sealer.Seal(t.Context(), events.CustomerStream(raw), e.store, []seal.Draft{{ID: uuid.New(), Event: late, Metadata: md}})
		if !errors.Is(err, vault.ErrSubjectErased) {
			t.Errorf("sealed with %v", err)
		}
	})
	t.Run("S4-36 S4-38 the names are free", func(t *testing.T) {
		account["email"] = "canary.two@example.org"
		e.visit("/v1/register", account, browser...).want(202)
		again := e.visit("/v1/sign-in", map[string]any{"name": "canary.two@example.org", "password": goodPassword}, browser...).want(200)
		if again.str("customer_id") == id {
			t.Error("it is the same customer")
		}
	})
	t.Run("the heir's domain goes on", func(t *testing.T) {
		e.owner("POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": true}).want(200)
	})
}

func TestErasure_CancelUntilDue(t *testing.T) {
	t.Parallel()
	e := newErasing(t)
	id := e.register("ada")
	path := "/v1/customers/" + id
	e.owner("POST", path+"/erase", map[string]any{}).want(200)
	if got := e.owner("POST", path+"/erase", nil).want(200).texts("event_ids"); len(got) != 0 {
		t.Errorf("asked twice: %v", got)
	}
	e.owner("POST", path+"/restore", nil).refused(409, "erasure_pending")
	e.do(events.RoleSupport, "POST", path+"/cancel-erasure", nil).refused(403, "forbidden")
	e.now.advance(71 * time.Hour)
	e.sweep()
	e.owner("POST", path+"/cancel-erasure", nil).want(200)
	e.now.advance(2 * time.Hour)
	e.carryOut()
	e.signIn("ada")
	e.owner("POST", path+"/erase", nil).want(200)
	e.now.advance(72 * time.Hour)
	e.owner("POST", path+"/cancel-erasure", nil).refused(409, "erasure_due")
	e.carryOut()
	if got := e.owner("GET", path, nil).want(200); got.at("erasure.completed") != true {
		t.Errorf("after all: %s", got.raw)
	}
}

func TestErasure_C25_NotWhileDomainsAreHeld(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.register("ada")
	path := "/v1/customers/" + id
	session := h.signIn("ada")
	h.domain("held.com", id)
	h.owner("POST", path+"/erase", nil).refused(409, "customer_holds_domains")
	h.owner("POST", path+"/delete", nil).refused(409, "customer_holds_domains")
	h.as(session, "POST", path+"/erase", map[string]any{"password": goodPassword, "force": true}).refused(409, "customer_holds_domains")
	h.owner("POST", path+"/delete", map[string]any{"force": true}).want(200)
	h.owner("POST", path+"/erase", map[string]any{"force": true}).want(200)

	other, _ := h.customer("eve")
	h.owner("POST", "/v1/domains", map[string]any{"name": "expired.com", "customer_id": other, "registered_at": "2020-01-01", "expires_at": "2021-01-01"}).want(201)
	h.owner("POST", "/v1/customers/"+other+"/delete", nil).want(200)
}

func TestErasure_S4_TheStoreDecides(t *testing.T) {
	t.Parallel()
	e := newErasing(t)
	decide := func(body map[string]any) {
		t.Helper()
		e.owner("POST", "/v1/stores/"+e.storeID()+"/set-policies", body).want(200)
	}
	account := func(name string) map[string]any {
		return map[string]any{"email": name + "@example.com", "username": name}
	}
	t.Run("C1 S4-34 S4-36 S4-38 deleting erases at once and frees the names", func(t *testing.T) {
		decide(map[string]any{"preset": "pantry"})
		id, _ := e.customer("one")
		e.owner("POST", "/v1/customers/"+id+"/delete", nil).want(200)
		e.carryOut()
		if got := e.owner("GET", "/v1/customers/"+id, nil).want(200); got.at("status.value") != "erased" {
			t.Errorf("deleted: %s", got.raw)
		}
		if again, _ := e.customer("one"); again == id {
			t.Error("it is the same customer")
		}
	})
	t.Run("S4-39 S4-40 C3 disabling keeps the names", func(t *testing.T) {
		id, _ := e.customer("two")
		e.owner("POST", "/v1/customers/"+id+"/suspend", nil).want(200)
		e.owner("POST", "/v1/customers", account("two")).refused(409, "name_taken", "email", "username")
	})
	t.Run("C2 names are never free", func(t *testing.T) {
		decide(map[string]any{"preset": "pantry", "policies": map[string]any{"release_identifiers": "never"}})
		id, _ := e.customer("three")
		e.owner("POST", "/v1/customers/"+id+"/erase", nil).want(200)
		e.carryOut()
		e.owner("POST", "/v1/customers", account("three")).refused(409, "name_taken", "email", "username")
		e.visit("/v1/sign-in", map[string]any{"name": "three", "password": "x"}).refused(401, "invalid_credentials")
	})
	t.Run("C25 domains that stay with the erased account can be pushed", func(t *testing.T) {
		id, _ := e.customer("held")
		heir, _ := e.customer("heir")
		domain, _ := e.domain("left.com", id)
		e.owner("POST", "/v1/customers/"+id+"/erase", map[string]any{"force": true}).want(200)
		e.carryOut()
		to := map[string]any{"to": map[string]any{"customer_id": heir}}
		e.push(domain, to, "Steward-Reason", "about somebody who is gone").refused(409, "subject_erased")
		e.push(domain, to).want(200)
	})
	t.Run("C2 S1-41 names are free with the deletion", func(t *testing.T) {
		decide(map[string]any{"preset": "clientxcms", "policies": map[string]any{"username_mode": "required", "release_identifiers": "on_delete"}})
		id, _ := e.customer("four")
		path := "/v1/customers/" + id
		e.owner("POST", path+"/delete", nil).want(200)
		e.owner("POST", path+"/restore", nil).want(200)
		e.owner("POST", "/v1/customers", account("four")).refused(409, "name_taken", "email", "username")
		e.owner("POST", path+"/delete", nil).want(200)
		e.customer("four")
		e.owner("POST", path+"/restore", nil).refused(409, "name_taken", "email", "username")
		e.owner("POST", path+"/restore", map[string]any{"email": "4@example.com"}).refused(409, "name_taken", "username")
		restored := e.owner("POST", path+"/restore", map[string]any{"email": "4@example.com", "username": "four4"}).want(200)
		if got := e.owner("GET", path, nil).want(200); got.str("email") != "4@example.com" || got.at("status.value") != "active" {
			t.Errorf("restored: %s", got.raw)
		}
		if rows := e.read("/v1/customers?q=four4", restored).list("items"); len(rows) != 1 || rows[0]["email"] != "4@example.com" {
			t.Errorf("the list shows %v", rows)
		}
	})
}

// A process may die before or after any step, and two may work at once: in the end
// everything has happened once.
func TestErasure_EveryStepMayBeTheLast(t *testing.T) {
	t.Parallel()
	e := newErasing(t)
	e.owner("POST", "/v1/stores/"+e.storeID()+"/set-policies", map[string]any{"policies": map[string]any{"erasure_grace_hours": "0"}}).want(200)
	survived := false
	for n := 0; !survived; n++ {
		name := fmt.Sprintf("user%d", n)
		id := e.register(name)
		e.owner("POST", "/v1/customers/"+id+"/erase", nil).want(200)
		e.react()
		config := e.config()
		dying := &mortal{Accounts: config.Accounts, left: n}
		config.Accounts, config.Keys, config.Sessions = dying, mortalKeys{dying, config.Keys}, mortalSessions{dying, config.Sessions}
		for range 2 {
			if err := erasure.New(config).Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			e.now.advance(vault.CacheLifetime)
		}
		survived = dying.left > 0
		second := erasure.New(e.config())
		both := make(chan error)
		for range 2 {
			for _, one := range []*erasure.Erasures{e.erasures, second} {
				go func() { both <- one.Sweep(t.Context()) }()
			}
			if err := errors.Join(<-both, <-both); err != nil {
				t.Fatal(err)
			}
			e.now.advance(vault.CacheLifetime)
		}
		e.react()
		types := e.types(id)
		for _, once := range onceEach {
			if got := count(types, once); got != 1 {
				t.Errorf("died at step %d: %s happened %d times: %v", n, once, got, types)
			}
		}
		e.customer(name)
		if n > 40 {
			t.Fatal("it does not come to an end")
		}
	}
}

// mortal dies before and after each of its steps, all in all after so many.
type mortal struct {
	erasure.Accounts
	left int
}

type mortalKeys struct {
	*mortal
	keys erasure.Keys
}

type mortalSessions struct {
	*mortal
	sessions erasure.Sessions
}

var errDied = errors.New("the process died")

func (m *mortal) dies() bool {
	m.left--
	return m.left < 0
}

func (m *mortal) step(do func() error) error {
	if m.dies() {
		return errDied
	}
	if err := do(); err != nil {
		return err
	}
	if m.dies() {
		return errDied
	}
	return nil
}

func (m *mortal) Erase(ctx context.Context, store, id uuid.UUID) (login uuid.UUID, due bool, err error) {
	err = m.step(func() (err error) { login, due, err = m.Accounts.Erase(ctx, store, id); return err })
	return login, due, err
}

func (m *mortal) EraseLogin(ctx context.Context, store, id, login uuid.UUID) (ended []events.Subject, err error) {
	err = m.step(func() (err error) { ended, err = m.Accounts.EraseLogin(ctx, store, id, login); return err })
	return ended, err
}

func (m *mortal) SettleNames(ctx context.Context, id uuid.UUID) error {
	return m.step(func() error { return m.Accounts.SettleNames(ctx, id) })
}

func (m *mortal) Complete(ctx context.Context, store, id uuid.UUID, destroyed []events.KeyCommitment) error {
	return m.step(func() error { return m.Accounts.Complete(ctx, store, id, destroyed) })
}

func (m mortalKeys) Erase(ctx context.Context, subject events.Subject) (destroyed []events.KeyCommitment, err error) {
	err = m.step(func() (err error) { destroyed, err = m.keys.Erase(ctx, subject); return err })
	return destroyed, err
}

func (m mortalSessions) Forget(ctx context.Context, store, id uuid.UUID) error {
	return m.step(func() error { return m.sessions.Forget(ctx, store, id) })
}
