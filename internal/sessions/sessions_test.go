package sessions_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/sessions"
)

var (
	store    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	customer = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0002")
	start    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func newSessions(tb testing.TB) (*sessions.Sessions, *pgxpool.Pool) {
	tb.Helper()
	pool := pgtest.New(tb)
	return sessions.New(pool), pool
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// begun is a customer's session with the limits of customers.
func begun(at time.Time) sessions.Session {
	return sessions.Session{
		ID: uuid.New(), StoreID: store, CustomerID: customer, At: at,
		Idle: sessions.CustomerIdle, ExpiresAt: at.Add(sessions.CustomerAbsolute),
	}
}

func begin(tb testing.TB, s *sessions.Sessions, at time.Time) uuid.UUID {
	tb.Helper()
	n := begun(at)
	must(tb, s.Begin(tb.Context(), n))
	return n.ID
}

// touch expects a session that was last used at a time.
func touch(tb testing.TB, s *sessions.Sessions, id uuid.UUID, now, last time.Time) {
	tb.Helper()
	got, err := s.Touch(tb.Context(), id, now)
	must(tb, err)
	if !got.Equal(last) {
		tb.Fatalf("at %s: last used at %s, want %s", now.Format(time.TimeOnly), got.Format(time.TimeOnly), last.Format(time.TimeOnly))
	}
}

func over(tb testing.TB, s *sessions.Sessions, id uuid.UUID, now time.Time) {
	tb.Helper()
	if at, err := s.Touch(tb.Context(), id, now); !errors.Is(err, sessions.ErrUnknown) {
		tb.Fatalf("at %s: last used at %s, error %v; want %v", now.Format(time.TimeOnly), at, err, sessions.ErrUnknown)
	}
}

// version changes whenever a row is written.
func version(tb testing.TB, pool *pgxpool.Pool, id uuid.UUID) string {
	tb.Helper()
	var v string
	must(tb, pool.QueryRow(tb.Context(), `SELECT xmin::text || ctid::text FROM ops.sessions WHERE session_id = $1`, id).Scan(&v))
	return v
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	s, pool := newSessions(t)
	id := begin(t, s, start)
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second} {
		before := version(t, pool, id)
		touch(t, s, id, start.Add(after), start)
		if version(t, pool, id) != before {
			t.Errorf("a use after %s was written", after)
		}
	}
	touch(t, s, id, start.Add(time.Minute), start)
	touch(t, s, id, start.Add(61*time.Second), start.Add(time.Minute))
}

func TestManyUsesAtOnceAreOneWrite(t *testing.T) {
	t.Parallel()
	s, pool := newSessions(t)
	id := begin(t, s, start)
	now := start.Add(time.Minute)
	must(t, execute(t, pool, `
		CREATE TABLE writes (n bigint);
		CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO writes VALUES (1); RETURN NEW; END $$;
		CREATE TRIGGER count_writes AFTER UPDATE ON ops.sessions FOR EACH ROW EXECUTE FUNCTION count_write()`))
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := s.Touch(t.Context(), id, now); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var writes int
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM writes`).Scan(&writes))
	if writes != 1 {
		t.Errorf("64 uses at once were %d writes, want 1", writes)
	}
	touch(t, s, id, now, now)
}

func execute(tb testing.TB, pool *pgxpool.Pool, sql string) error {
	tb.Helper()
	_, err := pool.Exec(tb.Context(), sql)
	return err
}

// P14, X4: a session ends unused after half an hour and used after half a day, and
// asking does not revive it, whatever the clock says.
func TestLimits_P14(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)

	id := begin(t, s, start)
	touch(t, s, id, start.Add(30*time.Minute-time.Microsecond), start)
	idle := start.Add(60*time.Minute - time.Microsecond)
	for _, now := range []time.Time{idle, idle, start.Add(31 * time.Minute), start} {
		over(t, s, id, now)
	}

	id = begin(t, s, start)
	last := start
	for now := start; now.Before(start.Add(12 * time.Hour)); now = now.Add(29 * time.Minute) {
		touch(t, s, id, now, last)
		if now != start {
			last = now
		}
	}
	over(t, s, id, start.Add(12*time.Hour))
	over(t, s, id, start)
	over(t, s, uuid.New(), start)
}

// P26: a clock that was set back neither ends a session nor makes its last use older.
func TestAClockThatIsSetBack_P26(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	id := begin(t, s, start)
	used := start.Add(20 * time.Minute)
	touch(t, s, id, used, start)
	touch(t, s, id, start.Add(-time.Hour), used)
	touch(t, s, id, start, used)
	touch(t, s, id, used.Add(29*time.Minute), used)
}

// However they are asked at once, from the moment on at which it is over nobody gets in.
func TestTheEndIsTheEndForEverybody(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	for range 20 {
		id := begin(t, s, start)
		var in atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, err := s.Touch(t.Context(), id, start.Add(30*time.Minute)); err == nil {
					in.Add(1)
				} else if !errors.Is(err, sessions.ErrUnknown) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if in.Load() != 0 {
			t.Fatalf("%d got in", in.Load())
		}
	}
}

func TestBegin(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	n := begun(start)
	must(t, s.Begin(t.Context(), n))
	used := start.Add(5 * time.Minute)
	touch(t, s, n.ID, used, start)
	must(t, s.Begin(t.Context(), n)) // whoever did not hear the answer
	touch(t, s, n.ID, used, used)

	for name, change := range map[string]func(*sessions.Session){
		"of somebody else":    func(n *sessions.Session) { n.CustomerID = uuid.New() },
		"of another store":    func(n *sessions.Session) { n.StoreID = uuid.New() },
		"begun at other time": func(n *sessions.Session) { n.At = n.At.Add(time.Second) },
		"without id":          func(n *sessions.Session) { n.ID = uuid.Nil },
		"without store":       func(n *sessions.Session) { n.ID, n.StoreID = uuid.New(), uuid.Nil },
		"without customer":    func(n *sessions.Session) { n.ID, n.CustomerID = uuid.New(), uuid.Nil },
		"without idle time":   func(n *sessions.Session) { n.ID, n.Idle = uuid.New(), 0 },
		"idle within a grain": func(n *sessions.Session) { n.ID, n.Idle = uuid.New(), sessions.Grain },
		"without end":         func(n *sessions.Session) { n.ID, n.ExpiresAt = uuid.New(), time.Time{} },
	} {
		other := n
		change(&other)
		if err := s.Begin(t.Context(), other); err == nil {
			t.Errorf("%s it begins", name)
		}
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	first, second, third := begin(t, s, start), begin(t, s, start), begin(t, s, start)
	must(t, s.Ended(t.Context()))
	must(t, s.Ended(t.Context(), first, second, uuid.New()))
	over(t, s, first, start)
	over(t, s, second, start)
	touch(t, s, third, start, start)
}

func TestOf(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	old, recent := begin(t, s, start), begin(t, s, start.Add(time.Hour))
	for _, change := range []func(*sessions.Session){
		func(n *sessions.Session) { n.StoreID = uuid.New() },
		func(n *sessions.Session) { n.CustomerID = uuid.New() },
	} {
		foreign := begun(start)
		change(&foreign)
		must(t, s.Begin(t.Context(), foreign))
	}
	used := start.Add(20 * time.Minute)
	touch(t, s, old, used, start)
	got, err := s.Of(t.Context(), store, customer)
	must(t, err)
	want := []sessions.Row{
		{ID: recent, StartedAt: start.Add(time.Hour), LastUsedAt: start.Add(time.Hour), OverAt: start.Add(90 * time.Minute)},
		{ID: old, StartedAt: start, LastUsedAt: used, OverAt: used.Add(30 * time.Minute)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if none, err := s.Of(t.Context(), store, uuid.New()); err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}

// P14: the oldest go, and those that are over do not count.
func TestOldest_P14(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	now := start.Add(25 * time.Minute)
	used := begin(t, s, start.Add(-time.Hour)) // the oldest, in use
	for at := start.Add(-time.Hour); at.Before(now); at = at.Add(20 * time.Minute) {
		_, err := s.Touch(t.Context(), used, at)
		must(t, err)
	}
	begin(t, s, start.Add(-31*time.Minute)) // forgotten in a browser
	var ids []uuid.UUID
	for i := range sessions.CustomerConcurrent - 1 {
		ids = append(ids, begin(t, s, start.Add(time.Duration(i)*time.Minute)))
	}
	oldest := func(keep int) []uuid.UUID {
		t.Helper()
		got, err := s.Oldest(t.Context(), now, store, customer, keep)
		must(t, err)
		return got
	}
	if got := oldest(sessions.CustomerConcurrent); len(got) != 0 {
		t.Errorf("%v of ten have to go", got)
	}
	begin(t, s, now)
	if got := oldest(sessions.CustomerConcurrent); !slices.Equal(got, []uuid.UUID{used}) {
		t.Errorf("of eleven %v have to go, want the oldest, %s", got, used)
	}
	if got, want := oldest(sessions.CustomerConcurrent-2), []uuid.UUID{used, ids[0], ids[1]}; !slices.Equal(got, want) {
		t.Errorf("%v have to go, want %v", got, want)
	}
}

// P14: however many sign in at once, no more than the limit remain, and they are the
// newest.
func TestManyBeginAtOnce_P14(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if err := s.Begin(t.Context(), begun(start)); err != nil { // all at the same moment
				t.Error(err)
				return
			}
			beyond, err := s.Oldest(t.Context(), start, store, customer, sessions.CustomerConcurrent)
			if err == nil {
				err = s.Ended(t.Context(), beyond...)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	rows, err := s.Of(t.Context(), store, customer)
	must(t, err)
	if len(rows) != sessions.CustomerConcurrent {
		t.Errorf("%d sessions remain, want %d", len(rows), sessions.CustomerConcurrent)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s, _ := newSessions(t)
	kept, unused := begin(t, s, start), begin(t, s, start)
	used := start.Add(20 * time.Minute)
	touch(t, s, kept, used, start)
	spent := begun(start)
	spent.ExpiresAt = start.Add(10 * time.Minute)
	must(t, s.Begin(t.Context(), spent))
	for _, c := range []struct {
		now  time.Time
		want int64
	}{{start.Add(10*time.Minute - time.Microsecond), 0}, {start.Add(10 * time.Minute), 1}, {start.Add(30 * time.Minute), 1}} {
		if got, err := s.Sweep(t.Context(), c.now); err != nil || got != c.want {
			t.Errorf("swept %d at %s, want %d: %v", got, c.now.Format(time.TimeOnly), c.want, err)
		}
	}
	over(t, s, unused, start)
	touch(t, s, kept, used, used)
}

// A database that is away lets nobody in.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server, err := postgres.StartTemporary(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	url := server.URL("postgres")
	must(t, postgres.Migrate(t.Context(), url))
	s := sessions.New(pgtest.Connect(t, url))
	id := begin(t, s, start)
	must(t, server.Stop())
	for name, do := range map[string]func() error{
		"begin":  func() error { return s.Begin(t.Context(), begun(start)) },
		"touch":  func() error { _, err := s.Touch(t.Context(), id, start); return err },
		"ended":  func() error { return s.Ended(t.Context(), id) },
		"of":     func() error { _, err := s.Of(t.Context(), store, customer); return err },
		"oldest": func() error { _, err := s.Oldest(t.Context(), start, store, customer, 1); return err },
		"sweep":  func() error { _, err := s.Sweep(t.Context(), start); return err },
	} {
		if f, ok := fault.As(do()); !ok || f.Kind != fault.Unavailable {
			t.Errorf("%s: got %v, want a fault that says so", name, do())
		}
	}
}

// What a session costs every request.
func BenchmarkTouch(b *testing.B) {
	s, _ := newSessions(b)
	id := begin(b, s, start)
	for b.Loop() {
		touch(b, s, id, start, start)
	}
}
