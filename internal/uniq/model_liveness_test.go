package uniq

import "fmt"

// stuck looks for a log that those who come after a crash of every worker
// cannot go on from. From each, a reaction settles every stream, and a newcomer
// claims every choice of keys, alone and with all deadlines past. It must come
// to an end, be served exactly when nobody uses its keys, and what no living
// claim holds must be free or confirmed to its user.
func stuck(sc scenario, logs map[shared]struct{}) string {
	newcomer := int8(-1)
	for o := range sc.uses {
		if sc.uses[o] == absent && !sc.acts(int8(o)) {
			newcomer = int8(o)
		}
	}
	for log := range logs {
		for take := uint8(1); take < 1<<sc.keys; take++ {
			if why := sc.alone(log, newcomer, take); why != "" {
				return fmt.Sprintf("%s: %+v takes %02b", why, log, take)
			}
		}
		if why := sc.unsettled(log); why != "" {
			return fmt.Sprintf("%s: %+v", why, log)
		}
	}
	return ""
}

func (sc scenario) acts(stream int8) bool {
	for _, c := range sc.commands {
		if c.stream == stream {
			return true
		}
	}
	return false
}

// alone lets a newcomer run by itself.
func (sc scenario) alone(log shared, newcomer int8, take uint8) string {
	var others uint8
	for o := range log.streams {
		others |= log.streams[o].now()
	}
	sc = scenario{keys: sc.keys, uses: sc.uses, tries: 4, commands: []command{{stream: newcomer, create: true, take: take}}, workers: []int8{0}}
	end := sc.run(log, worker{stage: decide, tries: 4})
	switch {
	case end == nil:
		return "a newcomer never ends"
	case others&take == 0 && end.acked != 1:
		return "a newcomer is refused a name that nobody uses"
	case others&take != 0 && end.acked != 0:
		return "a newcomer is given a name that is in use"
	}
	return broken(end, sc)
}

// unsettled lets reactions run over every stream, one after the other.
func (sc scenario) unsettled(log shared) string {
	for o := range log.streams {
		one := scenario{keys: sc.keys, uses: sc.uses, settlers: []int8{int8(o)}}
		end := one.run(log, one.moves().settling(1<<sc.keys-1, 0))
		if end == nil {
			return "a reaction never ends"
		}
		log.keys = end.keys
	}
	for k := range sc.keys {
		r := log.keys[k]
		uses := r.status != free && log.streams[r.owner].now()>>k&1 == 1
		alive := r.status == reserved && int8(log.streams[r.owner].tail) <= r.claim
		if r.status != free && !alive && (r.status != confirmed || !uses) {
			return fmt.Sprintf("key %d stays unsettled", k)
		}
	}
	return ""
}

func (sc scenario) moves() *moves { return &moves{scenario: sc} }

// run lets a single worker go on from a log to its end, nil if there is none.
func (sc scenario) run(log shared, w worker) *state {
	s := &state{keys: log.keys, streams: log.streams}
	s.workers[0] = w
	for range 100 {
		m := &moves{scenario: sc, late: true}
		var next *state
		m.emit = func(n *state, _ label) {
			c := *n
			next = &c
		}
		if m.next(s); next == nil {
			return s
		}
		s = next
	}
	return nil
}
