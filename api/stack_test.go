package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/projections"
)

// stack is Steward whole: a node behind its socket, a database, a projector, the
// server. Faults can be put between it and the node or the database.
type stack struct {
	scope  events.IdentityScope
	engine *decider.Engine
	vault  *vault.Vault
	kek    vault.KEK
	hasher *passwords.Hasher
	server *api.Server
	http   *httptest.Server
	pool   *pgxpool.Pool // as the owner of the tables
	reads  *pgxpool.Pool // as what answers requests
	direct *pgxpool.Pool // to the database, past the faults

	events   *faultproxy.Proxy
	database *faultproxy.Proxy

	logs *lockedBuffer
	now  *testClock
}

// testClock is a clock that tests can move.
type testClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// lockedBuffer keeps what was logged.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// startStack starts everything; it ends with tb.
func startStack(tb testing.TB) *stack {
	tb.Helper()
	return startStackOf(tb, events.ScopeStore)
}

// startStackOf is startStack for names that are unique within a scope.
func startStackOf(tb testing.TB, scope events.IdentityScope) *stack {
	tb.Helper()
	s := startInstancesOf(tb, scope, 1)[0]
	projecting, err := projector.New(projector.Config{Group: s.group(), Pool: s.pool, Log: s.engine.Log})
	if err != nil {
		tb.Fatal(err)
	}
	ctx := context.Background()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- projecting.Run(running) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("projector: %v", err)
		}
	})
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if h, err := projecting.AwaitHealth(waiting, projector.Health.OK); err != nil {
		tb.Fatalf("the projector is %s: %s: %v", h.Condition, h.Reason, err)
	}
	s.serve(tb, projecting)
	return s
}

// startInstances starts a node, a database and n instances of everything that
// works on them but projectors. What they have in common, faults of the database
// included, belongs to the first.
func startInstances(tb testing.TB, n int) []*stack {
	tb.Helper()
	return startInstancesOf(tb, events.ScopeStore, n)
}

func startInstancesOf(tb testing.TB, scope events.IdentityScope, n int) []*stack {
	tb.Helper()
	dir, err := os.MkdirTemp("", "api") // a socket's path has little room
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	node := startNode(tb, dir)
	first := &stack{scope: scope, logs: &lockedBuffer{}, now: &testClock{}, hasher: must(passwords.New(passwords.Config{Params: passwords.Weak()}))}
	first.startDatabase(tb, dir)
	file := filepath.Join(dir, "master.key")
	if err := vault.CreateKEKFile(file); err != nil {
		tb.Fatal(err)
	}
	all := make([]*stack, n)
	for i := range all {
		s := *first
		s.openVault(tb, file)
		if i == 0 {
			if err := s.vault.Init(context.Background(), uuid.New()); err != nil {
				tb.Fatal(err)
			}
		}
		s.decide(tb, filepath.Join(dir, strconv.Itoa(i)), node)
		all[i] = &s
	}
	return all
}

// decide connects to the node through a proxy and decides on it.
func (s *stack) decide(tb testing.TB, socket, node string) {
	tb.Helper()
	var err error
	s.events, err = faultproxy.Listen(socket, node)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.events.Close() })
	log, err := eventstore.Open(context.Background(), eventstore.Config{Socket: s.events.Path()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = log.Close() })
	sealer := seal.New(s.vault)
	s.engine = must(decider.NewEngine(decider.Config{Log: log, Sealer: sealer, Names: uniq.New(uniq.Config{
		Log: log, Sealer: sealer, IndexKey: must(s.vault.Secret(vault.SecretIndex)), Scope: s.scope,
	})}))
}

func (s *stack) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(s.logs, nil)) }

func (s *stack) group() projector.Group { return projections.Core(s.engine.Sealer) }

// serve answers requests; the projector may be nil.
func (s *stack) serve(tb testing.TB, projecting *projector.Projector) {
	tb.Helper()
	var err error
	s.server, err = api.New(api.Config{
		Engine: s.engine, LogID: s.vault.LogID(), Pool: s.reads, Group: s.group(), Projector: projecting,
		FingerprintKey: must(s.vault.Secret(vault.SecretFingerprint)), CursorKey: must(s.vault.Secret(vault.SecretCursor)),
		ThrottleKey: must(s.vault.Secret(vault.SecretFingerprint)), Hasher: s.hasher,
		Links:    must(onetime.New(must(s.vault.SecretVersions(vault.SecretToken)))),
		Registry: prometheus.NewRegistry(), Logger: s.logger(), Now: s.now.now,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Version: "test",
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.http = httptest.NewUnstartedServer(nil)
	s.http.Config = api.HTTPServer(s.server)
	s.http.Start()
	tb.Cleanup(s.http.Close)
}

// startNode starts a node and returns its socket.
func startNode(tb testing.TB, dir string) string {
	tb.Helper()
	node, err := esnode.Open(filepath.Join(dir, "events"), esnode.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	serving, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	socket := filepath.Join(dir, "n")
	go func() { served <- node.Serve(serving, socket) }()
	tb.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, node.Close()); err != nil {
			tb.Errorf("stop the node: %v", err)
		}
	})
	return socket
}

// startDatabase makes a database and connects to it through a proxy.
func (s *stack) startDatabase(tb testing.TB, dir string) {
	tb.Helper()
	address := pgtest.URL(tb)
	s.direct = pgtest.Connect(tb, address)
	at := s.direct.Config().ConnConfig
	if !filepath.IsAbs(at.Host) {
		tb.Fatalf("these tests need a PostgreSQL that listens on a Unix socket, not at %s", at.Host)
	}
	name := ".s.PGSQL." + strconv.Itoa(int(at.Port))
	var err error
	s.database, err = faultproxy.Listen(filepath.Join(dir, name), filepath.Join(at.Host, name))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.database.Close() })
	through, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	query := through.Query()
	query.Set("host", dir)
	through.Host, through.RawQuery = "", query.Encode()
	s.pool = pgtest.As(tb, through.String(), postgres.Owner)
	s.reads = pgtest.As(tb, through.String(), postgres.API)
}

func (s *stack) openVault(tb testing.TB, file string) {
	tb.Helper()
	var err error
	if s.kek, err = vault.OpenKEKFile(file); err != nil {
		tb.Fatal(err)
	}
	if s.vault, err = vault.Open(context.Background(), s.pool, s.kek); err != nil {
		tb.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// process is a testing.TB whose cleanups run when all tests are over, for what
// tests share.
type process struct {
	testing.TB
	mu       sync.Mutex
	cleanups []func()
}

func (*process) Helper()                           {}
func (*process) Name() string                      { return "shared" }
func (*process) Context() context.Context          { return context.Background() }
func (*process) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (*process) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*process) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (*process) Error(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (*process) Logf(string, ...any)               {}
func (p *process) Cleanup(fn func())               { p.mu.Lock(); p.cleanups = append(p.cleanups, fn); p.mu.Unlock() }

func (p *process) end() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
}

var (
	shared      = &process{}
	sharedStack = sync.OnceValue(func() *stack { return startStack(shared) })
)

func TestMain(m *testing.M) {
	code := m.Run()
	shared.end()
	os.Exit(code)
}
