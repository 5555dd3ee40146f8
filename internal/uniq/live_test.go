package uniq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/uniq"
)

// crash is what a crashing worker panics with.
type crash struct{ point string }

// node is one process: a registry that crashes now and then.
type node struct {
	names *uniq.Registry
	mu    sync.Mutex
	rand  *rand.Rand
	odds  float64
}

func (w *world) nodes(n int, odds float64, hit *sync.Map) []*node {
	nodes := make([]*node, n)
	for i := range nodes {
		d := &node{rand: rand.New(rand.NewPCG(uint64(i), 7)), odds: odds}
		d.names = w.registry(func(c *uniq.Config) {
			c.Crash = func(point string) {
				if d.lucky(d.odds) {
					hit.Store(point, true)
					panic(crash{point})
				}
			}
		})
		nodes[i] = d
	}
	return nodes
}

func (d *node) lucky(odds float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Float64() < odds
}

// survive runs fn and reports whether it crashed.
func survive(fn func() error) (err error, crashed bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(crash); !ok {
				panic(p)
			}
			crashed = true
		}
	}()
	return fn(), false
}

// run brings a command to its end over any number of crashes, each time on
// another node. It reports whether the command was acknowledged.
func (c *customer) run(ctx context.Context, nodes []*node, pick *rand.Rand, event func() events.Event) (bool, error) {
	command, abandons := uuid.New(), pick.IntN(12) == 0
	for range 60 {
		d := nodes[pick.IntN(len(nodes))]
		applied := false
		err, crashed := survive(func() error {
			records, err := c.log.ReadStream(ctx, c.stream(), 0)
			if err != nil {
				return err
			}
			claim := events.Claim{Stream: c.stream(), ExpectedRevision: int64(len(records)) - 1}
			for _, r := range records {
				applied = applied || r.ID == events.NewID(command, "", c.stream(), 0)
			}
			e := event()
			if _, creates := e.(events.CustomerCreated); applied || creates && len(records) > 0 {
				return nil // applied, or sealed for ever
			}
			taken, _ := uniq.Names(e)
			if err := d.names.Reserve(ctx, c.metadata(command), claim, taken); err != nil {
				return err
			}
			if d.lucky(d.odds) {
				panic(crash{"use"})
			}
			if abandons {
				return d.names.Abandon(ctx, c.metadata(command), claim, taken)
			}
			env, err := c.append(ctx, command, claim, e)
			if err != nil {
				return err
			}
			applied = true
			return d.names.Settle(ctx, env)
		})
		switch {
		case crashed, errors.Is(err, eventstore.ErrWrongRevision), errors.Is(err, uniq.ErrClaimStale):
			continue
		case errors.Is(err, uniq.ErrNameReserved):
			c.pass(time.Duration(pick.IntN(11)) * time.Second)
			continue
		case errors.Is(err, uniq.ErrNameTaken), errors.Is(err, uniq.ErrContended):
			return false, nil
		default:
			return applied, err
		}
	}
	return false, nil
}

// TestUniqLive has many clients on several nodes that crash anywhere register
// and change to few addresses, while time jumps.
func TestUniqLive(t *testing.T) {
	t.Parallel()
	clients, rounds, addresses := 24, 14, 6
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		clients, rounds, addresses = 64, 100, 40
	}
	w := newWorld(t)
	var hit sync.Map
	nodes := w.nodes(8, 0.04, &hit)
	address := func(i int) string { return fmt.Sprintf("user%d@example.com", i) }

	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			pick := rand.New(rand.NewPCG(uint64(i), 1))
			var c *customer
			for round := range rounds {
				to := address(pick.IntN(addresses))
				if c != nil && pick.IntN(2) == 0 {
					to = fmt.Sprintf("%d.%d@example.com", i, round) // lets the other go
				}
				if c == nil || pick.IntN(8) == 0 {
					c = w.newCustomer()
				}
				event := func() events.Event { return c.created(to) }
				if before := c.email; before == to {
					continue
				} else if before != "" {
					event = func() events.Event { return c.changed(before, to) }
				}
				done, err := c.run(t.Context(), nodes, pick, event)
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				if done {
					c.email = to
				} else if c.email == "" {
					c = nil
				}
			}
		})
	}
	all.Wait()

	for _, point := range uniq.Points() {
		if _, ok := hit.Load(point); !ok {
			t.Logf("no crash at %s", point)
		}
	}
	names := w.registry()
	users := w.audit(t, names)
	w.pass(time.Minute)
	for i := range addresses {
		name := emailName(address(i))
		holder, ok, err := names.Holder(t.Context(), w.store, name)
		if err != nil || holder != users[name.Key] || ok != (holder != "") {
			t.Errorf("%s: the holder is %q, %v, the log says %q", name.Key, holder, err, users[name.Key])
		}
		newcomer := w.newCustomer()
		_, err = newcomer.do(t.Context(), names, uuid.New(), newcomer.created(name.Key))
		if ok && !errors.Is(err, uniq.ErrNameTaken) || !ok && err != nil {
			t.Errorf("%s, in use %v: a newcomer gets %v", name.Key, ok, err)
		}
	}
	w.audit(t, names)
}

// audit reads the whole log and checks, after every event, that nobody uses a
// name that another uses, or that is not reserved for or confirmed to them. It
// returns the user of every name at the end.
func (w *world) audit(t *testing.T, names *uniq.Registry) map[string]string {
	t.Helper()
	records, err := w.log.ReadAll(t.Context(), events.Position{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var envs []events.Envelope
	for _, r := range records {
		if events.IsSystem(r.Type) {
			continue
		}
		env, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		env.Metadata.Reason = events.Personal{}
		envs = append(envs, env)
	}
	if envs, err = w.sealer.Open(t.Context(), envs); err != nil {
		t.Fatal(err)
	}
	users, owners := make(map[string]string), make(map[string]string)
	used := 0
	for _, env := range envs {
		switch e := env.Event.(type) {
		case events.UniqReserved:
			owners[env.Stream] = e.Claim.Stream
		case events.UniqReleased:
			delete(owners, env.Stream)
		}
		taken, given := uniq.Names(env.Event)
		for _, n := range given {
			delete(users, n.Key)
		}
		for _, n := range taken {
			if other := users[n.Key]; other != "" {
				t.Errorf("%s@%d takes a name that %s uses", env.Stream, env.Revision, other)
			}
			users[n.Key] = env.Stream
			used++
		}
		for key, user := range users {
			if owner := owners[uniq.StreamOf(names, w.store, emailName(key))]; owner != user {
				t.Fatalf("after %s@%d: %s uses a name that is reserved for %q", env.Stream, env.Revision, user, owner)
			}
		}
	}
	t.Logf("%d events, %d names taken, %d in use", len(envs), used, len(users))
	return users
}

// TestOneWinner has many clients claim one address at once.
func TestOneWinner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes := make([]*uniq.Registry, 8)
	for i := range nodes {
		nodes[i] = w.registry()
	}
	for round := range 4 {
		address := fmt.Sprintf("wanted%d@example.com", round)
		var winners, losers atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 64 {
			all.Go(func() {
				<-start
				c := w.newCustomer()
				for {
					_, err := c.do(t.Context(), nodes[i%len(nodes)], uuid.New(), c.created(address))
					switch {
					case err == nil:
						winners.Add(1)
						return
					case errors.Is(err, uniq.ErrNameTaken):
						losers.Add(1)
						return
					case !errors.Is(err, uniq.ErrNameReserved):
						t.Error(err)
						return
					}
				}
			})
		}
		close(start)
		all.Wait()
		if winners.Load() != 1 || losers.Load() != 63 {
			t.Fatalf("%d winners, %d losers", winners.Load(), losers.Load())
		}
	}
	w.audit(t, nodes[0])
}
