package throttle_test

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/throttle"
)

// Sixty-four sign-ins at a time that succeed, each on a name and from a network of
// its own: what the throttle costs everybody. The test server does not wait for its
// disk.
func BenchmarkTakeGiveBack(b *testing.B) {
	th, _ := newThrottle(b)
	var next atomic.Int64
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			account := throttle.Account(store, strconv.FormatInt(n, 10))
			net := throttle.Network(store, "2001:db8:"+strconv.FormatInt(n&0xffff, 16)+"::1")
			slot, err := th.Take(context.Background(), start, account, net)
			if err != nil {
				b.Error(err)
				return
			}
			if err := slot.GiveBack(context.Background()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "pairs/s")
}

// Sixty-four attempts at a time on a name that is locked: what a flood costs.
func BenchmarkRefused(b *testing.B) {
	th, _ := newThrottle(b)
	account := throttle.Account(store, "ada")
	for range 5 {
		take(b, th, start, account)
	}
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := th.Take(context.Background(), start, account); err == nil {
				b.Error("got in")
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "refusals/s")
}
