package uniq

// step emits what one step of worker i leads to.
func (m *moves) step(s *state, i int) {
	w := &s.workers[i]
	if w.stage == idle || w.stage == crashed {
		return
	}
	if m.crashes {
		n := *s
		n.workers[i] = worker{stage: crashed}
		m.emit(&n, label{i, "crash", 0})
	}
	switch w.stage {
	case decide:
		m.visible(s, m.stream(i), func(revision int8) {
			n := *s
			m.decide(&n, i, revision)
			m.emit(&n, label{i, "decide", 0})
		})
	case read:
		m.read(s, i)
	case look:
		m.visible(s, w.owner[w.key], func(revision int8) { m.look(s, i, revision) })
	case help:
		n := *s
		if n.keys[w.key].revision == w.revision[w.key] {
			n.keys[w.key].status = confirmed
			n.keys[w.key].revision++
		}
		m.judged(&n, i, label{i, pointHelp, w.key})
	case seal:
		n := *s
		sealStream(&n.streams[w.owner[w.key]], w.old[w.key])
		m.seals(&n, i, w.key+1)
		m.emit(&n, label{i, pointSeal, w.key})
	case reserve:
		m.reserve(s, i)
	case use:
		m.use(s, i)
	case ack:
		n := *s
		n.acked |= 1 << m.workers[i]
		n.workers[i] = worker{}
		m.emit(&n, label{i, "ack", 0})
	case abandon:
		n := *s
		sealStream(&n.streams[m.stream(i)], w.claim)
		n.workers[i] = m.settling(w.take, w.tries)
		m.emit(&n, label{i, pointAbandon, 0})
	case settleRead:
		m.settleRead(s, i)
	case settleLook:
		m.visible(s, m.stream(i), func(revision int8) {
			n := *s
			v := &n.workers[i]
			v.tail, v.seen = revision, n.streams[m.stream(i)].uses(revision)
			m.settles(&n, i, 0)
			m.emit(&n, label{i, pointSettleLook, 0})
		})
	case settleWrite:
		m.settleWrite(s, i)
	}
}

// sealStream appends ClaimAborted at exactly the claim, if that can be.
func sealStream(s *modelStream, claim int8) {
	if int8(s.tail) == claim {
		s.append(s.now())
	}
}

// decide is a command on its stream as read at revision.
func (m *moves) decide(n *state, i int, revision int8) {
	w, cmd := &n.workers[i], m.commands[m.workers[i]]
	uses := n.streams[cmd.stream].uses(revision)
	take, give := cmd.take&^uses, cmd.give&uses
	switch applied := n.committed[m.workers[i]]; {
	case applied > 0 && revision > applied-2: // at applied-1 the stream was, with it one more
		*w = worker{stage: ack}
	case cmd.create && revision >= 0, take|give == 0: // sealed, or already so
		*w = worker{}
	default:
		*w = worker{tries: w.tries, claim: revision, take: take, give: give}
		m.round(w)
	}
}

// round begins to look at all names.
func (m *moves) round(w *worker) {
	*w = worker{stage: use, tries: w.tries, claim: w.claim, take: w.take, give: w.give}
	if key, ok := first(w.take, 0); ok {
		w.stage, w.key = read, key
	}
}

func (m *moves) read(s *state, i int) {
	k := s.workers[i].key
	r := s.keys[k]
	at := label{i, pointRead, k}
	n := *s
	w := &n.workers[i]
	w.revision[k], w.verdict[k] = r.revision, verdictFree
	own := r.status != free && r.owner == m.stream(i)
	switch {
	case r.status == free:
	case own && r.status == reserved && r.claim == w.claim:
		w.mine |= 1 << k
		if !m.late {
			a := n
			a.workers[i].verdict[k] = verdictAdopted
			m.judged(&a, i, at)
		}
	case own && (r.claim > w.claim || r.claim == w.claim) && m.rule != olderClaims:
		w.verdict[k] = verdictStale
	case own && r.status == confirmed && m.rule == keepConfirmed:
		w.verdict[k] = verdictAdopted
	case own:
	case m.rule == noLook && r.status == reserved:
		a := n
		a.workers[i].verdict[k] = verdictPending
		m.judged(&a, i, at)
	case m.rule == noLook:
		w.verdict[k] = verdictTaken
	default:
		w.status[k], w.owner[k], w.old[k] = r.status, r.owner, r.claim
		w.stage = look
		m.emit(&n, at)
		return
	}
	m.judged(&n, i, at)
}

func (m *moves) look(s *state, i int, revision int8) {
	n := *s
	w := &n.workers[i]
	k := w.key
	at := label{i, pointLook, k}
	uses := n.streams[w.owner[k]].uses(revision)>>k&1 == 1
	past := revision > w.old[k]
	switch {
	case w.status[k] == confirmed && !past && m.rule != believeAnything: // ErrBehind
		*w = worker{}
		m.emit(&n, at)
	case uses:
		w.verdict[k] = verdictTaken
		if w.status[k] == reserved && past {
			h := n
			h.workers[i].stage = help
			m.emit(&h, at)
		}
		m.judged(&n, i, at)
	case past, m.rule == believeAnything && w.status[k] == confirmed:
		w.verdict[k] = verdictFree
		m.judged(&n, i, at)
	default:
		o := n
		o.workers[i].verdict[k] = verdictOverdue
		if m.rule == noSeal {
			o.workers[i].verdict[k] = verdictFree
		}
		m.judged(&o, i, at)
		if !m.late {
			w.verdict[k] = verdictPending
			m.judged(&n, i, at)
		}
	}
}

// judged goes on after a name was looked at: with the next, or when there is
// none, by the worst verdict.
func (m *moves) judged(n *state, i int, at label) {
	w := &n.workers[i]
	if key, ok := first(w.take, w.key+1); ok {
		w.stage, w.key = read, key
		m.emit(n, at)
		return
	}
	for k := range w.verdict { // what is not needed any more
		if w.verdict[k] != verdictOverdue {
			w.owner[k], w.old[k], w.status[k] = 0, 0, 0
		}
		if w.verdict[k] != verdictFree {
			w.revision[k] = 0
		}
	}
	switch max(w.verdict[0], w.verdict[1]) {
	case verdictStale:
		m.retry(w)
	case verdictTaken, verdictPending:
		m.refuse(w, w.mine)
	case verdictOverdue:
		m.seals(n, i, 0)
	default:
		m.reserves(n, i, 0, at)
		return
	}
	m.emit(n, at)
}

// retry decides again, a bounded number of times.
func (m *moves) retry(w *worker) {
	if w.tries > 0 {
		*w = worker{stage: decide, tries: w.tries - 1}
		return
	}
	m.refuse(w, w.mine)
}

// refuse ends a command and gives back the names in mine.
func (m *moves) refuse(w *worker, mine uint8) {
	if mine == 0 {
		*w = worker{}
		return
	}
	*w = worker{stage: abandon, claim: w.claim, take: mine, tries: w.tries}
}

// seals goes on with the next overdue claim; after the last everything is
// looked at again.
func (m *moves) seals(n *state, i int, from int8) {
	w := &n.workers[i]
	for k := from; k < maxKeys; k++ {
		if w.verdict[k] == verdictOverdue {
			w.stage, w.key = seal, k
			return
		}
	}
	m.round(w)
}

// reserves goes on with the next name to reserve; after the last the command
// makes its append, or is refused.
func (m *moves) reserves(n *state, i int, from int8, at label) {
	w := &n.workers[i]
	for k := from; k < maxKeys; k++ {
		if w.take>>k&1 == 1 && w.verdict[k] == verdictFree {
			w.stage, w.key = reserve, k
			m.emit(n, at)
			return
		}
	}
	*w = worker{stage: use, tries: w.tries, claim: w.claim, take: w.take, give: w.give}
	if m.refusals {
		r := *n
		m.refuse(&r.workers[i], w.take)
		m.emit(&r, at)
	}
	m.emit(n, at)
}

func (m *moves) reserve(s *state, i int) {
	n := *s
	w := &n.workers[i]
	r := &n.keys[w.key]
	at := label{i, pointReserve, w.key}
	if r.revision == w.revision[w.key] {
		*r = modelReservation{revision: r.revision + 1, status: reserved, owner: m.stream(i), claim: w.claim}
		m.reserves(&n, i, w.key+1, at)
		return
	}
	if w.tries > 0 {
		w.tries--
		m.round(w)
	} else { // ErrContended: the reservations stay
		*w = worker{}
	}
	m.emit(&n, at)
}

func (m *moves) use(s *state, i int) {
	n := *s
	w, cmd := &n.workers[i], m.workers[i]
	stream := &n.streams[m.stream(i)]
	switch applied := n.committed[cmd]; {
	case applied > 0 && applied-2 == w.claim: // the log knows these event ids there
		*w = worker{stage: ack}
	case int8(stream.tail) == w.claim:
		stream.append(stream.now()&^w.give | w.take)
		n.committed[cmd] = w.claim + 2
		*w = worker{stage: ack}
	case m.refusals && w.tries == 0:
		m.refuse(w, w.take)
	default:
		m.retry(w)
	}
	m.emit(&n, label{i, "use", 0})
}
