package uniq_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/uniq"
)

const (
	res = events.TypeUniqReserved
	con = events.TypeUniqConfirmed
	rel = events.TypeUniqReleased
)

// life is what one test of a registry works with.
type life struct {
	*testing.T
	*world
	names *uniq.Registry
	email string
}

// wantHistory compares the reservation stream of the email.
func (l life) wantHistory(want ...string) {
	l.Helper()
	if got := l.history(l.T, uniq.StreamOf(l.names, l.store, emailName(l.email))); !slices.Equal(got, want) {
		l.Fatalf("the reservation holds %q, want %q", got, want)
	}
}

func (l life) wantHolder(c *customer) {
	l.Helper()
	got, ok, err := l.names.Holder(l.Context(), l.store, emailName(l.email))
	if err != nil {
		l.Fatal(err)
	}
	if want := ""; c == nil && got != want || c != nil && got != c.stream() || ok != (c != nil) {
		l.Fatalf("the holder is %q, %v", got, ok)
	}
}

func (l life) settle(env events.Envelope) {
	l.Helper()
	if err := l.names.Settle(l.Context(), env); err != nil {
		l.Fatal(err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]func(l life){
		"reserves, then confirms": func(l life) {
			c := l.newCustomer()
			env := c.must(l.T, l.names, c.created(l.email))
			l.wantHistory(res)
			l.wantHolder(c) // at once, whatever the reaction does
			l.settle(env)
			l.settle(env)
			l.wantHistory(res, con)
			l.wantHolder(c)
		},
		"refuses a name in use": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			env := c.must(l.T, l.names, c.created(l.email))
			wantFields(l.T, errOf(other.do(l.Context(), l.names, uuid.New(), other.created(l.email))), uniq.ErrNameTaken, "email")
			l.settle(env)
			wantFields(l.T, errOf(other.do(l.Context(), l.names, uuid.New(), other.created(l.email))), uniq.ErrNameTaken, "email")
			l.wantHistory(res, con)
			if got := l.history(l.T, other.stream()); len(got) != 0 {
				l.Fatalf("the refused customer's stream holds %q", got)
			}
		},
		"lets others wait for a live claim, then seals it": func(l life) {
			slow, next := l.newCustomer(), l.newCustomer()
			claim := events.Claim{Stream: slow.stream(), ExpectedRevision: -1}
			if err := l.names.Reserve(l.Context(), slow.metadata(uuid.New()), claim, []uniq.Name{emailName(l.email)}); err != nil {
				l.Fatal(err)
			}
			err := errOf(next.do(l.Context(), l.names, uuid.New(), next.created(l.email)))
			wantFields(l.T, err, uniq.ErrNameReserved, "email")
			if f, _ := fault.As(err); f.RetryAfter < time.Second || f.RetryAfter > 10*time.Second {
				l.Fatalf("retry after %v", f.RetryAfter)
			}
			later := l.registry(func(c *uniq.Config) { c.Now = func() time.Time { return l.now().Add(11 * time.Second) } })
			next.must(l.T, later, next.created(l.email))
			l.wantHistory(res, res)
			l.wantHolder(next)
			if got := l.history(l.T, slow.stream()); !slices.Equal(got, []string{events.TypeUniqClaimAborted}) {
				l.Fatalf("the slow claimant's stream holds %q", got)
			}
			if _, err := slow.append(l.Context(), uuid.New(), claim, slow.created(l.email)); err == nil {
				l.Fatal("the slow claimant could still write")
			}
		},
		"confirms for a claimant that went away": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			c.must(l.T, l.names, c.created(l.email))
			later := l.registry(func(c *uniq.Config) { c.Now = func() time.Time { return l.now().Add(11 * time.Second) } })
			wantFields(l.T, errOf(other.do(l.Context(), later, uuid.New(), other.created(l.email))), uniq.ErrNameTaken, "email")
			l.wantHistory(res, con)
		},
		"adopts what the same command reserved on another node": func(l life) {
			c := l.newCustomer()
			claim := events.Claim{Stream: c.stream(), ExpectedRevision: -1}
			for range 2 {
				if err := l.registry().Reserve(l.Context(), c.metadata(uuid.New()), claim, []uniq.Name{emailName(l.email)}); err != nil {
					l.Fatal(err)
				}
			}
			l.wantHistory(res)
		},
		"S4-36 releases what an erased customer had, also once nobody can read it": func(l life) {
			c, other, third := l.newCustomer(), l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created("0"+l.email)))
			l.settle(c.must(l.T, l.names, c.changed("0"+l.email, l.email)))
			erased := c.must(l.T, l.names, c.erased(true))
			l.wantHolder(nil)
			l.settle(erased)
			l.wantHistory(res, con, rel)
			other.must(l.T, l.names, other.created(l.email))
			l.wantHolder(other)
			c.destroy(l.T)
			l.settle(erased)
			l.wantHolder(other)
			l.settle(other.must(l.T, l.names, other.erased(true)))
			other.destroy(l.T)
			third.must(l.T, l.names, third.created(l.email))
			l.wantHolder(third)
		},
		"S4-37 lets somebody who was erased in one store come to another of the same platform": func(l life) {
			platform := l.registry(func(c *uniq.Config) { c.Scope = events.ScopePlatform })
			elsewhere := &world{log: l.log, vault: l.vault, sealer: l.sealer, store: uuid.New()}
			c, other := l.newCustomer(), elsewhere.newCustomer()
			if err := platform.Settle(l.Context(), c.must(l.T, platform, c.created(l.email))); err != nil {
				l.Fatal(err)
			}
			wantFields(l.T, errOf(other.do(l.Context(), platform, uuid.New(), other.created(l.email))), uniq.ErrNameTaken, "email")
			if err := platform.Settle(l.Context(), c.must(l.T, platform, c.erased(true))); err != nil {
				l.Fatal(err)
			}
			c.destroy(l.T)
			other.must(l.T, platform, other.created(l.email))
		},
		"gives the name of somebody whose keys went first to whoever wants it": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			c.must(l.T, l.names, c.erased(true))
			c.destroy(l.T)
			other.must(l.T, l.names, other.created(l.email))
			l.wantHolder(other)
		},
		"C2 keeps what an erased customer had, and not what they had before": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			before := "0" + l.email
			l.settle(c.must(l.T, l.names, c.created(before)))
			c.must(l.T, l.names, c.changed(before, l.email)) // not settled
			erased := c.must(l.T, l.names, c.erased(false))
			l.settle(erased)
			c.destroy(l.T)
			l.settle(erased)
			l.wantHistory(res, con)
			l.wantHolder(c)
			wantFields(l.T, errOf(other.do(l.Context(), l.names, uuid.New(), other.created(l.email))), uniq.ErrNameTaken, "email")
			other.must(l.T, l.names, other.created(before))
		},
		"C2 releases the names of a deleted customer, and takes them again": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			l.settle(c.must(l.T, l.names, events.CustomerNamesReleased{CustomerID: c.id, LoginID: c.login, Email: events.Clear(l.email)}))
			l.wantHolder(nil)
			claimed := events.CustomerNamesClaimed{CustomerID: c.id, LoginID: c.login, Email: events.Clear(l.email)}
			l.settle(c.must(l.T, l.names, claimed))
			l.wantHistory(res, con, rel, res, con)
			l.wantHolder(c)
			c.must(l.T, l.names, events.CustomerNamesReleased{CustomerID: c.id, LoginID: c.login, Email: events.Clear(l.email)})
			other.must(l.T, l.names, other.created(l.email))
			wantFields(l.T, errOf(c.do(l.Context(), l.names, uuid.New(), claimed)), uniq.ErrNameTaken, "email")
		},
		"releases what was given up": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			env := c.must(l.T, l.names, c.changed(l.email, "2"+l.email))
			l.wantHolder(nil)
			l.settle(env)
			l.settle(env)
			l.wantHistory(res, con, rel)
			other.must(l.T, l.names, other.created(l.email))
			l.wantHolder(other)
		},
		"gives a name that was given up away before it is released": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			env := c.must(l.T, l.names, c.changed(l.email, "2"+l.email))
			other.must(l.T, l.names, other.created(l.email))
			l.settle(env)
			l.wantHistory(res, con, res)
			l.wantHolder(other)
		},
		"does not release a name that was taken back meanwhile": func(l life) {
			c := l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			away := c.must(l.T, l.names, c.changed(l.email, "2"+l.email))
			back := false
			slow := l.registry(func(cfg *uniq.Config) {
				cfg.Crash = func(point string) {
					if point == "settle.release" && !back {
						back = true
						c.must(l.T, l.names, c.changed("2"+l.email, l.email))
					}
				}
			})
			if err := slow.Settle(l.Context(), away); err != nil || !back {
				l.Fatal(back, err)
			}
			l.wantHistory(res, con, res, con)
			l.wantHolder(c)
		},
		"gives back what a refused command reserved": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			claim, md := events.Claim{Stream: c.stream(), ExpectedRevision: -1}, c.metadata(uuid.New())
			names := []uniq.Name{emailName(l.email)}
			if err := l.names.Reserve(l.Context(), md, claim, names); err != nil {
				l.Fatal(err)
			}
			for range 2 {
				if err := l.names.Abandon(l.Context(), md, claim, names); err != nil {
					l.Fatal(err)
				}
			}
			l.wantHistory(res, rel)
			if _, err := c.append(l.Context(), uuid.New(), claim, c.created(l.email)); err == nil {
				l.Fatal("a late attempt could still write")
			}
			other.must(l.T, l.names, other.created(l.email))
		},
		"confirms instead of giving back what was used after all": func(l life) {
			c := l.newCustomer()
			c.must(l.T, l.names, c.created(l.email))
			claim := events.Claim{Stream: c.stream(), ExpectedRevision: -1}
			if err := l.names.Abandon(l.Context(), c.metadata(uuid.New()), claim, []uniq.Name{emailName(l.email)}); err != nil {
				l.Fatal(err)
			}
			l.wantHistory(res, con)
			l.wantHolder(c)
		},
		"names every taken field and gives the others back": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			full := c.created(l.email)
			full.Username, full.ExternalID = events.Clear("U"+l.email), events.Clear(l.email)
			c.must(l.T, l.names, full)
			wanted := other.created("free" + l.email)
			wanted.Username, wanted.ExternalID = events.Clear("u"+l.email), events.Clear(l.email)
			err := errOf(other.do(l.Context(), l.names, uuid.New(), wanted))
			wantFields(l.T, err, uniq.ErrNameTaken, "external_id", "username")
			if got := l.history(l.T, uniq.StreamOf(l.names, l.store, emailName("free"+l.email))); len(got) != 0 {
				l.Fatalf("the free name's reservation holds %q", got)
			}
		},
		"answers a claim that is behind with stale": func(l life) {
			c := l.newCustomer()
			env := c.must(l.T, l.names, c.created(l.email))
			l.settle(env)
			claim := events.Claim{Stream: c.stream(), ExpectedRevision: -1}
			err := l.names.Reserve(l.Context(), c.metadata(uuid.New()), claim, []uniq.Name{emailName(l.email)})
			if !errors.Is(err, uniq.ErrClaimStale) {
				l.Fatal(err)
			}
		},
		"frees the name of an erased person": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			l.settle(c.must(l.T, l.names, c.created(l.email)))
			if _, err := l.vault.Erase(l.Context(), events.Subject{Kind: events.SubjectLogin, ID: c.login}); err != nil {
				l.Fatal(err)
			}
			l.wantHolder(nil)
			other.must(l.T, l.names, other.created(l.email))
			l.wantHolder(other)
		},
		"takes nothing for free while a key is out of reach": func(l life) {
			c, other := l.newCustomer(), l.newCustomer()
			c.must(l.T, l.names, c.created(l.email))
			blind := l.registry(func(cfg *uniq.Config) { cfg.Sealer = noKeys{} })
			if err := errOf(other.do(l.Context(), blind, uuid.New(), other.created(l.email))); !errors.Is(err, errNoKeys) {
				l.Fatal(err)
			}
			l.wantHistory(res)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(life{T: t, world: w, names: w.registry(), email: uuid.NewString() + "@example.com"})
		})
	}
}
