package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// kills is how often the campaign kills the process.
func kills() int {
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		return 200
	}
	return 20
}

// acknowledged collects the events that clients saw acknowledged.
type acknowledged struct {
	mu     sync.Mutex
	ids    map[string]bool
	next   int           // how many there must be
	enough chan struct{} // closed when there are
}

func (a *acknowledged) add(ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.ids[id] = true
	}
	if a.enough != nil && len(a.ids) >= a.next {
		close(a.enough)
		a.enough = nil
	}
}

// more is closed when n more events have been acknowledged.
func (a *acknowledged) more(n int) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	enough := make(chan struct{})
	a.next, a.enough = len(a.ids)+n, enough
	return enough
}

// A process that is killed at random under load loses no event that a client
// saw acknowledged and writes none twice, and the read models that it kept are
// those that a rebuild from the first event makes.
func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	seen := &acknowledged{ids: map[string]bool{}}
	var domains []string
	var slowest time.Duration
	for round := range kills() {
		begun := time.Now()
		p := i.start(t)
		slowest = max(slowest, time.Since(begun))
		if round == 0 {
			domains = mustImport(t, p, seen, 20)
		}
		enough := seen.more(1 + rand.IntN(100)) // when the power is cut
		underLoad(t, p, seen, domains, round, func() {
			select {
			case <-enough:
			case <-time.After(time.Minute):
				t.Error("nothing is acknowledged any more")
			}
			p.kill(t)
		})
	}
	t.Logf("killed %d times; %d acknowledged events; slowest start %s", kills(), len(seen.ids), slowest.Round(time.Millisecond))

	p := i.start(t)
	stored := mustReadEvents(t, p)
	for id := range seen.ids {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged and is stored %d times", id, stored[id])
		}
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", id, n)
		}
	}
	rebuilt := i.mustRun(t, "rebuild", "--output", "json")
	var result struct{ Same, Swapped bool }
	if err := json.Unmarshal(rebuilt, &result); err != nil || !result.Same || !result.Swapped {
		t.Errorf("the rebuilt read models differ: %s, %v", rebuilt, err)
	}
	p.stop(t)
}

// mustImport brings n domains in and returns their ids.
func mustImport(t *testing.T, p *process, seen *acknowledged, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		var answer struct {
			DomainID string   `json:"domain_id"`
			EventIDs []string `json:"event_ids"`
		}
		err := p.call(t.Context(), http.MethodPost, "/v1/domains/import", map[string]any{
			"name": fmt.Sprintf("example-%d.com", i), "registered_at": "2020-01-01", "expires_at": "2030-01-01",
			"owner": map[string]string{"email": fmt.Sprintf("owner-%d@example.com", i%5), "username": fmt.Sprintf("owner-%d", i%5)},
		}, &answer)
		if err != nil {
			t.Fatal(err)
		}
		seen.add(answer.EventIDs)
		ids = append(ids, answer.DomainID)
	}
	return ids
}

// underLoad keeps clients sending commands until during returns.
func underLoad(t *testing.T, p *process, seen *acknowledged, domains []string, round int, during func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				var answer struct {
					EventIDs []string `json:"event_ids"`
				}
				path, body := "/v1/domains/"+domains[(c*7+n)%len(domains)]+"/set-lock", map[string]any{"value": n%2 == 0}
				if n%5 == 0 {
					path, body = "/v1/customers", map[string]any{
						"email": fmt.Sprintf("c%d-%d-%d@example.com", round, c, n), "username": fmt.Sprintf("c%d-%d-%d", round, c, n),
					}
				}
				err := p.call(ctx, http.MethodPost, path, body, &answer)
				if errors.Is(err, errRefused) {
					t.Error(err)
				}
				if err != nil {
					return // the process is gone
				}
				seen.add(answer.EventIDs)
			}
		})
	}
	during()
	cancel()
	clients.Wait()
}

// mustReadEvents reads the whole raw feed and counts each event.
func mustReadEvents(t *testing.T, p *process) map[string]int {
	t.Helper()
	stored := map[string]int{}
	path := "/v1/events?limit=200"
	for {
		var page struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
			NextCursor string `json:"next_cursor"`
			HasMore    bool   `json:"has_more"`
		}
		if err := p.call(t.Context(), http.MethodGet, path, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			stored[e.ID]++
		}
		if !page.HasMore {
			return stored
		}
		path = "/v1/events?limit=200&cursor=" + page.NextCursor
	}
}
