package api_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/erasure"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/vault"
)

// erasing is a store on a stack of its own, with reactions, whose clock may be moved
// and whose erasures are carried out when a test says so.
type erasing struct {
	*harness
	checkpoints *reactions.Checkpoints
	router      *reactions.Router
	erasures    *erasure.Erasures
	stop        func() // the reactions
}

func newErasing(t *testing.T) *erasing {
	t.Helper()
	e := &erasing{harness: startStack(t).newStore(t)}
	e.checkpoints = reactions.NewCheckpoints(e.pool, e.vault.LogID())
	if err := e.checkpoints.Begin(t.Context(), "reservations"); err != nil {
		t.Fatal(err)
	}
	e.router = must(reactions.NewRouter(reactions.Config{
		Log: e.engine.Log, Checkpoints: e.checkpoints, Backoff: func(int) time.Duration { return time.Millisecond },
		Reactions: []reactions.Reaction{reactions.Reservations(e.engine.Names), reactions.Credentials(e.vault), erasure.Reaction()},
	}))
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.router.Run(running) }()
	e.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("reactions: %v", err)
		}
	})
	t.Cleanup(e.stop)
	e.erasures = erasure.New(e.config())
	return e
}

func (e *erasing) config() erasure.Config {
	return erasure.Config{
		Pool: e.pool, Accounts: api.Erasures{Engine: e.engine, Now: e.now.now}, Sessions: sessions.New(e.pool), Keys: e.vault, Now: e.now.now,
	}
}

// react waits until the reactions have done what follows from the log as it is.
func (e *erasing) react() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	head := must(e.engine.Log.Head(ctx))
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		done := 0
		for _, s := range e.router.Statuses() {
			if !s.Position.Before(head) {
				done++
			}
		}
		if done == 3 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			e.t.Fatalf("the reactions did not get to %v: %+v", head, e.router.Statuses())
		}
	}
}

func (e *erasing) sweep() {
	e.t.Helper()
	e.react()
	if err := e.erasures.Sweep(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	e.react()
}

// carryOut erases all who are due, to the last word.
func (e *erasing) carryOut() {
	e.t.Helper()
	e.sweep()
	e.now.advance(vault.CacheLifetime)
	e.sweep()
}

// types are the types of the events of a customer, in order.
func (e *erasing) types(id string) []string {
	e.t.Helper()
	log := e.owner("GET", "/v1/customers/"+id+"/log?limit=200", nil, "Steward-Min-Position", e.position()).want(200).list("items")
	types := make([]string, len(log))
	for i, entry := range log {
		types[len(log)-1-i], _ = entry["type"].(string)
	}
	return types
}

// position is a position that shows all that has happened.
func (e *erasing) position() string {
	e.t.Helper()
	return e.owner("POST", "/v1/stores/"+e.storeID()+"/rename", map[string]any{"name": fmt.Sprintf("Shop %d", time.Now().UnixNano())}).want(200).str("position")
}

// everywhere is all that is stored or shown, by where: rows of every table, the log
// as stored, the events as the API opens them, what was logged.
func (e *erasing) everywhere() map[string]string {
	e.t.Helper()
	at := e.position()
	e.read("/v1/log", e.owner("GET", "/v1/log", nil, "Steward-Min-Position", at).want(200))
	found := map[string]string{"logs": e.logs.String()}
	rows, err := e.direct.Query(e.t.Context(), `
		SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		e.t.Fatal(err)
	}
	tables := must(pgx.CollectRows(rows, pgx.RowTo[string]))
	for _, table := range tables {
		rows, err := e.direct.Query(e.t.Context(), `SELECT t::text FROM `+table+` AS t`)
		if err != nil {
			e.t.Fatal(err)
		}
		found[table] = strings.Join(must(pgx.CollectRows(rows, pgx.RowTo[string])), "\n")
	}
	if len(tables) < 12 {
		e.t.Fatalf("there are only %d tables: %v", len(tables), tables)
	}
	var stored strings.Builder
	for _, r := range e.stored() {
		fmt.Fprintf(&stored, "%s %s %s\n", r.Stream, r.Data, r.Metadata)
	}
	found["stored"] = stored.String()
	for _, path := range []string{"/v1/events?limit=200", "/v1/log?limit=200", "/v1/customers?limit=200&status=active&status=deleted&status=erased"} {
		shown, next := "", path
		for next != "" {
			r := e.owner("GET", next, nil, "Steward-Min-Position", at).want(200)
			shown += string(r.raw)
			next = ""
			if more, _ := r.at("has_more").(bool); more {
				next = path + "&cursor=" + r.str("next_cursor")
			}
		}
		found[path] = shown
	}
	return found
}

// where lists the places that hold a text, in whatever case.
func where(everywhere map[string]string, text string) []string {
	var places []string
	for place, all := range everywhere {
		if strings.Contains(strings.ToLower(all), strings.ToLower(text)) {
			places = append(places, place)
		}
	}
	return places
}

func count(types []string, want string) int {
	n := 0
	for _, t := range types {
		if t == want {
			n++
		}
	}
	return n
}

var onceEach = []string{events.TypeCustomerErased, events.TypeLoginErased, events.TypeCustomerErasureCompleted}
