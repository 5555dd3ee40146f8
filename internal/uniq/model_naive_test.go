package uniq

import (
	"strings"
	"testing"
)

// TestUniqModelCanFail leaves one rule of the protocol out at a time. Each must
// lead to a broken invariant, or the rule, or the search, would be idle.
func TestUniqModelCanFail(t *testing.T) {
	t.Parallel()
	registrations := scenario{
		keys: 1, uses: [maxStreams]int8{absent, absent, absent},
		commands: []command{{stream: 0, create: true, take: 1}, {stream: 1, create: true, take: 1}},
		workers:  []int8{0, 1}, tries: 1,
	}
	back := scenario{
		keys: 1, uses: [maxStreams]int8{0b01, absent, absent},
		commands: []command{{stream: 0, give: 1}, {stream: 0, take: 1}, {stream: 1, create: true, take: 1}},
		workers:  []int8{0, 1, 2}, settlers: []int8{0}, tries: 1,
	}
	rivals := scenario{
		keys: 1, uses: [maxStreams]int8{0, absent, absent}, writes: [maxStreams]uint8{1},
		commands: []command{{stream: 0, take: 1}, {stream: 0, take: 1}, {stream: 1, create: true, take: 1}},
		workers:  []int8{0, 1, 2}, tries: 1,
	}
	behind := back
	behind.behind = true
	for _, c := range []struct {
		rule rule
		in   scenario
	}{
		{noLook, registrations},
		{noSeal, registrations},
		{keepConfirmed, back},
		{olderClaims, rivals},
		{believeAnything, behind},
	} {
		t.Run(string(c.rule), func(t *testing.T) {
			t.Parallel()
			sc := c.in
			if res := search(sc); res.violation != "" {
				t.Fatalf("with every rule: %s\n%s", res.violation, strings.Join(res.trace, "\n"))
			}
			sc.rule = c.rule
			res := search(sc)
			if res.violation == "" {
				t.Fatalf("no violation in %d states", res.states)
			}
			t.Logf("after %d states: %s\n  %s", res.states, res.violation, strings.Join(res.trace, "\n  "))
		})
	}
}
