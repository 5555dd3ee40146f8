package uniq

func (m *moves) settleRead(s *state, i int) {
	n := *s
	w := &n.workers[i]
	k := w.key
	r := n.keys[k]
	if r.status != free && r.owner == m.stream(i) {
		w.mine |= 1 << k
		w.revision[k], w.status[k], w.old[k] = r.revision, r.status, r.claim
	}
	if key, ok := first(w.take, k+1); ok {
		w.key = key
	} else if w.mine == 0 {
		m.settled(w, i)
	} else {
		w.stage, w.key = settleLook, 0
	}
	m.emit(&n, label{i, pointSettleRead, k})
}

// writes_ goes on with the next name whose reservation must change.
func (m *moves) settles(n *state, i int, from int8) {
	w := &n.workers[i]
	for k := from; k < maxKeys; k++ {
		past := w.tail > w.old[k]
		switch {
		case w.mine>>k&1 == 0:
		case !past && w.status[k] == confirmed: // ErrBehind
			m.settled(w, i)
			return
		case past && (w.seen>>k&1 == 0 || w.status[k] == reserved):
			w.stage, w.key = settleWrite, k
			return
		}
	}
	if w.again != 0 && w.tries > 0 {
		*w = m.settling(w.again, w.tries-1)
		return
	}
	m.settled(w, i)
}

func (m *moves) settleWrite(s *state, i int) {
	n := *s
	w := &n.workers[i]
	k := w.key
	r := &n.keys[k]
	at := label{i, pointSettleConfirm, k}
	to := confirmed
	if w.seen>>k&1 == 0 {
		at.point, to = pointSettleRelease, free
	}
	if r.revision == w.revision[k] {
		r.revision++
		if r.status = to; to == free {
			r.owner, r.claim = 0, 0
		}
	} else {
		w.again |= 1 << k
	}
	m.settles(&n, i, k+1)
	m.emit(&n, at)
}

// settled ends a settling; a reaction begins anew, a bounded number of times.
func (m *moves) settled(w *worker, i int) {
	if i >= len(m.workers) && w.tries > 0 {
		*w = m.settling(1<<m.keys-1, w.tries-1)
		return
	}
	*w = worker{}
}
