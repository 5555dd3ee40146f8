package uniq

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// shared is the part of a state that outlives every worker.
type shared struct {
	keys      [maxKeys]modelReservation
	streams   [maxStreams]modelStream
	committed [maxWorkers]int8
	acked     uint8
}

func (s *state) shared() shared { return shared{s.keys, s.streams, s.committed, s.acked} }

// visited holds every state found, in the order of its distance from the start,
// and by a hash table of indexes into that list.
type visited struct {
	chunks [][]node
	count  int
	slots  []int32 // index + 1
	seed   maphash.Seed
}

// node is a state and where it was first reached from.
type node struct {
	state  state
	parent int32
}

// chunk is how many nodes are held together: the list grows without being moved.
const chunk = 1 << 14

func newVisited() *visited {
	return &visited{slots: make([]int32, 1<<16), seed: maphash.MakeSeed()}
}

func (v *visited) at(i int) *node { return &v.chunks[i/chunk][i%chunk] }

// add notes a state unless it is known.
func (v *visited) add(s *state, parent int) {
	if 2*v.count >= len(v.slots) {
		v.slots = make([]int32, 2*len(v.slots))
		for i := range v.count {
			v.slots[v.slot(&v.at(i).state)] = int32(i + 1)
		}
	}
	slot := v.slot(s)
	if v.slots[slot] != 0 {
		return
	}
	if v.count%chunk == 0 {
		v.chunks = append(v.chunks, make([]node, chunk))
	}
	*v.at(v.count) = node{*s, int32(parent)}
	v.count++
	v.slots[slot] = int32(v.count)
}

func (v *visited) slot(s *state) uint64 {
	mask := uint64(len(v.slots) - 1)
	for slot := maphash.Comparable(v.seed, *s) & mask; ; slot = (slot + 1) & mask {
		if i := v.slots[slot]; i == 0 || v.at(int(i-1)).state == *s {
			return slot
		}
	}
}

// result is what a search found.
type result struct {
	states      int
	transitions int
	logs        map[shared]struct{} // the different logs among the states
	points      map[string]bool     // the steps that were taken
	violation   string              // empty if every invariant holds
	trace       []string            // the shortest way to the violation
}

// maxStates ends a search that would outgrow the memory of a small machine.
const maxStates = 6_000_000

// search visits every state that a scenario can reach, breadth first, up to
// the first one that breaks an invariant.
func search(sc scenario) result {
	found := newVisited()
	res := result{logs: make(map[shared]struct{}), points: make(map[string]bool)}
	at := 0
	m := &moves{scenario: sc}
	m.emit = func(n *state, l label) {
		res.transitions++
		res.points[l.point] = true
		found.add(n, at)
	}
	found.add(m.start(), -1)
	for ; at < found.count; at++ {
		s := found.at(at).state
		res.logs[s.shared()] = struct{}{}
		if res.violation = broken(&s, sc); res.violation != "" {
			res.trace = trace(sc, found, at)
			break
		}
		if found.count > maxStates {
			res.violation = "too many states"
			break
		}
		m.next(&s)
	}
	res.states = found.count
	return res
}

// broken names the invariant that does not hold in s.
func broken(s *state, sc scenario) string {
	for k := range sc.keys {
		users := 0
		for o := range s.streams {
			if s.streams[o].now()>>k&1 == 0 {
				continue
			}
			users++
			if r := s.keys[k]; r.status == free || r.owner != int8(o) {
				return fmt.Sprintf("stream %d uses key %d, which is not reserved for it", o, k)
			}
		}
		if users > 1 {
			return fmt.Sprintf("key %d has %d users", k, users)
		}
	}
	for c, cmd := range sc.commands {
		if s.acked>>c&1 == 0 {
			continue
		}
		claim := s.committed[c] - 2
		if s.committed[c] == 0 || s.streams[cmd.stream].uses(claim+1)&cmd.take != cmd.take {
			return fmt.Sprintf("command %d was acknowledged and did not take its keys", c)
		}
	}
	return ""
}

// trace tells the steps from the start to a state.
func trace(sc scenario, found *visited, at int) []string {
	var path []int
	for ; at >= 0; at = int(found.at(at).parent) {
		path = append([]int{at}, path...)
	}
	var steps []string
	for i := 1; i < len(path); i++ {
		m := &moves{scenario: sc}
		done := false
		m.emit = func(n *state, l label) {
			if !done && *n == found.at(path[i]).state {
				steps = append(steps, l.in(sc, n))
				done = true
			}
		}
		m.next(&found.at(path[i-1]).state)
	}
	return steps
}

func (l label) in(sc scenario, n *state) string {
	if l.worker < 0 {
		return fmt.Sprintf("unrelated write to S%d", l.key)
	}
	m := &moves{scenario: sc}
	var b strings.Builder
	fmt.Fprintf(&b, "worker %d (S%d) %s", l.worker, m.stream(l.worker), l.point)
	switch l.point {
	case pointRead, pointLook, pointHelp, pointSeal, pointReserve, pointSettleRead, pointSettleConfirm, pointSettleRelease:
		fmt.Fprintf(&b, " key %d", l.key)
	}
	for k := range sc.keys {
		r := n.keys[k]
		fmt.Fprintf(&b, "  R%d@%d=%s", k, r.revision, [...]string{"free", "reserved", "confirmed"}[r.status])
		if r.status != free {
			fmt.Fprintf(&b, "(S%d@%d)", r.owner, r.claim)
		}
	}
	for o := range n.streams {
		if sc.uses[o] >= 0 || n.streams[o].tail >= 0 {
			fmt.Fprintf(&b, "  S%d@%d uses %02b", o, n.streams[o].tail, n.streams[o].now())
		}
	}
	return b.String()
}
