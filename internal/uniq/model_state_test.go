package uniq

import "math/bits"

// This file is the protocol of this package as a transition system, for the
// search in search_test.go. A step of a worker is one read or one append of the
// code, has the code's name for it (see Points) and is atomic; everything that
// the code does between two of them is part of the first. What a step finds in
// the log it keeps in the worker, as the code keeps it in variables.
//
// Clocks say anything: whenever the code asks whether a deadline has passed,
// both answers are followed. A worker may be slow for ever, which is a crash.

const (
	maxKeys    = 2
	maxStreams = 3
	maxWorkers = 5
)

// state is everything: the log, the workers, and who was told of success.
type state struct {
	keys      [maxKeys]modelReservation
	streams   [maxStreams]modelStream
	workers   [maxWorkers]worker
	committed [maxWorkers]int8 // by command: the claim that it was appended under, plus 2
	acked     uint8            // by command
	writes    [maxStreams]uint8
}

// modelReservation is R: what [reservation] holds.
type modelReservation struct {
	revision int8
	status   status
	owner    int8
	claim    int8
}

// modelStream is S: its tail, and for every revision which keys are in use.
type modelStream struct {
	tail    int16
	history uint16 // maxKeys bits for each revision
}

func (s modelStream) uses(revision int8) uint8 {
	if revision < 0 {
		return 0
	}
	return uint8(s.history>>(maxKeys*revision)) & (1<<maxKeys - 1)
}

func (s modelStream) now() uint8 { return s.uses(int8(s.tail)) }

func (s *modelStream) append(uses uint8) {
	if s.tail++; s.tail*maxKeys >= 16 {
		panic("the model's streams are too short for this scenario")
	}
	s.history |= uint16(uses) << (maxKeys * s.tail)
}

// stage is what a worker does next.
type stage int8

const (
	idle   stage = iota
	decide       // the command: read S, decide, which makes the claim
	read
	look
	help
	seal
	reserve
	use // the command: append the using event at the claim
	ack // the command: answer the client
	abandon
	settleRead
	settleLook
	settleWrite
	crashed
)

// worker is one attempt at a command, or a reaction that settles.
type worker struct {
	stage stage
	tries int8
	claim int8
	take  uint8 // the keys that it takes, or that it settles
	give  uint8
	key   int8

	revision [maxKeys]int8 // of R as read
	status   [maxKeys]status
	owner    [maxKeys]int8
	old      [maxKeys]int8 // the claim in R as read
	verdict  [maxKeys]verdict
	mine     uint8 // reserved for the own claim, or to be settled
	again    uint8 // to be settled once more
	tail     int8  // of S as read to settle
	seen     uint8 // the keys in use there
}

// command is something to be done to a stream, once, by any number of workers.
type command struct {
	stream int8
	create bool
	take   uint8
	give   uint8
}

// scenario is what there is at first, who works, and by which rules.
type scenario struct {
	name     string
	keys     int8
	uses     [maxStreams]int8 // keys in use at revision 0; -1 is a stream that does not exist
	commands []command
	workers  []int8            // the command that each works at
	settlers []int8            // reactions, by the stream that they settle
	writes   [maxStreams]uint8 // unrelated events that may come in between
	tries    int8
	refusals bool // a command may be refused after it has reserved
	behind   bool // a stream may be read as it was earlier
	crashes  bool // a crash is a step of its own
	rule     rule
}

// rule names a rule of the protocol that a scenario leaves out.
type rule string

const (
	noLook          rule = "take over at the deadline without looking"
	noSeal          rule = "look, then steal, without sealing"
	keepConfirmed   rule = "reserve nothing over a confirmation of one's own"
	olderClaims     rule = "let an older claim replace a newer one of the same stream"
	believeAnything rule = "believe a reader that does not reach the claim"
)

// label tells what a transition was.
type label struct {
	worker int
	point  string
	key    int8
}

// moves is the transition relation.
type moves struct {
	scenario
	emit func(*state, label)
	// late fixes the clock: every deadline has passed.
	late bool
}

func (m *moves) start() *state {
	s := new(state)
	for k := range s.keys {
		s.keys[k].revision = -1
	}
	for o := range s.streams {
		s.streams[o].tail = -1
		if m.uses[o] >= 0 {
			s.streams[o].append(uint8(m.uses[o]))
		}
		for k := range m.keys {
			if m.uses[o] > 0 && m.uses[o]>>k&1 == 1 {
				s.keys[k] = modelReservation{revision: 1, status: confirmed, owner: int8(o), claim: -1}
			}
		}
		s.writes[o] = m.writes[o]
	}
	for i := range m.workers {
		s.workers[i] = worker{stage: decide, tries: m.tries}
	}
	for i := range m.settlers {
		s.workers[len(m.workers)+i] = m.settling(1<<m.keys-1, m.tries)
	}
	return s
}

// settling is a worker that begins to settle the keys in take.
func (m *moves) settling(take uint8, tries int8) worker {
	w := worker{stage: settleRead, tries: tries, take: take}
	w.key, _ = first(take, 0)
	return w
}

// stream is the stream that a worker works for.
func (m *moves) stream(i int) int8 {
	if i < len(m.workers) {
		return m.commands[m.workers[i]].stream
	}
	return m.settlers[i-len(m.workers)]
}

// next emits every state that one step leads to.
func (m *moves) next(s *state) {
	for o := range s.streams {
		if s.writes[o] > 0 && s.streams[o].tail >= 0 {
			n := *s
			n.writes[o]--
			n.streams[o].append(n.streams[o].now())
			m.emit(&n, label{worker: -1, point: "unrelated write", key: int8(o)})
		}
	}
	for i := range len(m.workers) + len(m.settlers) {
		m.step(s, i)
	}
}

// visible lists the revisions at which a read may show a stream.
func (m *moves) visible(s *state, stream int8, visit func(revision int8)) {
	tail := int8(s.streams[stream].tail)
	visit(tail)
	if m.behind {
		for revision := int8(-1); revision < tail; revision++ {
			visit(revision)
		}
	}
}

// first returns the lowest key of a set from a key on.
func first(set uint8, from int8) (key int8, ok bool) {
	rest := set >> from
	return from + int8(bits.TrailingZeros8(rest)), rest != 0
}
