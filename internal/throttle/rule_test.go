package throttle_test

import (
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/throttle"
)

// streak takes all slots of b, each as soon as it can be, and expects the given
// waits: after the n-th slot, waits(n).
func streak(t *testing.T, b throttle.Bucket, stop int, waits func(n int) time.Duration) {
	t.Helper()
	th, _ := newThrottle(t)
	now := start
	var last *throttle.Slot
	for n := 1; n <= stop; n++ {
		last = take(t, th, now, b)
		if s := look(t, th, now, b); s.Attempts != n || s.Stopped != (n == stop) {
			t.Fatalf("after slot %d: %+v", n, s)
		}
		if n == stop {
			break
		}
		wait := waits(n)
		if wait == 0 {
			continue
		}
		if got := refused(t, th, now, b); got != wait {
			t.Fatalf("after slot %d: wait %s, want %s", n, got, wait)
		}
		if s := look(t, th, now, b); !s.Until.Equal(now.Add(wait)) {
			t.Fatalf("after slot %d: locked until %s, want %s", n, s.Until, now.Add(wait))
		}
		// Trying meanwhile, to the last moment, does not prolong the wait.
		now = now.Add(wait)
		if got := refused(t, th, now.Add(-time.Microsecond), b); got != time.Microsecond {
			t.Fatalf("just before slot %d: wait %s", n+1, got)
		}
	}
	for _, later := range []time.Duration{0, time.Hour, 10 * 365 * 24 * time.Hour} {
		if got := refused(t, th, now.Add(later), b); got != stopped {
			t.Fatalf("%s after slot %d: wait %s, want for ever", later, stop, got)
		}
	}
	must(t, th.Clear(t.Context(), b))
	if s := look(t, th, now, b); s != (throttle.State{}) {
		t.Fatalf("after staff cleared it: %+v", s)
	}
	take(t, th, now, b)
	must(t, last.GiveBack(t.Context())) // the attempt that stopped it was right after all
	take(t, th, now, b)
}

// P7: 5 free, then 1 s, 2 s, 4 s up to 15 minutes, and after 100 none.
func TestAccountRule_P7(t *testing.T) {
	t.Parallel()
	curve := func(n int) time.Duration {
		switch {
		case n < 5:
			return 0
		case n < 15:
			return time.Duration(1<<(n-5)) * time.Second
		default:
			return 15 * time.Minute
		}
	}
	t.Run("account", func(t *testing.T) {
		t.Parallel()
		streak(t, throttle.Account(store, "ada"), 100, curve)
	})
	t.Run("device", func(t *testing.T) {
		t.Parallel()
		streak(t, throttle.Device(store, "ada", "a device"), 100, curve)
	})
}

// P8: 5 codes of a challenge; of an account 10, then after 15 minutes, 30 and so on
// up to a day, and after 100 none.
func TestSecondFactorRules_P8(t *testing.T) {
	t.Parallel()
	t.Run("challenge", func(t *testing.T) {
		t.Parallel()
		streak(t, throttle.Challenge(store), 5, func(int) time.Duration { return 0 })
	})
	t.Run("account", func(t *testing.T) {
		t.Parallel()
		minutes := []int{15, 30, 60, 120, 240, 480, 960}
		streak(t, throttle.SecondFactor(store, store), 100, func(n int) time.Duration {
			switch {
			case n < 10:
				return 0
			case n < 17:
				return time.Duration(minutes[n-10]) * time.Minute
			default:
				return 24 * time.Hour
			}
		})
	})
}

// T6: codes of two kinds share one allowance, for they share the bucket; a challenge
// that is over does not open the account's.
func TestChallengesShareTheAccount_P8(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	account := throttle.SecondFactor(store, store)
	tries := 0
	for range 4 {
		challenge := throttle.Challenge(newID())
		for range 8 {
			if _, err := th.Take(t.Context(), start, challenge, account); err == nil {
				tries++
			}
		}
	}
	if tries != 10 {
		t.Errorf("%d codes could be tried, want 10", tries)
	}
}

// L7: whoever is locked out by strangers gets in with a device of their own.
func TestADeviceHasABucketOfItsOwn_L7(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	hostile := throttle.Account(store, "ada")
	now := start
	for range 100 {
		take(t, th, now, hostile)
		now = now.Add(15 * time.Minute)
	}
	if refused(t, th, now, hostile) != stopped {
		t.Error("a hundred failures do not stop a name")
	}
	must(t, take(t, th, now, throttle.Device(store, "ada", "hers")).GiveBack(t.Context()))
	take(t, th, now, throttle.Reset(store, "ada"))
}

// P7: 30 failures of a network within any 10 minutes.
func TestNetworkRule_P7(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		same  [2]string
		other string
	}{
		"IPv4":           {[2]string{"192.0.2.1", "192.0.2.254"}, "192.0.3.1"},
		"IPv6":           {[2]string{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"}, "2001:db8:1:3::1"},
		"IPv4 as IPv6":   {[2]string{"::ffff:192.0.2.1", "192.0.2.3"}, "::ffff:192.0.3.1"},
		"no address":     {[2]string{"", "localhost"}, "192.0.2.1"},
		"with its ports": {[2]string{"192.0.2.1:80", "192.0.2.1:81"}, "192.0.3.1:80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th, _ := newThrottle(t)
			for i := range 30 {
				take(t, th, start.Add(time.Duration(i)*time.Second), throttle.Network(store, c.same[i%2]))
			}
			now := start.Add(time.Minute)
			for _, ip := range c.same {
				if wait := refused(t, th, now, throttle.Network(store, ip)); wait != 9*time.Minute {
					t.Errorf("wait %s, want 9m", wait)
				}
			}
			take(t, th, now, throttle.Network(store, c.other))
			take(t, th, now, throttle.Network(newID(), c.same[0])) // of another store
			// The window slides: each slot is free again ten minutes after it was taken.
			first, second := start.Add(10*time.Minute), start.Add(10*time.Minute+time.Second)
			take(t, th, first, throttle.Network(store, c.same[0]))
			if wait := refused(t, th, first, throttle.Network(store, c.same[0])); wait != time.Second {
				t.Errorf("wait %s, want 1s", wait)
			}
			take(t, th, second, throttle.Network(store, c.same[0]))
		})
	}
}

// P19: 3 mails within an hour and 10 within a day, 30 of a network within an hour.
func TestResetRules_P19(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	b := throttle.Reset(store, "ada")
	now := start
	for range 3 {
		for range 3 {
			take(t, th, now, b)
		}
		if wait := refused(t, th, now, b); wait != time.Hour {
			t.Fatalf("wait %s, want 1h", wait)
		}
		now = now.Add(time.Hour)
	}
	take(t, th, now, b)
	if wait := refused(t, th, now, b); wait != 21*time.Hour {
		t.Errorf("wait %s, want 21h: 24 since the first", wait)
	}
	for i := range 30 {
		take(t, th, start, throttle.ResetNetwork(store, "192.0.2."+string(rune('0'+i%10))))
	}
	if wait := refused(t, th, start, throttle.ResetNetwork(store, "192.0.2.99")); wait != time.Hour {
		t.Errorf("wait %s, want 1h", wait)
	}
}

// P26: a clock that was set back opens nothing, and what was taken while it was ahead
// counts until then.
func TestAClockThatIsSetBackOpensNothing_P26(t *testing.T) {
	t.Parallel()
	th, _ := newThrottle(t)
	account, net := throttle.Account(store, "ada"), throttle.Network(store, "192.0.2.1")
	for range 5 {
		take(t, th, start, account)
	}
	for range 30 {
		take(t, th, start, net)
	}
	before := start.Add(-time.Hour)
	if wait := refused(t, th, before, account); wait != time.Hour+time.Second {
		t.Errorf("account: wait %s, want 1h1s", wait)
	}
	if wait := refused(t, th, before, net); wait != time.Hour+10*time.Minute {
		t.Errorf("network: wait %s, want 1h10m", wait)
	}
	// Ahead, one more of each gets in, as it should. Back again, nothing has opened:
	// neither because slots were forgotten, nor because a sweep came by.
	ahead := start.Add(time.Hour)
	take(t, th, ahead, account)
	take(t, th, ahead, net)
	if wait := refused(t, th, start, account); wait != time.Hour+2*time.Second {
		t.Errorf("account: wait %s, want 1h2s", wait)
	}
	if wait := refused(t, th, start, net); wait != 10*time.Minute {
		t.Errorf("network: wait %s, want 10m", wait)
	}
}

// Sweeping forgets what refuses nobody any more, by the earlier of two clocks.
func TestSweep_P26(t *testing.T) {
	t.Parallel()
	th, pool := newThrottle(t)
	const day = 24 * time.Hour
	stop := throttle.Account(store, "stopped")
	now := start
	for range 100 {
		take(t, th, now, stop)
		now = now.Add(15 * time.Minute)
	}
	account, net := throttle.Account(store, "ada"), throttle.Network(store, "192.0.2.1")
	challenge := throttle.Challenge(store)
	for range 5 {
		take(t, th, now, challenge)
	}
	take(t, th, now, account)
	gone := take(t, th, now, throttle.Account(store, "ben"))
	take(t, th, now, net)
	must(t, gone.GiveBack(t.Context()))

	sweep := func(at time.Time, want int64) {
		t.Helper()
		got, err := th.Sweep(t.Context(), at)
		must(t, err)
		if got != want {
			t.Errorf("swept %d, want %d", got, want)
		}
	}
	sweep(now.Add(day), 0)
	sweep(now.Add(day+time.Second), 2) // the network and the challenge
	sweep(now.Add(30*day+time.Second), 1)
	if refused(t, th, now.Add(365*day), stop) != stopped {
		t.Error("a name that was stopped is open")
	}
	// A clock far ahead of the database's sweeps nothing that the latter would keep.
	today := time.Now()
	take(t, th, today, account)
	sweep(today.Add(365*day), 0)
	// Somebody stopped who succeeds in the end is remembered like everybody else.
	must(t, th.Clear(t.Context(), stop))
	var rows int
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM ops.throttles WHERE forget_at IS NULL`).Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are kept for ever", rows)
	}
}

// What the database computes with is within what it can compute.
func TestRulesAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range throttle.Rules {
		if r.Name == "" || seen[r.Name] {
			t.Errorf("rule %q has no name of its own", r.Name)
		}
		seen[r.Name] = true
		if r.Stop == 0 && len(r.Windows) == 0 {
			t.Errorf("%s limits nothing", r.Name)
		}
		if r.Stop > 0 && (r.Free < 1 || r.Free > r.Stop || r.Stop > 100) {
			t.Errorf("%s: %d free, stop at %d", r.Name, r.Free, r.Stop)
		}
		if r.Longest > r.Wait<<20 {
			t.Errorf("%s: the doubling of %s does not reach %s", r.Name, r.Wait, r.Longest)
		}
		longest := r.Longest
		for _, w := range r.Windows {
			longest = max(longest, w.Per)
		}
		if r.Keep < longest || r.Keep < 24*time.Hour {
			t.Errorf("%s is forgotten after %s, but refuses for %s", r.Name, r.Keep, longest)
		}
	}
}
