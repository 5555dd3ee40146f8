package esnode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func openForTest(t *testing.T, files vfs.FS) *Node {
	t.Helper()
	n, err := openOn(files, "store", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

func appendTo(stream string, expected int64, ids ...uuid.UUID) write {
	w := write{stream: parseName([]byte(stream)), expected: expected}
	for _, id := range ids {
		w.events = append(w.events, &event{id: id, kind: []byte("test.happened"), data: []byte("data")})
	}
	return w
}

// seen returns the ids of everything that a reader of the log gets to see.
func seen(t *testing.T, n *Node) []uuid.UUID {
	t.Helper()
	var ids []uuid.UUID
	err := n.scan(1, n.horizon.position(), false, func(e *event) (bool, error) {
		ids = append(ids, e.id)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// gate holds back every sync of the write-ahead log while it is shut, and tells of each that arrives.
type gate struct {
	mu      sync.Mutex
	shut    chan struct{} // closed when the gate opens; nil while it is open
	arrived chan struct{}
}

// String implements errorfs.Injector.
func (*gate) String() string { return "gate" }

// MaybeError implements errorfs.Injector.
func (g *gate) MaybeError(op errorfs.Op) error {
	if !strings.HasSuffix(op.Path, ".log") || (op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData) {
		return nil
	}
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		select {
		case g.arrived <- struct{}{}:
		default:
		}
		<-shut
	}
	return nil
}

func TestNothingIsSeenBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	g := &gate{arrived: make(chan struct{}, 1)}
	n := openForTest(t, errorfs.Wrap(vfs.NewMem(), g))
	if _, err := n.commit(t.Context(), appendTo("s", expectNoStream, uuid.New())); err != nil {
		t.Fatal(err)
	}
	before := n.horizon.position()
	past := n.horizon.past(before)
	watch := n.horizon.watch("s")
	defer n.horizon.unwatch(watch)

	g.mu.Lock()
	g.shut = make(chan struct{})
	g.mu.Unlock()
	answered := make(chan committed, 2)
	appendAgain := func(id uuid.UUID) {
		result, err := n.commit(context.Background(), appendTo("s", 0, id))
		if err != nil {
			t.Error(err)
		}
		answered <- result
	}
	go appendAgain(uuid.New())
	<-g.arrived
	// The write is with Pebble now and stands in the cache of heads. This one is refused because of it, and
	// must not say so as long as a crash could make the refusal wrong.
	go appendAgain(uuid.New())
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if result, err := n.commit(impatient, appendTo("s", 0, uuid.New())); status.Code(err) != codes.Canceled {
		t.Errorf("whoever cannot wait for the disk is told %+v, %v", result, err)
	}

	if got := n.horizon.position(); got != before {
		t.Errorf("the horizon is at %d, before it was at %d", got, before)
	}
	if got := seen(t, n); len(got) != 1 {
		t.Errorf("a reader of the log sees %d of 1 event", len(got))
	}
	h, err := n.durableHead([]byte("s"), before)
	if err != nil || h.last != 0 {
		t.Errorf("the stream ends at %d for readers, %v", h.last, err)
	}
	if page, ok := n.tail.after(nil, 0, n.horizon.position(), 10); !ok || len(page) != 1 {
		t.Errorf("the tail shows %d of 1 event", len(page))
	}
	select {
	case <-past:
		t.Error("subscribers to the log were woken")
	case <-watch.wake:
		t.Error("subscribers to the stream were woken")
	case result := <-answered:
		t.Errorf("answered %+v", result)
	default:
	}

	g.mu.Lock()
	close(g.shut)
	g.shut = nil
	g.mu.Unlock()
	outcomes := map[outcome]int{}
	for range 2 {
		outcomes[(<-answered).outcome]++
	}
	if outcomes[accepted] != 1 || outcomes[conflict] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
	<-past
	<-watch.wake
	if got := seen(t, n); len(got) != 2 {
		t.Errorf("a reader of the log sees %d of 2 events", len(got))
	}
}

// TestPowerLoss takes the power away in the middle of many appends: what was not synced is gone. Everything
// acknowledged must be there afterwards, and nothing twice.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	files := vfs.NewCrashableMem()
	for round := range 5 {
		n, err := openOn(files, "store", Options{})
		if err != nil {
			t.Fatal(err)
		}
		var (
			mu    sync.Mutex
			acked = map[uuid.UUID]bool{}
			group sync.WaitGroup
		)
		stop := make(chan struct{})
		enough := make(chan struct{})
		for writer := range 8 {
			group.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					ids := []uuid.UUID{uuid.New(), uuid.New()}
					stream := fmt.Sprintf("s-%d-%d", writer, i%3)
					result, err := n.commit(context.Background(), appendTo(stream, expectAny, ids...))
					if err != nil || result.outcome != accepted {
						t.Errorf("append: %+v, %v", result, err)
						return
					}
					mu.Lock()
					for _, id := range ids {
						acked[id] = true
					}
					if len(acked) == 200+50*round {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		mu.Lock()
		promised := make(map[uuid.UUID]bool, len(acked))
		for id := range acked {
			promised[id] = true
		}
		mu.Unlock()
		visible := seen(t, n)
		crashed := files.CrashClone(vfs.CrashCloneCfg{})
		close(stop)
		group.Wait()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}

		files = crashed
		n, err = openOn(files, "store", Options{})
		if err != nil {
			t.Fatalf("round %d: open after the crash: %v", round, err)
		}
		found := map[uuid.UUID]int{}
		for _, id := range seen(t, n) {
			found[id]++
		}
		for id := range promised {
			if found[id] != 1 {
				t.Errorf("round %d: an acknowledged event is there %d times", round, found[id])
			}
		}
		for _, id := range visible {
			if found[id] != 1 {
				t.Errorf("round %d: an event that a reader saw is there %d times", round, found[id])
			}
		}
		if round == 4 {
			verify(t, n)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// verify walks the log and insists that revisions have no gaps and that every index leads to its event.
func verify(t *testing.T, n *Node) {
	t.Helper()
	next := map[string]int64{}
	err := n.scan(1, n.horizon.position(), false, func(e *event) (bool, error) {
		stream := parseName([]byte(string(e.stream)))
		if want := next[string(e.stream)]; e.revision != want {
			return false, fmt.Errorf("%s has revision %d where %d belongs", e.stream, e.revision, want)
		}
		next[string(e.stream)]++
		h, err := n.loadHead(stream.base, everything)
		if err != nil {
			return false, err
		}
		position, err := n.positionOf(stream, h, e.revision)
		if err != nil || position != e.position {
			return false, errors.Join(err, fmt.Errorf("%s revision %d is at %d and indexed at %d", e.stream, e.revision, e.position, position))
		}
		first, err := n.firstRevisionOf(stream, h, e.id)
		if err != nil || first != e.revision {
			return false, errors.Join(err, fmt.Errorf("%s revision %d is found by its id at %d", e.stream, e.revision, first))
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestHeadCache runs with far more streams than the cache holds, so heads are dropped and looked up all the
// time while writers and readers race.
func TestHeadCache(t *testing.T) {
	t.Parallel()
	n := openForTest(t, vfs.NewMem())
	n.heads = newHeads(3)
	const streams, writers, each = 12, 8, 120
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				stream := fmt.Sprintf("s-%d", (i*7+writer)%streams)
				if _, err := n.commit(context.Background(), appendTo(stream, expectAny, uuid.New())); err != nil {
					t.Error(err)
				}
				upto := n.horizon.position()
				h, err := n.durableHead([]byte(stream), upto)
				if err != nil || h.last == noRevision || h.newest() > upto {
					t.Errorf("%s: head %+v as of %d, %v", stream, h, upto, err)
				}
			}
		})
	}
	group.Wait()
	verify(t, n)
	if got := len(seen(t, n)); got != writers*each {
		t.Errorf("%d of %d events", got, writers*each)
	}
	if got := len(n.heads.entries); got > 3 {
		t.Errorf("the cache holds %d heads", got)
	}
}
