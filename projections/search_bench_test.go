package projections_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/projections"
)

// crowd makes customers whose names are as unevenly spread as people's.
type crowd struct {
	rand        *rand.Rand
	first, last *rand.Zipf
	signedIn    bool
	made        int
}

func newCrowd(signedIn bool) *crowd {
	r := rand.New(rand.NewPCG(1, 2))
	return &crowd{rand: r, first: rand.NewZipf(r, 1.3, 8, 399), last: rand.NewZipf(r, 1.15, 20, 7999), signedIn: signedIn}
}

var syllables = []string{
	"an", "ber", "cas", "dor", "el", "fin", "gar", "hol", "is", "jan", "kov", "lam", "mar", "nov", "or", "pet", "quin", "ros",
	"sch", "tan", "ul", "vin", "wal", "xa", "yor", "zim", "brecht", "mann", "stein", "son",
}

// name is the same for the same number.
func name(n uint64, parts int) string {
	var s string
	for range parts {
		s += syllables[n%uint64(len(syllables))]
		n = n/uint64(len(syllables)) + 7
	}
	return s
}

var mailDomains = []string{"gmail.example", "gmail.example", "gmail.example", "outlook.example", "outlook.example", "web.example", "corp.example"}

func (c *crowd) next(store uuid.UUID) projections.Customer {
	first, last := name(c.first.Uint64(), 2), name(c.last.Uint64(), 3)
	c.made++
	username := fmt.Sprintf("%s.%s%d", first, last[:3], c.made)
	email := fmt.Sprintf("%s.%s.%d@%s", first, last, c.made, mailDomains[c.rand.IntN(len(mailDomains))])
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.made) * time.Second)
	var id uuid.UUID
	for i := range id {
		id[i] = byte(c.rand.Uint32())
	}
	row := projections.Customer{
		CustomerID: id, StoreID: store, LoginID: id, Status: events.StatusActive, Origin: events.OriginImport,
		Email: &email, Username: &username, FirstName: &first, LastName: &last, StatusSince: at,
		StatusActorKind: events.ActorSystem, StatusActorID: "import", CreatedAt: at, UpdatedAt: at,
	}
	if c.rand.IntN(100) == 0 {
		row.Status = events.StatusDeleted
	}
	row.TwoFactor, row.EmailProvisional = c.made%10 == 0, c.made%5000 == 0
	if row.Tags = []string{}; c.made%1000 == 0 {
		row.Tags = []string{"vip"}
	}
	if c.signedIn && c.rand.IntN(4) > 0 {
		last := at.Add(time.Duration(c.rand.Int64N(int64(365 * 24 * time.Hour)))).Truncate(time.Microsecond)
		row.LastSignInAt = &last
	}
	return row
}

// load fills customers with n rows and indexes them.
func (c *crowd) load(tb testing.TB, pool *pgxpool.Pool, store uuid.UUID, n int) {
	tb.Helper()
	ctx := context.Background()
	if err := projector.Create(ctx, pool, projections.Core(nil)); err != nil {
		tb.Fatal(err)
	}
	exec := func(sql string) {
		tb.Helper()
		if _, err := pool.Exec(ctx, sql); err != nil {
			tb.Fatal(err)
		}
	}
	for _, index := range []string{"sign_in", "status", "created", "username", "two_factor", "provisional", "tags", "search"} {
		exec(`DROP INDEX read_core.customers_` + index)
	}
	columns := []string{
		"customer_id", "store_id", "login_id", "status", "hold_services", "origin", "email", "username", "first_name", "last_name",
		"company", "country", "external_id", "email_provisional", "tags", "two_factor", "password_scheme", "password_unreadable",
		"last_sign_in_at", "last_sign_in_commit", "last_sign_in_prepare", "status_since", "status_actor_kind",
		"status_actor_id", "status_staff_id", "reason_code", "created_at", "updated_at", "revision", "position", "sign_in_rank",
		"username_rank", "search",
	}
	i := 0
	_, err := pool.CopyFrom(ctx, pgx.Identifier{"read_core", "customers"}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if i++; i > n {
			return nil, nil
		}
		return projections.CustomerValues(c.next(store)), nil
	}))
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range append([]string{`SET search_path = read_core, public`, `SET statement_timeout = 0`, `SET maintenance_work_mem = '512MB'`}, projections.IndexCustomers...) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			tb.Fatal(err)
		}
	}
	for _, sql := range []string{`VACUUM (ANALYZE) read_core.customers`, `RESET search_path`, `RESET statement_timeout`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkCustomers asks for pages of a list of a million customers (or
// STEWARD_BENCH_CUSTOMERS) from 8 clients and reports latencies.
//
//	go test -run - -bench Customers -benchtime 4000x ./projections
func BenchmarkCustomers(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	if text := os.Getenv("STEWARD_BENCH_CUSTOMERS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	for _, signedIn := range []bool{true, false} {
		b.Run(map[bool]string{true: "signed_in", false: "never_signed_in"}[signedIn], func(b *testing.B) {
			url := pgtest.URL(b)
			config, err := pgxpool.ParseConfig(url)
			if err != nil {
				b.Fatal(err)
			}
			config.MaxConns = 10
			pool, err := pgxpool.NewWithConfig(context.Background(), config)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(pool.Close)
			store := uuid.New()
			newCrowd(signedIn).load(b, pool, store, n)
			config.ConnConfig.RuntimeParams["role"] = string(postgres.API)
			asAPI, err := pgxpool.NewWithConfig(context.Background(), config)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(asAPI.Close)
			for _, kind := range searchKinds(n) {
				b.Run(kind.name, func(b *testing.B) { benchmarkSearch(b, projections.NewQueries(asAPI), store, kind) })
			}
		})
	}
}

// searchKind makes filters of one kind.
type searchKind struct {
	name   string
	filter func(r *rand.Rand, c *crowd) projections.CustomerFilter
}

func searchKinds(n int) []searchKind {
	term := func(make func(r *rand.Rand, c *crowd) string) func(*rand.Rand, *crowd) projections.CustomerFilter {
		return func(r *rand.Rand, c *crowd) projections.CustomerFilter {
			return projections.CustomerFilter{Query: make(r, c)}
		}
	}
	middle := func(r *rand.Rand, text string, length int) string {
		if len(text) <= length {
			return text
		}
		at := r.IntN(len(text) - length)
		return text[at : at+length]
	}
	kinds := []searchKind{
		{"page_first", func(*rand.Rand, *crowd) projections.CustomerFilter { return projections.CustomerFilter{} }},
		{"page_deep", func(r *rand.Rand, _ *crowd) projections.CustomerFilter {
			rank := -time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour)))).UnixMicro()
			return projections.CustomerFilter{After: &projections.Cursor{Number: rank, ID: uuid.New()}}
		}},
		{"page_by_creation", func(*rand.Rand, *crowd) projections.CustomerFilter {
			return projections.CustomerFilter{Order: projections.CustomersByCreation}
		}},
		{"filter_two_factor", func(*rand.Rand, *crowd) projections.CustomerFilter {
			return projections.CustomerFilter{TwoFactor: new(true)}
		}},
		{"filter_needs_email", func(*rand.Rand, *crowd) projections.CustomerFilter {
			return projections.CustomerFilter{Provisional: true}
		}},
		{"filter_tag", func(*rand.Rand, *crowd) projections.CustomerFilter { return projections.CustomerFilter{Tag: "vip"} }},
		{"filter_tag_search", func(_ *rand.Rand, c *crowd) projections.CustomerFilter {
			return projections.CustomerFilter{Tag: "vip", Query: name(c.first.Uint64(), 2)}
		}},
		{"search_username", term(func(r *rand.Rand, c *crowd) string {
			return fmt.Sprintf("%s.%s%d", name(c.first.Uint64(), 2), name(c.last.Uint64(), 3)[:3], r.IntN(n))
		})},
		{"search_6_of_surname", term(func(r *rand.Rand, c *crowd) string { return middle(r, name(c.last.Uint64(), 3), 6) })},
		{"search_4_of_surname", term(func(_ *rand.Rand, c *crowd) string { return name(c.last.Uint64(), 3)[:4] })},
		{"search_4_any", term(func(r *rand.Rand, _ *crowd) string { return middle(r, name(r.Uint64N(8000), 3), 4) })},
		{"search_3", term(func(r *rand.Rand, c *crowd) string { return middle(r, name(c.last.Uint64(), 3), 3) })},
		{"search_first_name", term(func(_ *rand.Rand, c *crowd) string { return name(c.first.Uint64(), 2) })},
		{"search_mail_domain", term(func(r *rand.Rand, _ *crowd) string { return "@" + mailDomains[r.IntN(len(mailDomains))] })},
		{"search_prefix_2", term(func(r *rand.Rand, _ *crowd) string { return syllables[r.IntN(len(syllables))][:2] })},
		{"search_nothing", term(func(r *rand.Rand, _ *crowd) string { return fmt.Sprintf("nobody%d", r.IntN(n)) })},
	}
	all := slices.Clone(kinds)
	return append(kinds, searchKind{"mixed", func(r *rand.Rand, c *crowd) projections.CustomerFilter {
		return all[r.IntN(len(all))].filter(r, c)
	}})
}

const benchClients = 8

func benchmarkSearch(b *testing.B, q projections.Queries, store uuid.UUID, kind searchKind) {
	took := make([][]time.Duration, benchClients)
	slowest := make([]string, benchClients)
	var clients sync.WaitGroup
	b.ResetTimer()
	for client := range benchClients {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(client), 7))
			c := &crowd{rand: r, first: rand.NewZipf(r, 1.3, 8, 399), last: rand.NewZipf(r, 1.15, 20, 7999)}
			var worst time.Duration
			for range max(1, b.N/benchClients) {
				f := kind.filter(r, c)
				f.StoreID = store
				begun := time.Now()
				if _, _, err := q.Customers(context.Background(), f); err != nil {
					b.Error(err)
					return
				}
				d := time.Since(begun)
				took[client] = append(took[client], d)
				if d > worst {
					worst, slowest[client] = d, f.Query
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	at := func(p float64) float64 { return float64(all[int(p*float64(len(all)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(0, "ns/op")
	if testing.Verbose() {
		b.Logf("slowest terms: %q", slowest)
	}
}
