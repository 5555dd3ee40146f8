package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// newInstances makes a store on n instances of Steward over one log. No
// projector runs anywhere: nothing that these tests see comes from a read model.
func newInstances(t *testing.T, n int) []*harness {
	t.Helper()
	stacks := startInstances(t, n)
	for _, s := range stacks {
		s.serve(t, nil)
	}
	first := stacks[0].newStore(t)
	all := []*harness{first}
	for _, s := range stacks[1:] {
		other := *first
		other.stack = s
		all = append(all, &other)
	}
	return all
}

// The answer to a suspension counts everywhere: the next request to another
// instance refuses what the customer may not do any more, and the next one after a
// reactivation does not.
func TestInstances_I12_SuspendedOnOneIsRefusedOnTheOther(t *testing.T) {
	t.Parallel()
	instances := newInstances(t, 2)
	const customers, rounds = 8, 1_000
	var group sync.WaitGroup
	for c := range customers {
		ours := make([]*harness, len(instances))
		for i, h := range instances {
			own := *h
			ours[i] = &own
		}
		id, _ := ours[0].customer(fmt.Sprintf("customer-%d", c))
		group.Go(func() {
			for round := range rounds / customers {
				one, other := ours[round%2], ours[1-round%2]
				mine := map[string]any{
					"name": fmt.Sprintf("d%d-%d.com", c, round), "customer_id": id,
					"registered_at": "2026-01-01T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z",
				}
				one.owner("POST", "/v1/customers/"+id+"/suspend", nil).want(200)
				other.owner("POST", "/v1/domains", mine).refused(409, "customer_not_eligible")
				if got := other.owner("GET", "/v1/customers/"+id, nil).want(200).at("status.value"); got != "suspended" {
					t.Errorf("round %d: the other instance shows %v", round, got)
				}
				one.owner("POST", "/v1/customers/"+id+"/reactivate", nil).want(200)
				other.owner("POST", "/v1/domains?dry_run=true", mine).want(200)
				if t.Failed() {
					return
				}
			}
		})
	}
	group.Wait()
}

// A team member whom one instance shuts out, and a role that it takes away, are
// gone on the other with the next request.
func TestInstances_K3_RevocationCountsEverywhere(t *testing.T) {
	t.Parallel()
	instances := newInstances(t, 2)
	support := "/v1/staff/" + instances[0].staffID(events.RoleSupport)
	ban := "/v1/customers/" + wireid.Format(wireid.Customer, uuid.New()) + "/ban"
	for round := range 100 {
		one, other := instances[round%2], instances[1-round%2]
		one.owner("POST", support+"/deactivate", nil).want(200)
		other.do(events.RoleSupport, "GET", "/v1/store", nil).want(401)
		one.owner("POST", support+"/reactivate", nil).want(200)
		other.do(events.RoleSupport, "GET", "/v1/store", nil).want(200)
		one.owner("POST", support+"/change-role", map[string]any{"role": "admin"}).want(200)
		other.do(events.RoleSupport, "POST", ban, nil).want(404)
		one.owner("POST", support+"/change-role", map[string]any{"role": "analyst"}).want(200)
		other.do(events.RoleSupport, "POST", ban, nil).want(403)
	}
}

// operation is a command on a customer, or a look at one, and what was answered.
type operation struct {
	customer int
	path     string // empty for a look
	command  customer.Command
	answer   *observed // nil when nobody knows what became of it
}

// observed is what an answer tells of a customer's stream.
type observed struct {
	code     string // of a refusal
	changed  bool
	revision int64
	status   string // of a look
}

// Each customer's history, as clients of two instances see it, is one that a
// single customer in a single place could have had. The reference is the decider
// itself. What the clients are not told, because the link to the log fails in
// between, may have happened or not.
func TestInstances_N11_Linearizable(t *testing.T) {
	t.Parallel()
	instances := newInstances(t, 2)
	customers, clients, perClient := 6, 8, 150
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		perClient = 5_000
	}
	ids := make([]string, customers)
	for i := range ids {
		ids[i], _ = instances[0].customer(fmt.Sprintf("customer-%d", i))
	}
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		group   sync.WaitGroup
	)
	begun := time.Now()
	stop := disturb(t, instances)
	for client := range clients {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 11))
			for range perClient {
				op := anyOperation(random, customers)
				h := instances[random.IntN(len(instances))]
				called := time.Since(begun).Nanoseconds()
				op.answer = perform(h, ids[op.customer], op.path)
				returned := time.Since(begun).Nanoseconds()
				if op.answer == nil {
					if op.path == "" {
						continue
					}
					returned = 1 << 62 // it may yet happen
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: op, Output: op.answer, Call: called, Return: returned})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	stop()
	known, refusals := 0, map[string]int{}
	for _, done := range history {
		if o := done.Output.(*observed); o != nil {
			known++
			refusals[o.code]++
		}
	}
	if known < len(history)/2 || refusals["customer_deleted"] == 0 || refusals["customer_banned"] == 0 {
		t.Fatalf("the history says too little: %d of %d answers known, refusals %v", known, len(history), refusals)
	}
	if got := porcupine.CheckOperationsTimeout(customerModel(t), history, 5*time.Minute); got != porcupine.Ok {
		t.Fatalf("linearizable: %s, of %d operations", got, len(history))
	}
	t.Logf("%d operations are linearizable, %d of unknown outcome, refusals %v", len(history), len(history)-known, refusals)
}

// disturb cuts the links to the log now and then until it is told to stop.
func disturb(t *testing.T, instances []*harness) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		random := rand.New(rand.NewPCG(1, 11))
		for {
			timer := time.NewTimer(time.Duration(30+random.IntN(120)) * time.Millisecond)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
				instances[random.IntN(len(instances))].events.Reset()
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func anyOperation(random *rand.Rand, customers int) operation {
	op := operation{customer: random.IntN(customers)}
	by := events.Reseller(uuid.Nil, uuid.Nil)
	switch random.IntN(9) {
	case 0, 1:
		op.path, op.command = "suspend", customer.Suspend{By: by}
	case 2, 3:
		op.path, op.command = "reactivate", customer.Reactivate{By: by}
	case 4:
		op.path, op.command = "ban", customer.Ban{By: by}
	case 5:
		op.path, op.command = "delete", customer.Delete{By: by, Force: true}
	case 6:
		op.path, op.command = "restore", customer.Restore{By: by}
	}
	return op
}

// perform sends an operation and returns what was answered, nil when that tells
// nothing.
func perform(h *harness, id, path string) *observed {
	method, address := http.MethodGet, "/v1/customers/"+id
	if path != "" {
		method, address = http.MethodPost, address+"/"+path
	}
	var said any
	if path == "delete" { // without force it would ask a read model, and nobody keeps one here
		said = map[string]any{"force": true}
	}
	r, err := h.request(context.Background(), method, address, said, "Authorization", "Bearer "+h.keys[events.RoleOwner])
	if err != nil {
		return nil
	}
	answer, err := h.http.Client().Do(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 500 || answer.Header.Get("X-Data-As-Of") != "" {
		return nil
	}
	var body struct {
		Code     string   `json:"code"`
		EventIDs []string `json:"event_ids"`
		Revision int64    `json:"revision"`
		Status   struct {
			Value string `json:"value"`
		} `json:"status"`
	}
	if answer.StatusCode != http.StatusOK {
		var refusal struct {
			Code string `json:"code"`
		}
		if json.Unmarshal(raw, &refusal) != nil || refusal.Code == "busy" {
			return nil // other writers got in first each time: nothing happened, which tells nothing
		}
		return &observed{code: refusal.Code}
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		panic(fmt.Sprintf("%s: %v: %s", address, err, raw))
	}
	return &observed{changed: len(body.EventIDs) > 0, revision: body.Revision, status: body.Status.Value}
}

// modelState is a customer as the decider has it.
type modelState struct {
	customer customer.State
	revision int64
}

func customerModel(t *testing.T) porcupine.Model {
	t.Helper()
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[int][]porcupine.Operation{}
			for _, op := range history {
				c := op.Input.(operation).customer
				parts[c] = append(parts[c], op)
			}
			var all [][]porcupine.Operation
			for _, part := range parts {
				all = append(all, part)
			}
			return all
		},
		Equal: func(a, b any) bool { return reflect.DeepEqual(a, b) },
		Init: func() any {
			return modelState{customer: customer.Evolve(customer.State{}, events.CustomerCreated{Status: events.StatusActive, CustomerID: uuid.NameSpaceDNS})}
		},
		Step: func(state, input, output any) (bool, any) {
			s, op, seen := state.(modelState), input.(operation), output.(*observed)
			if op.path == "" {
				return seen.status == string(s.customer.Status) && seen.revision == s.revision, s
			}
			decided, err := customer.Decide(s.customer, op.command)
			next := s
			for _, e := range decided {
				next.customer = customer.Evolve(next.customer, e)
				next.revision++
			}
			switch f, refused := fault.As(err); {
			case seen == nil:
				return true, next
			case refused:
				return seen.code == f.Code, s
			case err != nil:
				panic(errors.Join(errors.New("the model cannot decide"), err))
			default:
				return seen.code == "" && seen.changed == (len(decided) > 0) && seen.revision == next.revision, next
			}
		},
		DescribeOperation: func(input, output any) string {
			return strings.TrimSpace(fmt.Sprintf("%s -> %+v", input.(operation).path, output))
		},
	}
}
