package throttle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/throttle"
)

var (
	key   = []byte("a key of the tests, 32 bytes long")
	store = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001")
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func newThrottle(tb testing.TB) (*throttle.Throttle, *pgxpool.Pool) {
	tb.Helper()
	pool := pgtest.New(tb)
	return throttle.New(pool, key), pool
}

func take(tb testing.TB, t *throttle.Throttle, now time.Time, buckets ...throttle.Bucket) *throttle.Slot {
	tb.Helper()
	slot, err := t.Take(tb.Context(), now, buckets...)
	if err != nil {
		tb.Fatalf("at %s: %v", now.Format(time.TimeOnly), err)
	}
	return slot
}

// stopped is what refused returns where no wait helps.
const stopped = time.Duration(-1)

// refused expects a refusal and returns how long to wait.
func refused(tb testing.TB, t *throttle.Throttle, now time.Time, buckets ...throttle.Bucket) time.Duration {
	tb.Helper()
	_, err := t.Take(tb.Context(), now, buckets...)
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.TooMany || f.Code != "too_many_attempts" {
		tb.Fatalf("at %s: got %v, want a refusal", now.Format(time.TimeOnly), err)
	}
	if f.RetryAfter == 0 {
		return stopped
	}
	return f.RetryAfter
}

func look(tb testing.TB, t *throttle.Throttle, now time.Time, b throttle.Bucket) throttle.State {
	tb.Helper()
	s, err := t.Locked(tb.Context(), now, b)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// admitted lets n attempts go at once, spread over throttles, and counts who gets in.
func admitted(t *testing.T, n int, throttles []*throttle.Throttle, now time.Time, buckets ...throttle.Bucket) int {
	t.Helper()
	var in atomic.Int64
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-gate
			_, err := throttles[i%len(throttles)].Take(t.Context(), now, buckets...)
			if err == nil {
				in.Add(1)
				return
			}
			if f, ok := fault.As(err); !ok || f.Kind != fault.TooMany {
				t.Error(err)
			}
		})
	}
	close(gate)
	all.Wait()
	return int(in.Load())
}

// L1: a burst on one account gets as many attempts as are free, however parallel.
func TestParallelGuesses_L1(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	b := throttle.Account(store, "ada")
	if got := admitted(t, 200, []*throttle.Throttle{th}, start, b); got != 5 {
		t.Errorf("%d of 200 got in, want 5", got)
	}
	// The wait over, one more does.
	if got := admitted(t, 200, []*throttle.Throttle{th}, start.Add(time.Second), b); got != 1 {
		t.Errorf("%d of 200 got in after the wait, want 1", got)
	}
}

// L2: so it is with eight instances over one database, and with more buckets.
func TestParallelGuessesOnManyInstances_L2(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	instances := make([]*throttle.Throttle, 8)
	for i := range instances {
		instances[i] = throttle.New(pgtest.Connect(t, url), key)
	}
	if got := admitted(t, 200, instances, start, throttle.Account(store, "ada")); got != 5 {
		t.Errorf("%d of 200 got in, want 5", got)
	}
	ben, net := throttle.Account(store, "ben"), throttle.Network(store, "192.0.2.1")
	if got := admitted(t, 200, instances, start, ben, net); got != 5 {
		t.Errorf("%d of 200 got in, want 5", got)
	}
	if s := look(t, instances[0], start, net); s.Attempts != 5 {
		t.Errorf("195 refusals by the account left %d attempts of the network, want 5", s.Attempts)
	}
}

// L5: the first attempt on a name and the hundredth are refused alike, whoever's name
// it is and whatever happened to others.
func TestNamesAreAlike_L5(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	known, random := throttle.Account(store, "ada"), throttle.Account(store, uuid.NewString())
	take(t, th, start, known)
	must(t, th.Clear(t.Context(), known)) // somebody has signed in there before
	now := start
	for i := range 10 {
		var said [2]string
		for j, b := range []throttle.Bucket{known, random} {
			_, err := th.Take(t.Context(), now, b)
			said[j] = "admitted"
			if f, ok := fault.As(err); ok {
				said[j] = f.Error() + f.RetryAfter.String()
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if said[0] != said[1] {
			t.Errorf("attempt %d: %q and %q", i, said[0], said[1])
		}
		now = now.Add(300 * time.Millisecond)
	}
}

func TestOneRefusalChargesNobody(t *testing.T) {
	t.Parallel()
	th, pool := newThrottle(t)
	ada, ben, net := throttle.Account(store, "ada"), throttle.Account(store, "ben"), throttle.Network(store, "192.0.2.1")
	for range 5 {
		take(t, th, start, ada)
	}
	if wait := refused(t, th, start, ben, ada, net); wait != time.Second {
		t.Errorf("wait %s, want that of the bucket that refuses", wait)
	}
	for _, b := range []throttle.Bucket{ben, net} {
		if s := look(t, th, start, b); s.Attempts != 0 {
			t.Errorf("%s was charged %d", b.Rule.Name, s.Attempts)
		}
	}
	var rows int
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM ops.throttles`).Scan(&rows))
	if rows != 1 {
		t.Errorf("%d rows, want 1: a refusal writes nothing", rows)
	}
	// Of two that refuse, the longer wait counts.
	for range 30 {
		take(t, th, start, net)
	}
	if wait := refused(t, th, start, ada, net); wait != 10*time.Minute {
		t.Errorf("wait %s, want 10m", wait)
	}
}

func TestASuccessEndsAStreak(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	b, net := throttle.Account(store, "ada"), throttle.Network(store, "192.0.2.1")
	var slots []*throttle.Slot
	for i := range 5 {
		slots = append(slots, take(t, th, start.Add(time.Duration(i)*time.Second), b, net))
	}
	// The fourth succeeds: the streak before it is over, the fifth goes on counting. A
	// network has no streak: whoever owns one account there could reset it.
	now := start.Add(5 * time.Second)
	for range 2 { // once
		must(t, slots[3].GiveBack(t.Context()))
		if s := look(t, th, now, b); s.Attempts != 1 {
			t.Errorf("%d attempts are left of the account, want 1", s.Attempts)
		}
		if s := look(t, th, now, net); s.Attempts != 4 {
			t.Errorf("%d attempts are left of the network, want 4", s.Attempts)
		}
	}
	// A slot that served for nothing takes back itself alone.
	must(t, slots[4].Unused(t.Context()))
	if s := look(t, th, now, b); s.Attempts != 0 {
		t.Errorf("%d attempts are left of the account, want none", s.Attempts)
	}
	if s := look(t, th, now, net); s.Attempts != 3 {
		t.Errorf("%d attempts are left of the network, want 3", s.Attempts)
	}
	// A slot of long ago gives back nothing of others.
	take(t, th, now, b)
	must(t, slots[0].GiveBack(t.Context()))
	if s := look(t, th, now, b); s.Attempts != 1 {
		t.Errorf("%d attempts are left of the account, want 1", s.Attempts)
	}
}

// S3: whatever becomes of a request, its slot stays taken.
func TestASlotOutlivesItsRequest_S3(t *testing.T) {
	t.Parallel()
	th, pool := newThrottle(t)
	b := throttle.Account(store, "ada")

	ctx, cancel := context.WithCancel(t.Context())
	slot, err := th.Take(ctx, start, b)
	must(t, err)
	cancel()
	if err := slot.GiveBack(ctx); err == nil {
		t.Error("a cancelled request gave its slot back")
	}
	if s := look(t, th, start, b); s.Attempts != 1 {
		t.Errorf("%d attempts after a cancelled request, want 1", s.Attempts)
	}

	tx, err := pool.Begin(t.Context())
	must(t, err)
	take(t, th, start, b)
	must(t, tx.Rollback(t.Context()))
	if s := look(t, th, start, b); s.Attempts != 2 {
		t.Errorf("%d attempts after a request that was rolled back, want 2", s.Attempts)
	}
}

// S3: requests that are cancelled at any moment let no attempt through that is not
// counted.
func TestCancelledTakes_S3(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	for round := range 20 {
		b := throttle.Account(store, uuid.NewString())
		var in atomic.Int64
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(10*time.Millisecond))))
				defer cancel()
				if _, err := th.Take(ctx, start, b); err == nil {
					in.Add(1)
				}
			})
		}
		all.Wait()
		s := look(t, th, start, b)
		if got := int(in.Load()); got > s.Attempts || s.Attempts > 5 {
			t.Fatalf("round %d: %d got in and %d are counted", round, got, s.Attempts)
		}
	}
}

func TestGivingBackAndTakingAtOnce(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	net := throttle.Network(store, "192.0.2.1")
	accounts := []throttle.Bucket{throttle.Account(store, "ada"), throttle.Account(store, "ben"), throttle.Account(store, "cleo")}
	var kept atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 20 {
				slot, err := th.Take(t.Context(), start, net, accounts[(i+j)%3])
				if f, ok := fault.As(err); ok && f.Kind == fault.TooMany {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i == 0 && j < 3 {
					kept.Add(1) // a failure
					continue
				}
				if err := slot.Unused(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := th.Sweep(t.Context(), start); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if s := look(t, th, start, net); s.Attempts != int(kept.Load()) {
		t.Errorf("%d attempts are counted, want %d", s.Attempts, kept.Load())
	}
}

func TestNoBucketNoSlot(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	if _, err := th.Take(t.Context(), start); err == nil {
		t.Error("an attempt that no bucket limits got in")
	}
	b := throttle.Account(store, "ada")
	take(t, th, start, b, b)
	if s := look(t, th, start, b); s.Attempts != 1 {
		t.Errorf("a bucket that was named twice counts %d, want 1", s.Attempts)
	}
}

// What is in the database says nothing about whom it concerns.
func TestNamesAreNotStored(t *testing.T) {
	t.Parallel()
	th, pool := newThrottle(t)
	const name, ip = "ada@example.com", "192.0.2.77"
	take(t, th, start, throttle.Account(store, name), throttle.Network(store, ip))
	var text string
	must(t, pool.QueryRow(t.Context(), `SELECT string_agg(t::text, ' ') FROM ops.throttles t`).Scan(&text))
	for _, secret := range []string{name, ip, throttle.Prefix(ip), store.String()} {
		sum := sha256.Sum256([]byte(secret))
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), hex.EncodeToString(sum[:])} {
			if strings.Contains(text, form) {
				t.Errorf("%q is in the table", form)
			}
		}
	}
	other := throttle.New(pool, []byte("another key of the tests, as long"))
	if s := look(t, other, start, throttle.Account(store, name)); s.Attempts != 0 {
		t.Error("without the key a bucket is found")
	}
}

// A database that is away lets nobody in.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server, err := postgres.StartTemporary(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	url := server.URL("postgres")
	must(t, postgres.Migrate(t.Context(), url))
	th := throttle.New(pgtest.Connect(t, url), key)
	b := throttle.Account(store, "ada")
	slot := take(t, th, start, b)
	must(t, server.Stop())
	for name, do := range map[string]func() error{
		"take":      func() error { _, err := th.Take(t.Context(), start, b); return err },
		"give back": func() error { return slot.GiveBack(t.Context()) },
		"unused":    func() error { return slot.Unused(t.Context()) },
		"clear":     func() error { return th.Clear(t.Context(), b) },
		"look":      func() error { _, err := th.Locked(t.Context(), start, b); return err },
		"sweep":     func() error { _, err := th.Sweep(t.Context(), start); return err },
	} {
		if f, ok := fault.As(do()); !ok || f.Kind != fault.Unavailable {
			t.Errorf("%s: got %v, want a fault that says so", name, do())
		}
	}
}
