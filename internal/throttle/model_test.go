package throttle_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/throttle"
)

// model is a bucket as the rules describe it, in memory: every slot ever taken that
// was not given back.
type model struct {
	rule  throttle.Rule
	taken []time.Time
}

// until is when the next slot can be taken: zero for now, never for never.
func (m *model) until(now time.Time) (at time.Time, never bool) {
	n := len(m.taken)
	if m.rule.Stop > 0 && n >= m.rule.Stop {
		return time.Time{}, true
	}
	if m.rule.Stop > 0 && n >= m.rule.Free {
		wait := m.rule.Wait
		for i := m.rule.Free; i < n && wait < m.rule.Longest; i++ {
			wait *= 2
		}
		at = m.taken[n-1].Add(min(wait, m.rule.Longest))
	}
	for _, w := range m.rule.Windows {
		// The moments at which a slot leaves the window, the last one first: a place is
		// free when all but Most-1 have left.
		var leave []time.Time
		for _, taken := range m.taken {
			leave = append(leave, taken.Add(w.Per))
		}
		slices.SortFunc(leave, func(a, b time.Time) int { return b.Compare(a) })
		if len(leave) >= w.Most && leave[w.Most-1].After(at) {
			at = leave[w.Most-1]
		}
	}
	if !at.After(now) {
		at = time.Time{}
	}
	return at, false
}

func (m *model) take(now time.Time) time.Time {
	if n := len(m.taken); n > 0 && m.taken[n-1].After(now) {
		now = m.taken[n-1]
	}
	m.taken = append(m.taken, now)
	return now
}

func (m *model) giveBack(taken time.Time, success bool) {
	switch i := slices.IndexFunc(m.taken, taken.Equal); {
	case success && m.rule.Stop > 0:
		m.taken = slices.DeleteFunc(m.taken, func(at time.Time) bool { return !at.After(taken) })
	case i >= 0:
		m.taken = slices.Delete(m.taken, i, i+1)
	}
}

// held is a slot with when it was taken of each bucket.
type held struct {
	slot    *throttle.Slot
	buckets []int
	taken   []time.Time
}

// Random attempts, successes and clocks come out as the rules say, in every rule and
// in several at once. The seed of a run that does not is in its message.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	histories, steps := 12, 150
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		histories, steps = 200, 1000
	}
	th, _ := newThrottle(t)
	for range histories {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		buckets := []throttle.Bucket{
			throttle.Account(store, newID().String()), throttle.Network(newID(), "192.0.2.1"), throttle.Challenge(newID()),
			throttle.SecondFactor(store, newID()), throttle.Reset(store, newID().String()),
		}
		models := make([]*model, len(buckets))
		for i, b := range buckets {
			models[i] = &model{rule: b.Rule}
		}
		now := start
		var slots []held
		for step := range steps {
			switch p := random.IntN(100); {
			case p < 70: // an attempt
				chosen := random.Perm(len(buckets))[:1+random.IntN(2)]
				slot := attempt(t, th, now, buckets, models, chosen, seed, step)
				if slot != nil {
					slots = append(slots, *slot)
				}
			case p < 78 && len(slots) > 0: // it ends
				i := random.IntN(len(slots))
				s, success := slots[i], random.IntN(2) == 0
				slots = slices.Delete(slots, i, i+1)
				if success {
					must(t, s.slot.GiveBack(t.Context()))
				} else {
					must(t, s.slot.Unused(t.Context()))
				}
				for j, b := range s.buckets {
					models[b].giveBack(s.taken[j], success)
				}
			case p < 79:
				i := random.IntN(len(buckets))
				must(t, th.Clear(t.Context(), buckets[i]))
				models[i].taken = nil
			case p < 95: // time goes on
				now = now.Add(time.Duration(random.Int64N(int64(time.Second) << random.IntN(16)))).Truncate(time.Microsecond)
			default: // the clock is set back
				now = now.Add(-time.Duration(random.Int64N(int64(time.Hour)))).Truncate(time.Microsecond)
			}
		}
	}
}

func attempt(t *testing.T, th *throttle.Throttle, now time.Time, all []throttle.Bucket, models []*model, chosen []int, seed uint64, step int) *held {
	t.Helper()
	buckets := make([]throttle.Bucket, len(chosen))
	var until time.Time
	never := false
	for i, c := range chosen {
		buckets[i] = all[c]
		at, stop := models[c].until(now)
		never = never || stop
		if at.After(until) {
			until = at
		}
	}
	var want time.Duration
	switch {
	case never:
		want = stopped
	case !until.IsZero():
		want = until.Sub(now)
	}
	slot, err := th.Take(t.Context(), now, buckets...)
	var got time.Duration
	if f, ok := fault.As(err); ok && f.Kind == fault.TooMany {
		if got = f.RetryAfter; got == 0 {
			got = stopped
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("seed %d step %d, buckets %v: wait %s, want %s", seed, step, chosen, got, want)
	}
	if slot == nil {
		return nil
	}
	h := held{slot: slot, buckets: chosen}
	for _, c := range chosen {
		h.taken = append(h.taken, models[c].take(now))
	}
	return &h
}
