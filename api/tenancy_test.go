package api_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	mails "github.com/stewardhq/steward/commands/mail"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/wireid"
)

// host is the host name of the store.
func (h *harness) host() string {
	h.t.Helper()
	return h.owner("GET", "/v1/store", nil).want(200).texts("hosts")[0]
}

func TestTenancy_S0_76_TheHostChoosesTheStore(t *testing.T) {
	t.Parallel()
	a, b := newHarness(t), newHarness(t)
	ada := a.register("ada")
	b.register("ada")
	atA, atB := a.host(), b.host()
	signIn := func(host, name string) *reply {
		return a.send("POST", "/v1/sign-in", map[string]any{"name": name, "password": goodPassword}, "Host", host)
	}
	if got := signIn(atA, "ada").want(200).str("customer_id"); got != ada {
		t.Errorf("the host of store A signs in %s, not %s", got, ada)
	}
	session := signIn(strings.ToUpper(atB)+":8443", "ada").want(200)
	if session.str("customer_id") == ada {
		t.Error("the host of store B signs in a customer of store A")
	}
	signIn("nobody.example.net", "ada").refused(404, "store_not_found")

	for _, path := range []string{"/v1/customers/me", "/v1/customers/me/domains", "/v1/customers/me/log", "/v1/customers/me/sessions"} {
		foreign := b.as(session, "GET", path, nil, "Host", atA, "X-Request-Id", "5a3e5a3e").refused(401, "unauthorized")
		nobody := b.send("GET", path, nil, "Authorization", "Bearer nobody", "Host", atA, "X-Request-Id", "5a3e5a3e").refused(401, "unauthorized")
		if string(foreign.raw) != string(nobody.raw) {
			t.Errorf("%s: a customer of another store gets %s, nobody %s", path, foreign.raw, nobody.raw)
		}
		b.as(session, "GET", path, nil, "Host", atB).want(200)
		b.as(session, "GET", path, nil, "Host", "api.example.net").want(200)
	}
	b.as(session, "POST", "/v1/sign-out", nil, "Host", atA).refused(401, "unauthorized")
	b.send("GET", "/v1/customers/me", nil, "Cookie", "__Host-steward_session="+session.str("token"), "Host", atA).refused(401, "unauthorized")

	moved := a.owner("POST", "/v1/stores/"+a.storeID()+"/change-hosts", map[string]any{"hosts": []string{"moved-" + atA}})
	moved.want(200)
	b.as(session, "GET", "/v1/customers/me", nil, "Host", "moved-"+atA).refused(401, "unauthorized")
	b.as(session, "POST", "/v1/sign-out", nil, "Host", atB).want(200)
}

func TestTenancy_S0_01_ListsShowAllOfTheOwnStoreAndNothingElse(t *testing.T) {
	t.Parallel()
	a, b := newHarness(t), newHarness(t)
	want := make(map[*harness]map[string][]any)
	last := make(map[*harness]*reply)
	for _, h := range []*harness{a, b} {
		customers, domains := []any{}, []any{}
		for i := range 3 {
			customer, _ := h.customer(fmt.Sprintf("person%d", i)) // the same in both
			domain, created := h.domain(fmt.Sprintf("name%d.com", i), customer)
			customers, domains, last[h] = append(customers, customer), append(domains, domain), created
		}
		want[h] = map[string][]any{"/v1/customers": customers, "/v1/domains": domains, "/v1/stores": {h.storeID()}}
	}
	for h, lists := range want {
		for path, ids := range lists {
			for _, query := range []string{"", "?limit=100"} {
				if path == "/v1/stores" && query != "" {
					continue
				}
				got := h.read(path+query, last[h]).column("id")
				sort := cmpopts.SortSlices(func(x, y any) bool { return fmt.Sprint(x) < fmt.Sprint(y) })
				if diff := cmp.Diff(ids, got, sort); diff != "" {
					t.Errorf("%s%s (-want +got):\n%s", path, query, diff)
				}
			}
		}
	}
}

// neighbour is another store with something of every kind, in all of whose texts
// stands a word that no answer to anybody else may hold.
type neighbour struct {
	*harness
	word string
	ids  map[wireid.Kind][]string
}

func (s *stack) newNeighbour(t *testing.T) neighbour {
	t.Helper()
	n := neighbour{harness: s.newStore(t), word: "canary" + strings.ReplaceAll(uuid.NewString()[:8], "-", "")}
	ada := n.register(n.word)
	session := n.signIn(n.word)
	domain, _ := n.domain(n.word+".com", ada)
	n.owner("PATCH", "/v1/customers/"+ada, map[string]any{"profile": map[string]any{"first_name": n.word, "city": n.word}}, "If-Match", n.etag("/v1/customers/"+ada)).want(200)
	n.owner("POST", "/v1/stores/"+n.storeID()+"/rename", map[string]any{"name": n.word}).want(200)
	key := n.owner("POST", "/v1/api-keys", map[string]any{"label": n.word}).want(201)
	n.read("/v1/log", key)
	n.ids = map[wireid.Kind][]string{
		wireid.Customer: {ada}, wireid.Domain: {domain}, wireid.Store: {n.storeID()}, wireid.APIKey: {key.str("id")}, wireid.Mail: {n.mailed(ada)},
		wireid.Session: {session.str("session_id")}, wireid.Impersonation: {n.grant(events.RoleSupport, ada).str("id")},
	}
	for _, role := range events.Roles {
		n.ids[wireid.Staff] = append(n.ids[wireid.Staff], n.staffID(role))
	}
	return n
}

func (h *harness) etag(path string) string {
	h.t.Helper()
	return h.owner("GET", path, nil).want(200).header.Get("ETag")
}

// credential is somebody who asks.
type credential struct{ name, bearer string }

// credentials are those of a store: every role of the team, and a customer.
func (h *harness) credentials() []credential {
	h.t.Helper()
	h.register("cleo")
	all := []credential{{"customer", h.signIn("cleo").str("token")}}
	for _, role := range events.Roles {
		all = append(all, credential{string(role), h.keys[role]})
	}
	return all
}

// probe asks a route about an id and returns all that the answer shows.
func (h *harness) probe(who credential, method, path, id string, body any) string {
	h.t.Helper()
	r := h.send(method, strings.ReplaceAll(path, "{id}", id), body,
		"Authorization", "Bearer "+who.bearer, "If-Match", `"r0"`, "X-Request-Id", "5a3e5a3e")
	if r.status < 400 || r.status >= 500 {
		h.t.Errorf("%s %s of %s as %s: %d %s", method, path, id, who.name, r.status, r.raw)
	}
	r.header.Del("Date")
	return fmt.Sprint(r.status, r.header, string(r.raw))
}

// mailed is a mail to a customer.
func (h *harness) mailed(customer string) string {
	h.t.Helper()
	id, account := uuid.New(), must(wireid.Parse(wireid.Customer, customer))
	_, err := mails.Decider.Handle(h.t.Context(), h.engine, events.MailStream(id), mails.Create{
		MailID: id, CustomerID: account, LoginID: uuid.NewSHA1(account, []byte("login")), Template: "message", To: "ada@example.com",
	}, decider.Request{StoreID: h.store, Actor: events.System("mails"), Source: events.SourceReaction, CommandID: uuid.New(), At: h.now.now()})
	if err != nil {
		h.t.Fatal(err)
	}
	return wireid.Format(wireid.Mail, id)
}

// TestTenancy_N1 asks every route as everybody about every foreign id, and about
// ids that nobody has: nothing tells the two apart.
func TestTenancy_N1_S0_81_S0_83_S0_84_EveryRouteEveryCredentialEveryForeignID(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), sharedStack().newNeighbour(t)
	stranger := h.register("stranger") // to a customer, foreign as well
	strange, _ := h.domain("stranger.com", stranger)
	asking := h.credentials()
	before, otherBefore := len(h.facts()), len(other.facts())
	probes := 0
	for _, line := range h.server.Table() {
		if !strings.Contains(line.Path, "{id}") {
			continue
		}
		kind := idKindOf(line.Path)
		if kind == "" || len(other.ids[kind]) == 0 {
			t.Errorf("%s %s takes ids of a kind that is not asked about here", line.Method, line.Path)
		}
		for _, who := range asking {
			nobody := h.probe(who, line.Method, line.Path, unknown(kind), bodyFor(line.Path))
			if who.name == "customer" && !strings.HasPrefix(nobody, "404") && !strings.HasPrefix(nobody, "403") {
				t.Errorf("%s %s answers a customer %s", line.Method, line.Path, nobody)
			}
			foreign := other.ids[kind]
			if who.name == "customer" {
				foreign = append(map[wireid.Kind][]string{wireid.Customer: {stranger}, wireid.Domain: {strange}}[kind], foreign...)
			}
			for _, id := range foreign {
				probes++
				if diff := cmp.Diff(nobody, h.probe(who, line.Method, line.Path, id, bodyFor(line.Path))); diff != "" {
					t.Errorf("%s %s as %s: %s", line.Method, line.Path, who.name, diff)
				}
			}
		}
	}
	if probes < 300 || len(h.facts()) != before || len(other.facts()) != otherBefore {
		t.Errorf("%d probes, %d and %d events", probes, len(h.facts())-before, len(other.facts())-otherBefore)
	}
}

func TestTenancy_N1_ForeignIDsInBodiesAndQueries(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), sharedStack().newNeighbour(t)
	own, _ := h.customer("own")
	domain, _ := h.domain("own.com", own)
	owner := credential{"owner", h.keys[events.RoleOwner]}
	for _, c := range []struct {
		name, method, path string
		kind               wireid.Kind
		body               func(id string) any
	}{
		{"owner of a new domain", "POST", "/v1/domains", wireid.Customer, func(id string) any {
			return map[string]any{"name": "x.com", "customer_id": id, "registered_at": "2024-01-01", "expires_at": "2027-01-01"}
		}},
		{"receiver of a push", "POST", "/v1/domains/" + domain + "/push-preview", wireid.Customer, func(id string) any {
			return map[string]any{"to": map[string]any{"customer_id": id}}
		}},
		{"holder of a key", "POST", "/v1/api-keys", wireid.Staff, func(id string) any { return map[string]any{"staff_id": id} }},
	} {
		for _, id := range other.ids[c.kind] {
			nobody := h.probe(owner, c.method, c.path, "", c.body(unknown(c.kind)))
			if diff := cmp.Diff(nobody, h.probe(owner, c.method, c.path, "", c.body(id))); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
		}
	}
	for _, path := range []string{"/v1/domains?customer=" + other.ids[wireid.Customer][0], "/v1/log?staff=" + other.ids[wireid.Staff][0], "/v1/customers?q=" + other.word, "/v1/domains?q=" + other.word} {
		r := h.owner("GET", path, nil)
		if r.status == 200 && len(r.list("items")) != 0 || strings.Contains(string(r.raw), other.word) {
			t.Errorf("%s: %s", path, r.raw)
		}
	}
	t.Run("N2 a cursor works in its own store only", func(t *testing.T) {
		other.customer("second")
		_, last := other.customer("third")
		page := "/v1/customers?limit=1&cursor=" + other.read("/v1/customers?limit=1", last).str("next_cursor")
		other.owner("GET", page, nil).want(200)
		h.owner("GET", page, nil).refused(400, "bad_cursor")
	})
}

// TestTenancy_N1_Probes throws requests at random: nobody ever sees a word of a
// store that is not theirs.
func TestTenancy_N1_ProbesFindNothing(t *testing.T) {
	t.Parallel()
	n := 500
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		n = 100_000
	}
	h, other := newHarness(t), sharedStack().newNeighbour(t)
	asking := h.credentials()
	var ids []string
	for _, of := range other.ids {
		ids = append(ids, of...)
	}
	table := h.server.Table()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	queries := []string{"", "?limit=500", "?dry_run=true", "?customer={id}", "?staff={id}", "?order=created", "?cursor={id}", "?customer=" + strings.Repeat("{id}", 2)}
	for range n {
		line, id, who := table[r.IntN(len(table))], ids[r.IntN(len(ids))], asking[r.IntN(len(asking))]
		if line.Permission == "public" || line.Path == "/v1/sign-out" {
			continue
		}
		headers := []string{"Authorization", "Bearer " + who.bearer, "If-Match", `"r0"`}
		if r.IntN(4) == 0 {
			headers = append(headers, "Steward-Store", other.storeID())
		}
		path := strings.ReplaceAll(line.Path+queries[r.IntN(len(queries))], "{id}", id)
		if line.Method != "GET" && !strings.Contains(line.Path, "{id}") {
			continue // it would change the own store, and is about no id
		}
		answer := h.send(line.Method, path, bodyFor(line.Path), headers...)
		if strings.Contains(string(answer.raw), other.word) || strings.Contains(fmt.Sprint(answer.header), other.word) || answer.status >= 500 {
			t.Fatalf("seed %d: %s %s as %s: %d %s", seed, line.Method, path, who.name, answer.status, answer.raw)
		}
	}
}
