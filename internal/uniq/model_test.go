package uniq

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// absent is a stream that does not exist yet.
const absent = -1

var (
	nobody = [maxStreams]int8{absent, absent, absent}
	holder = [maxStreams]int8{0b01, absent, absent} // stream 0 uses key 0
)

func creates(stream int8, take uint8) command {
	return command{stream: stream, create: true, take: take}
}

func changes(stream int8, give, take uint8) command {
	return command{stream: stream, give: give, take: take}
}

// TestUniqModelExhaustive searches everything that can happen in these
// scenarios. A command that two workers have is retried on a second node.
func TestUniqModelExhaustive(t *testing.T) {
	t.Parallel()
	points := make(map[string]bool)
	for _, sc := range []scenario{
		{
			name: "two registrations of one name, one on two nodes", keys: 1, uses: nobody,
			commands: []command{creates(0, 1), creates(1, 1)}, workers: []int8{0, 0, 1},
			tries: 1, refusals: true, behind: true,
		},
		{
			name: "two registrations of the same two names", keys: 2, uses: nobody,
			commands: []command{creates(0, 3), creates(1, 3)}, workers: []int8{0, 1},
			tries: 2, refusals: true, behind: true,
		},
		{
			name: "a change away and back, a registration, a reaction", keys: 2, uses: holder,
			commands: []command{changes(0, 1, 2), changes(0, 2, 1), creates(1, 1)}, workers: []int8{0, 1, 2}, settlers: []int8{0},
			tries: 1, refusals: true,
		},
		{
			name: "a name given up and taken back, a registration of two", keys: 2, uses: holder,
			commands: []command{changes(0, 1, 0), changes(0, 0, 1), creates(1, 3)}, workers: []int8{0, 1, 2}, settlers: []int8{0},
			tries: 1, behind: true,
		},
		{
			name: "two changes to one name among unrelated writes", keys: 1, uses: [maxStreams]int8{0, 0, absent},
			commands: []command{changes(0, 0, 1), changes(1, 0, 1)}, workers: []int8{0, 1}, settlers: []int8{0},
			writes: [maxStreams]uint8{1, 1}, tries: 1,
		},
		{
			name: "two holders exchange their names", keys: 2, uses: [maxStreams]int8{0b01, 0b10, absent},
			commands: []command{changes(0, 1, 0), changes(1, 2, 1), changes(0, 0, 2)}, workers: []int8{0, 1, 2}, settlers: []int8{0, 1},
			tries: 1,
		},
	} {
		check(t, sc, points)
	}
	for _, point := range Points() {
		if !points[point] {
			t.Errorf("no scenario takes the step %q of the code", point)
		}
	}
}

// TestUniqModelLong is more of the same: minutes, and about a gigabyte.
func TestUniqModelLong(t *testing.T) {
	t.Parallel()
	if os.Getenv("STEWARD_TEST_LONG") == "" {
		t.Skip("set STEWARD_TEST_LONG=1 to search the larger scenarios")
	}
	for _, sc := range []scenario{
		{
			name: "two registrations of one name, each on two nodes", keys: 1, uses: nobody,
			commands: []command{creates(0, 1), creates(1, 1)}, workers: []int8{0, 0, 1, 1},
			tries: 1, refusals: true,
		},
		{
			name: "three registrations of two names", keys: 2, uses: nobody,
			commands: []command{creates(0, 1), creates(1, 3)}, workers: []int8{0, 1, 1},
			tries: 1, refusals: true, behind: true,
		},
		{
			name: "a change away and back, a registration, a reaction", keys: 2, uses: holder,
			commands: []command{changes(0, 1, 2), changes(0, 2, 1), creates(1, 1)}, workers: []int8{0, 1, 2}, settlers: []int8{0},
			tries: 1, refusals: true, behind: true,
		},
		{
			name: "a name given up and taken back, a registration of two", keys: 2, uses: holder,
			commands: []command{changes(0, 1, 0), changes(0, 0, 1), creates(1, 3)}, workers: []int8{0, 1, 2}, settlers: []int8{0},
			tries: 1, refusals: true, behind: true,
		},
		{
			name: "two changes to one name among unrelated writes", keys: 1, uses: [maxStreams]int8{0, 0, absent},
			commands: []command{changes(0, 0, 1), changes(1, 0, 1)}, workers: []int8{0, 1}, settlers: []int8{0},
			writes: [maxStreams]uint8{1, 1}, tries: 1, refusals: true, behind: true,
		},
		{
			name: "two holders exchange their names", keys: 2, uses: [maxStreams]int8{0b01, 0b10, absent},
			commands: []command{changes(0, 1, 0), changes(1, 2, 1), changes(0, 0, 2)}, workers: []int8{0, 1, 2}, settlers: []int8{0, 1},
			tries: 1, refusals: true, behind: true,
		},
	} {
		check(t, sc, make(map[string]bool))
	}
}

// TestUniqModelCrash makes crashes a step of their own, at every step, and
// finds exactly the logs that it finds without: a crashed worker is one that
// nobody waits for. That is why the other searches can do without.
func TestUniqModelCrash(t *testing.T) {
	t.Parallel()
	for _, sc := range []scenario{
		{
			name: "two registrations, crashing", keys: 1, uses: nobody,
			commands: []command{creates(0, 1), creates(1, 1)}, workers: []int8{0, 1}, tries: 2, refusals: true,
		},
		{
			name: "a change away and back, crashing", keys: 2, uses: holder,
			commands: []command{changes(0, 1, 2), changes(0, 2, 1), creates(1, 1)}, workers: []int8{0, 1, 2}, tries: 1,
		},
	} {
		slow := search(sc)
		sc.crashes = true
		crashing := check(t, sc, make(map[string]bool))
		if !maps.Equal(slow.logs, crashing.logs) {
			t.Errorf("%s: %d logs with crashes, %d with slow workers", sc.name, len(crashing.logs), len(slow.logs))
		}
	}
}

func check(t *testing.T, sc scenario, points map[string]bool) result {
	t.Helper()
	begun := time.Now()
	res := search(sc)
	took := time.Since(begun).Round(time.Millisecond)
	maps.Copy(points, res.points)
	if res.violation != "" {
		t.Fatalf("%s: %s\n%s", sc.name, res.violation, strings.Join(res.trace, "\n"))
	}
	if why := stuck(sc, res.logs); why != "" {
		t.Fatalf("%s: %s", sc.name, why)
	}
	t.Logf("%-54s %8d states %8d steps %6d logs %v", sc.name, res.states, res.transitions, len(res.logs), took)
	return res
}
