package eventstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/stewardhq/steward/internal/eventstore/faultproxy"
)

// appendMethod is the call whose replies are worth losing.
const appendMethod = "/event_store.client.streams.Streams/Append"

// schedule is a sequence of faults. It follows from its seed alone.
type schedule struct {
	number int
	steps  []step
}

// step is one fault, and how long it lasts before the next.
type step struct {
	name string
	hold time.Duration
	// apply begins the fault; what it returns ends it, if healing the proxy does not.
	apply func(l *lane) (end func())
}

func (s schedule) String() string {
	names := make([]string, len(s.steps))
	for i, step := range s.steps {
		names[i] = fmt.Sprintf("%s for %v", step.name, step.hold)
	}
	return fmt.Sprintf("schedule %d: %s", s.number, strings.Join(names, ", "))
}

// newSchedule makes up the schedule of a seed and a number. A store that can be
// killed is, in most of its schedules.
func newSchedule(seed uint64, number int, killable, long bool) schedule {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	longest := 60 * time.Millisecond
	if long && rng.IntN(4) == 0 {
		longest = 4 * time.Second // beyond every limit of a single attempt
	}
	s := schedule{number: number}
	for range 1 + rng.IntN(3) {
		step := newStep(rng, killable)
		step.hold = time.Millisecond + time.Duration(rng.Int64N(int64(longest)))
		s.steps = append(s.steps, step)
	}
	return s
}

func newStep(rng *rand.Rand, killable bool) step {
	ms := func(most int) time.Duration { return time.Duration(1+rng.IntN(most)) * time.Millisecond }
	kind := rng.IntN(24)
	if killable && rng.IntN(2) == 0 {
		kind = 24
	}
	switch kind {
	case 0, 1, 2:
		return breaking("reset", func(p *faultproxy.Proxy) { p.Reset() })
	case 3, 4, 5:
		return breaking("refuse", func(p *faultproxy.Proxy) { p.Refuse() })
	case 6, 7:
		d := ms(40)
		return breaking(fmt.Sprintf("delay %v", d), func(p *faultproxy.Proxy) { p.Delay(d) })
	case 8, 9:
		rate := 10_000 << rng.IntN(6)
		return breaking(fmt.Sprintf("%d bytes a second", rate), func(p *faultproxy.Proxy) { p.Throttle(rate) })
	case 10, 11, 12:
		n, d := rng.IntN(20_000), faultproxy.Direction(rng.IntN(2))
		return breaking(fmt.Sprintf("cut direction %d after %d bytes", d, n), func(p *faultproxy.Proxy) { p.CutAfter(n, d) })
	case 13, 14, 15:
		return losing("lose a reply and reset", faultproxy.Reset)
	case 16:
		return losing("lose a reply and go silent", faultproxy.Silence)
	case 17:
		return breaking("half-open for good", func(p *faultproxy.Proxy) { p.Abandon() })
	case 18:
		return breaking("nothing passes", func(p *faultproxy.Proxy) { p.Freeze() })
	case 19:
		return breaking("no reply passes", func(p *faultproxy.Proxy) { p.Mute() })
	case 20, 21:
		s := breaking("no reply passes, then reset", func(p *faultproxy.Proxy) { p.Mute() })
		begin := s.apply
		s.apply = func(l *lane) func() {
			begin(l)
			return l.proxy.Reset
		}
		return s
	case 22, 23:
		return flapping(rng)
	default:
		return step{name: "kill the store", apply: func(l *lane) func() {
			l.child.kill()
			return func() {
				if err := l.child.start(); err != nil {
					l.t.Errorf("start the store again: %v", err)
				}
			}
		}}
	}
}

// breaking is a step that the proxy takes, and ends when it is healed.
func breaking(name string, begin func(*faultproxy.Proxy)) step {
	return step{name: name, apply: func(l *lane) func() {
		begin(l.proxy)
		return func() {}
	}}
}

// losing withholds the reply to the next append.
func losing(name string, e faultproxy.Ending) step {
	return step{name: name, apply: func(l *lane) func() {
		lost := l.proxy.LoseReply(appendMethod, e)
		l.losses = append(l.losses, lost)
		return func() {
			select {
			case <-lost:
			case <-time.After(200 * time.Millisecond): // another fault may leave no reply to lose
			}
		}
	}}
}

// flapping lets connections come and go.
func flapping(rng *rand.Rand) step {
	var pauses []time.Duration
	for range 2 + rng.IntN(8) {
		pauses = append(pauses, time.Duration(rng.IntN(15_000))*time.Microsecond)
	}
	return step{name: fmt.Sprintf("flap %d times", len(pauses)), apply: func(l *lane) func() {
		for _, pause := range pauses {
			l.proxy.Refuse()
			<-time.After(pause)
			if err := l.proxy.Heal(); err != nil {
				l.t.Error(err)
			}
			<-time.After(pause / 2)
		}
		return func() {}
	}}
}
