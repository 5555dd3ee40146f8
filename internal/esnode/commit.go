package esnode

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// operation is what a request wants done to a stream.
type operation int

const (
	appendEvents operation = iota
	softDelete
	tombstone
)

// write is a request to change a stream.
type write struct {
	stream    name
	operation operation
	expected  int64
	events    []*event // of an append; the node sets position, revision and time
}

// committed is the answer to a write.
type committed struct {
	verdict
	position uint64 // of the last event written or repeated; 0 when there is none to name
}

// commit decides about a write and carries it out. When it returns, everything that the answer tells about
// is on disk, refusals included: otherwise a crash could turn the reason for a refusal into a lie.
func (n *Node) commit(ctx context.Context, w write) (result committed, err error) {
	defer n.condition.rescue(&err)
	defer func() { err = n.condition.diagnose(err) }()
	ids := make([]uuid.UUID, len(w.events))
	for i, e := range w.events {
		ids[i] = e.id
	}
	if w.operation != appendEvents {
		// A deletion is checked like an append of one event that nobody has written yet.
		ids = []uuid.UUID{uuid.New()}
	}
	if err := n.condition.refusal(); err != nil {
		return committed{}, err
	}
	// Fetching the head first keeps the disk out of the lock.
	if _, err := n.heads.get(w.stream.base, n.loadHead); err != nil {
		return committed{}, err
	}

	result, batch, newest, err := n.commitLocked(w, ids)
	if err != nil {
		return committed{}, err
	}
	if batch == nil {
		return result, n.horizon.reach(ctx, newest, n.condition)
	}
	durable, err := n.sync(batch, newest)
	if err != nil {
		return committed{}, err
	}
	if group := n.horizon.advance(durable); group > 0 {
		n.metrics.group.Observe(float64(group))
	}
	return result, nil
}

// commitLocked does what must happen in log order. It returns the batch to wait for, if it wrote one, and
// the newest position that the answer depends on.
func (n *Node) commitLocked(w write, ids []uuid.UUID) (committed, *pebble.Batch, uint64, error) {
	n.write.Lock()
	defer n.write.Unlock()
	if err := n.condition.writable(); err != nil {
		return committed{}, nil, 0, err
	}
	h, err := n.heads.get(w.stream.base, n.loadHead)
	if err != nil {
		return committed{}, nil, 0, err
	}
	v, err := n.check(w.stream, h, w.expected, ids)
	result := committed{verdict: v}
	if err != nil {
		return result, nil, 0, err
	}
	if w.operation == softDelete && v.outcome == accepted && v.current == noRevision {
		// There must be something to delete: events, or at least metadata.
		exists, err := n.metastreamExists(w.stream, h)
		if err != nil {
			return result, nil, 0, err
		}
		if !exists {
			result.outcome = conflict
		}
	}
	if result.outcome == repeated {
		result.position, err = n.visiblePosition(w.stream, h, v.last)
		return result, nil, h.newest(), err
	}
	if result.outcome != accepted || (w.operation == appendEvents && len(w.events) == 0) {
		return result, nil, h.newest(), nil
	}

	// A repeat writes nothing, so it is answered on a full disk too: it may be how
	// somebody learns what became of the first.
	if err := n.space.check(); err != nil {
		return result, nil, 0, err
	}
	t := n.begin(w.stream, h)
	if err := n.fill(t, w); err != nil {
		return result, nil, 0, err
	}
	result.current = t.reached
	result.position = t.answer
	if err := n.apply(t); err != nil {
		return result, nil, 0, err
	}
	return result, t.batch, n.last, nil
}

// visiblePosition is the position of a repeated append's last event, or 0 when readers cannot see it.
func (n *Node) visiblePosition(stream name, h head, revision int64) (uint64, error) {
	m := h.effective(stream)
	if m.softDeleted() || revision < m.firstVisible(h.current(stream)) {
		return 0, nil
	}
	return n.positionOf(stream, h, revision)
}

// apply hands the transaction to Pebble, which makes it visible and queues it for the disk, and brings the
// node's memory up to it.
func (n *Node) apply(t *transaction) error {
	var err error
	if n.noSync {
		err = n.db.Apply(t.batch, pebble.NoSync)
	} else {
		err = n.db.ApplyNoSyncWait(t.batch, pebble.Sync)
	}
	if err != nil {
		return n.condition.fail(fmt.Errorf("write to the store: %w", err))
	}
	last := t.events[len(t.events)-1]
	n.next, n.last, n.lastCreated = t.next, last.position, t.created
	n.heads.put(t.stream.base, t.head)
	commit := pendingCommit{last: last.position, stream: string(t.stream.full)}
	if written := string(last.stream); written != commit.stream {
		commit.metastream = written
	}
	if t.other != nil {
		n.heads.put(t.other.base, t.other.head)
	}
	n.tail.add(t.events)
	n.horizon.enqueue(commit)
	n.metrics.appends.Inc()
	n.metrics.events.Add(float64(len(t.events)))
	n.metrics.bytes.Add(float64(t.next - t.events[0].position))
	return nil
}

// sync waits until the batch is on disk and marks the log as acknowledged up to there, or further: the result
// says how far.
func (n *Node) sync(batch *pebble.Batch, newest uint64) (uint64, error) {
	if n.noSync {
		return newest, closeBatch(batch)
	}
	start := time.Now()
	err := batch.SyncWait()
	n.metrics.sync.Observe(time.Since(start).Seconds())
	if err == nil {
		newest, err = n.mark.advance(newest)
	}
	if err != nil {
		return 0, n.condition.fail(fmt.Errorf("sync the store: %w", err))
	}
	return newest, closeBatch(batch)
}

func closeBatch(batch *pebble.Batch) error {
	if err := batch.Close(); err != nil {
		return fmt.Errorf("release a batch: %w", err)
	}
	return nil
}
