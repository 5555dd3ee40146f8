package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
)

const (
	// searchClients is how many people look at lists at once.
	searchClients = 8
	// searchGoal is how many milliseconds the slowest call in a hundred may take.
	searchGoal = 20
	// deepest is how many pages a client turns before it begins anew.
	deepest = 20
)

// measureSearch measures the list of customers and its search over HTTP, over a
// read model that was filled with made-up people.
func measureSearch(ctx context.Context, b *bench) (_ result, err error) {
	d, err := b.startDev(ctx, "search")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	terms, err := b.fillCustomers(ctx, d)
	if err != nil {
		return result{}, err
	}
	if err := d.awaitQuiet(ctx); err != nil {
		return result{}, err
	}
	c := d.caller(searchClients)
	defer c.close()
	b.progress.say("turning pages of the list")
	pages, err := drive(ctx, searchClients, 1, b.sizes.listTime, newPager(c).turn)
	if err != nil {
		return result{}, err
	}
	b.progress.say("searching for terms of %d kinds", len(termKinds))
	s := newSearcher(c, terms, b.seed)
	if err := s.warm(ctx); err != nil {
		return result{}, err
	}
	searches, err := drive(ctx, searchClients, len(termKinds), b.sizes.searchTime, s.search)
	if err != nil {
		return result{}, err
	}
	if err := errors.Join(pages.complete(), searches.complete()); err != nil {
		return result{}, err
	}
	people := grouped(float64(b.sizes.people))
	r := result{numbers: map[string]float64{"pages_per_second": pages.rate(), "searches_per_second": searches.rate()}}
	r.latency("customer list page of 50, "+people+" customers, 8 clients", "page", pages, 0)
	for kind, name := range termKinds {
		r.latency("customer search, mixed load: "+name, termKeys[kind], searches, kind)
	}
	return r, nil
}

// latency adds the figure of a class of calls.
func (r *result) latency(figure, key string, l load, class int) {
	p50, p99 := milliseconds(l.quantile(class, 0.5)), milliseconds(l.quantile(class, 0.99))
	goal, met := atMost(p99, searchGoal, "ms")
	r.rows = append(r.rows, row{figure, fmt.Sprintf("p99 %.1f ms (p50 %.1f)", p99, p50), goal, met})
	r.numbers[key+"_p50_ms"], r.numbers[key+"_p99_ms"] = p50, p99
	r.numbers[key+"_calls"] = float64(len(l.took[class]))
}

// page is what matters of a page of the list.
type page struct {
	Items      []json.RawMessage `json:"items"`
	NextCursor string            `json:"next_cursor"`
}

// pager turns the pages of the list, for each client from the first one on.
type pager struct {
	caller *caller
	cursor [searchClients]string
	depth  [searchClients]int
}

func newPager(c *caller) *pager { return &pager{caller: c} }

func (p *pager) turn(ctx context.Context, client int) (int, error) {
	path := "/v1/customers?limit=50"
	if p.cursor[client] != "" {
		path += "&cursor=" + url.QueryEscape(p.cursor[client])
	}
	answer, err := p.caller.get(ctx, path)
	if err != nil {
		return 0, err
	}
	var got page
	if err := json.Unmarshal(answer, &got); err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	if len(got.Items) == 0 {
		return 0, fmt.Errorf("GET %s: the page is empty", path)
	}
	p.cursor[client] = got.NextCursor
	if p.depth[client]++; p.depth[client] == deepest {
		p.cursor[client], p.depth[client] = "", 0
	}
	return 0, nil
}

// searcher searches for a term of a random kind, each kind equally often.
type searcher struct {
	caller *caller
	terms  searchTerms
	random [searchClients]*rand.Rand
}

func newSearcher(c *caller, terms searchTerms, seed uint64) *searcher {
	s := &searcher{caller: c, terms: terms}
	for client := range s.random {
		s.random[client] = newRandom(seed + uint64(client) + 1)
	}
	return s
}

func (s *searcher) search(ctx context.Context, client int) (int, error) {
	random := s.random[client]
	kind := random.IntN(len(termKinds))
	return kind, s.find(ctx, s.terms[kind][random.IntN(len(s.terms[kind]))])
}

// find searches for a term; every term is somebody's.
func (s *searcher) find(ctx context.Context, term string) error {
	path := "/v1/customers?limit=50&q=" + url.QueryEscape(term)
	answer, err := s.caller.get(ctx, path)
	if err != nil {
		return err
	}
	var got page
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if len(got.Items) == 0 {
		return fmt.Errorf("GET %s: nobody is found", path)
	}
	return nil
}

// warm searches once for a term of each kind, which shows early that all work.
func (s *searcher) warm(ctx context.Context) error {
	for kind := range termKinds {
		if err := s.find(ctx, s.terms[kind][0]); err != nil {
			return fmt.Errorf("%s: %w", termKinds[kind], err)
		}
	}
	return nil
}
