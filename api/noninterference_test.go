package api_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/events"
)

// workload drives a store through what a seed says, and writes down all that it
// sees of it.
type workload struct {
	*harness
	rand       *rand.Rand
	address    string // of the callers
	customers  []string
	domains    []string
	last       *reply // the last command that changed something
	marks      int
	transcript []string
	names      map[string]string
}

func newWorkload(h *harness, seed uint64, address string) *workload {
	h.t.Helper()
	w := &workload{harness: h, rand: rand.New(rand.NewPCG(seed, 2)), address: address, names: make(map[string]string)}
	w.mark()
	return w
}

// mark changes something, so that pages can be waited for that show all before it:
// a sign-in that is refused says no position.
func (w *workload) mark() {
	w.t.Helper()
	w.marks++
	name := map[string]any{"name": fmt.Sprintf("Names %d", w.marks)}
	w.last = w.ask(events.RoleOwner, "POST", "/v1/stores/"+w.storeID()+"/rename", name).want(200)
}

// ask sends a request and notes the answer.
func (w *workload) ask(role events.Role, method, path string, body any, headers ...string) *reply {
	w.t.Helper()
	r := w.do(role, method, path, body, append([]string{"X-Forwarded-For", w.address}, headers...)...)
	w.note(method, path, r)
	return r
}

// visitor sends a request without a credential and notes the answer.
func (w *workload) visitor(path string, body map[string]any) *reply {
	w.t.Helper()
	r := w.visit(path, body, "X-Forwarded-For", w.address)
	w.note("POST", path, r)
	return r
}

func (w *workload) note(method, path string, r *reply) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n%d\n", method, path, r.status)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		if name != "Date" && name != "Content-Length" { // of opaque tokens, which differ in length
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.header[name], ", "))
		}
	}
	b.Write(r.raw)
	w.transcript = append(w.transcript, w.normalised(b.String()))
}

// What differs between two runs of one workload: ids, moments and opaque tokens.
// Each is called by when it was first seen, so that it stays visible which are the
// same.
var differing = regexp.MustCompile(strings.Join([]string{
	`\b(?:cus|dom|evt|sto|stf|key|log|cmd|ses)_[0-9a-hjkmnp-tv-z]{26}\b`,
	`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`,
	`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,
	`\bstw_[a-z]+_[0-9A-Za-z_-]+`,
	`shop-[0-9a-f-]{36}`,
	`\b(?:[0-9a-f]{24,32})\b`,
	`[0-9A-Za-z_-]{40,}`,
}, "|"))

func (w *workload) normalised(text string) string {
	return differing.ReplaceAllStringFunc(text, func(found string) string {
		kind := "token"
		switch {
		case strings.HasSuffix(found, "Z") && found[4] == '-':
			return "<time>" // two moments may be the same in one run and not in the other
		case len(found) == 30 && found[3] == '_':
			kind = found[:3]
		}
		if kind == "token" {
			return "<token>" // sealed anew in every answer
		}
		if w.names[found] == "" {
			w.names[found] = fmt.Sprintf("<%s %d>", kind, len(w.names))
		}
		return w.names[found]
	})
}

func pick(r *rand.Rand, all []string) string { return all[r.IntN(len(all))] }

// pages asks for a page, and for those that follow, of what is as new as the last
// command.
func (w *workload) pages(path string) {
	w.t.Helper()
	next := path
	for range 3 {
		r := w.ask(events.RoleOwner, "GET", next, nil, "Steward-Min-Position", w.last.str("position"))
		cursor := r.str("next_cursor")
		if r.status != 200 || cursor == "" {
			return
		}
		next = path + "&cursor=" + cursor
	}
}

// step does one thing that the seed says.
func (w *workload) step() {
	w.t.Helper()
	customer, domain := "", ""
	if len(w.customers) > 0 {
		customer = "/v1/customers/" + pick(w.rand, w.customers)
	}
	if len(w.domains) > 0 {
		domain = "/v1/domains/" + pick(w.rand, w.domains)
	}
	command := func(path string, body any) {
		w.t.Helper()
		if strings.HasPrefix(path, "/v1/customers//") || strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/v1") {
			return // there is none yet
		}
		if r := w.ask(events.RoleAdmin, "POST", path, body); len(r.texts("event_ids")) > 0 {
			w.last = r // one that found things so says an earlier position
		}
	}
	switch at := w.rand.IntN(14); at {
	case 0, 1, 2:
		// Few names, so that some are taken: by this store, never by another.
		name := fmt.Sprintf("person%d", w.rand.IntN(12))
		r := w.ask(events.RoleOwner, "POST", "/v1/customers", map[string]any{
			"email": name + "@example.com", "username": name, "profile": map[string]any{"first_name": name, "city": "Paris"},
		})
		if r.status == 201 {
			w.customers, w.last = append(w.customers, r.str("id")), r
		}
	case 3, 4:
		if customer == "" {
			return
		}
		r := w.ask(events.RoleOwner, "POST", "/v1/domains", map[string]any{
			"name": fmt.Sprintf("name%d.com", w.rand.IntN(12)), "customer_id": strings.TrimPrefix(customer, "/v1/customers/"),
			"registered_at": "2024-05-01", "expires_at": "2027-05-01", "nameservers": []string{"ns1.example.net", "ns2.example.net"},
		})
		if r.status == 201 {
			w.domains, w.last = append(w.domains, r.str("id")), r
		}
	case 5:
		command(customer+"/suspend", map[string]any{"reason_code": "abuse", "hold_services": w.rand.IntN(2) == 0})
	case 6:
		command(customer+"/reactivate", nil)
	case 7:
		command(domain+"/set-lock", map[string]any{"value": w.rand.IntN(2) == 0})
	case 8:
		command(domain+"/set-auto-renew", map[string]any{"value": w.rand.IntN(2) == 0})
	case 9:
		w.pages("/v1/customers?limit=3&order=username&q=" + pick(w.rand, []string{"person", "pe", "person1", "nobody"}))
	case 10:
		w.pages("/v1/domains?limit=2&q=" + pick(w.rand, []string{"", "name", "name1", "n"}))
	case 11:
		w.pages("/v1/log?limit=5")
		w.pages("/v1/events?limit=4")
	case 12:
		w.visitor("/v1/sign-in", map[string]any{"name": fmt.Sprintf("person%d", w.rand.IntN(3)), "password": "not the right one"})
		w.mark()
	case 13:
		if domain != "" {
			w.ask(events.RoleSupport, "GET", domain, nil)
			w.ask(events.RoleSupport, "GET", customer, nil)
		}
	}
}

func (w *workload) run(steps int) *workload {
	w.t.Helper()
	for range steps {
		w.step()
	}
	w.pages("/v1/log?limit=100")
	w.pages("/v1/customers?limit=100&order=created")
	return w
}

// TestNoninterference_N2: what a store sees of itself is the same, be another
// store busy or not there at all.
func TestNoninterference_N2_AStoreSeesNothingOfABusyOne(t *testing.T) {
	t.Parallel()
	seeds, steps := 4, 60
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		seeds = 500
	}
	quiet, busy := startStack(t), startStack(t)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for i := range 2 {
		other := newWorkload(busy.newStore(t), uint64(1000+i), fmt.Sprintf("198.51.100.%d", i+1))
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					other.step()
				}
			}
		})
	}
	defer others.Wait()
	defer close(stop)
	for seed := range seeds {
		alone := newWorkload(quiet.newStore(t), uint64(seed), "203.0.113.7").run(steps)
		beside := newWorkload(busy.newStore(t), uint64(seed), "203.0.113.7").run(steps)
		if len(alone.transcript) < steps/2 {
			t.Fatalf("seed %d: only %d answers", seed, len(alone.transcript))
		}
		if diff := cmp.Diff(alone.transcript, beside.transcript); diff != "" {
			t.Fatalf("seed %d: beside a busy store it sees (-alone +beside):\n%s", seed, diff)
		}
	}
	if n := len(must(busy.engine.Log.ReadAll(context.Background(), events.Position{}, 1000))); n < 100 {
		t.Errorf("the other stores were not busy: %d events in all", n)
	}
}
