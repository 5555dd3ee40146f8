package esnode

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
)

// Options are the settings of a node. The zero value is right for production.
type Options struct {
	// Logger gets what an operator should know; by default nothing is logged.
	Logger *slog.Logger
	// NoSync acknowledges appends before they are on disk. Only tests whose data nobody will miss set it.
	NoSync bool
	// Clock gives the time of events and of $maxAge; by default time.Now.
	Clock func() time.Time
	// Registerer gets the node's metrics until Close; by default they are not published.
	Registerer prometheus.Registerer

	// blockBytes is the size of the blocks of tables, for tests that want many of them.
	blockBytes int
}

// Node is an open event store. Its methods may be called from any goroutine.
type Node struct {
	dir        string
	log        *slog.Logger
	clock      func() time.Time
	noSync     bool
	blockBytes int
	instance   uuid.UUID
	metrics    *metrics

	files      vfs.FS
	db         *pebble.DB
	lock       *pebble.Lock
	mark       *mark
	unregister func()

	condition *condition
	disk      *disk

	space   space
	heads   *heads
	tail    *tail
	horizon *horizon

	// write serialises what decides about the log: checks, positions, and the order of the batches.
	write       sync.Mutex
	next        uint64 // the position that the next event gets
	last        uint64 // the position of the newest event
	lastCreated int64  // its time: later events are never older

	stop     sync.Once
	stopped  chan struct{}
	desert   sync.Once
	deserted chan struct{} // closed when calls were left behind that will never end
	closing  sync.RWMutex  // held for reading by what must end before the store is closed
	close    sync.Once
	closed   error

	servers sync.Mutex
	server  *grpc.Server

	backups sync.Mutex // one backup at a time
}

// formatVersion is written into a new store; a store of another version is refused.
const formatVersion = 1

const (
	cachedHeads = 32 << 10
	tailBytes   = 8 << 20
)

// Open opens the store in dir and creates it when there is none. Only one process can have a store open; in
// a second one Open fails and says so. The caller must Close the node.
func Open(dir string, options Options) (*Node, error) {
	return openOn(vfs.Default, dir, options)
}

// openOn is Open on a file system of the caller's choice.
func openOn(files vfs.FS, dir string, options Options) (*Node, error) {
	n := &Node{
		dir:        dir,
		log:        options.Logger,
		clock:      options.Clock,
		noSync:     options.NoSync,
		blockBytes: options.blockBytes,
		instance:   uuid.New(),
		metrics:    newMetrics(),
		unregister: func() {},
		heads:      newHeads(cachedHeads),
		next:       1,
		stopped:    make(chan struct{}),
		deserted:   make(chan struct{}),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.clock == nil {
		n.clock = time.Now
	}
	n.condition = newCondition(dir, n.log)
	n.disk = newDisk(files, dir, func(err error) { _ = n.condition.fail(err) }, n.reportFull)
	n.files, n.space.files, n.space.dir, n.space.waiting = files, files, dir, &n.disk.waiting
	if err := n.openStore(); err != nil {
		return nil, err
	}
	if options.Registerer != nil {
		unregister, err := n.register(options.Registerer)
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
		n.unregister = unregister
	}
	n.log.Info("event store open", "directory", dir, "position", n.last)
	return n, nil
}

// openStore makes sure that the log is whole, opens it and finds where it ends. Only what came from the
// write-ahead log is scanned: everything else that the node needs to know stands at the end of the log, or is
// looked up when a stream is first used.
func (n *Node) openStore() (err error) {
	if err := n.files.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("create the event store directory: %w", err)
	}
	n.lock, err = lockStore(n.files, n.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the event store in %s: %w", n.dir, err), n.lock.Close())
		}
	}()
	if err := n.verify(); err != nil {
		return err
	}
	return n.orStuck(n.openForWriting)
}

// orStuck does something with Pebble that writes. When a goroutine of Pebble's stands still because a write
// failed, it does not wait for it to go on.
func (n *Node) orStuck(do func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer n.condition.rescue(&err)
		err = do()
	}()
	select {
	case err := <-done:
		return err
	case <-n.disk.stuck:
	}
	return fmt.Errorf("the files stay locked until this process ends: %w", n.condition.writable())
}

func (n *Node) openForWriting() (err error) {
	options, release := storeOptions(n.disk, storeLog{n.log, n.endPebble}, n.condition.damage)
	defer release()
	if n.blockBytes > 0 {
		for i := range options.Levels {
			options.Levels[i].BlockSize = n.blockBytes
		}
	}
	options.Lock = n.lock
	n.db, err = pebble.Open(n.dir, options)
	if err != nil {
		return openProblem(n.dir, err)
	}
	if err := errors.Join(n.takeUp(), n.sweepBackup()); err != nil {
		return errors.Join(err, n.db.Close())
	}
	n.disk.opening.Store(false)
	return nil
}

// endPebble is what happens when Pebble cannot go on: nothing is written any more, and the goroutine that found
// out stands still with whatever locks it holds. Most reads need none of them.
func (n *Node) endPebble(message string) {
	_ = n.condition.fail(fmt.Errorf("pebble cannot go on: %s", message))
	n.disk.park()
}

// reportFull tells the operator that the disk is full, and when it no longer is.
func (n *Node) reportFull(full bool) {
	if full {
		n.log.Error("the disk of the event store is full: writes wait until there is room, reads go on", "directory", n.dir)
		return
	}
	n.log.Info("the event store writes again", "directory", n.dir)
}

// verify looks at the store before anything in it is changed: Pebble removes the files that a damaged
// manifest does not name, and with them what could still be saved.
func (n *Node) verify() (err error) {
	return look(n.files, n.dir, n.lock, func(s *inspected) error {
		if s == nil {
			return nil
		}
		if s.mark != nil {
			return s.mark
		}
		if _, err := readFormat(s.db); err != nil {
			return unreadable(n.dir, err)
		}
		end, err := lastEvent(s.db, false)
		if err != nil {
			return unreadable(n.dir, err)
		}
		if end.last < s.acknowledged {
			return lostEnd(n.files, n.dir, end, s.acknowledged)
		}
		if err := verifyReplay(s.db); err != nil {
			return unreadable(n.dir, err)
		}
		return nil
	})
}

// takeUp continues the log where it ends. Whatever Pebble brought back from its write-ahead log is on disk.
func (n *Node) takeUp() error {
	marked, err := readFormat(n.db)
	if err != nil {
		return unreadable(n.dir, err)
	}
	if !marked {
		if err := n.db.Set(formatKey, []byte{formatVersion}, pebble.Sync); err != nil {
			return fmt.Errorf("mark the store's format: %w", err)
		}
	}
	end, err := lastEvent(n.db, false)
	if err != nil {
		return unreadable(n.dir, err)
	}
	n.last, n.next, n.lastCreated = end.last, end.next, end.created
	n.horizon = newHorizon(n.last)
	n.tail = &tail{maxBytes: tailBytes, from: n.last}
	n.mark, err = openMark(n.disk, n.dir, n.last)
	return err
}

// readFormat refuses a store that this program cannot read. A store without a format was not finished by the
// process that created it, and is empty.
func readFormat(db pebble.Reader) (found bool, err error) {
	value, closer, err := db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the store's format: %w", err)
	}
	defer closer.Close()
	if len(value) != 1 || value[0] != formatVersion {
		return false, fmt.Errorf("the store has format %x and this program reads format %d; use the program that wrote it", value, formatVersion)
	}
	return true, nil
}

// Close stops serving, ends all subscriptions, waits for the calls that are being answered and closes the
// store. Calling it again does nothing and returns what the first call did.
//
// When a write failed so that Pebble could not go on, Close leaves the files as they are, says so, and keeps them
// locked until the process ends. Nothing acknowledged is lost by that.
func (n *Node) Close() error {
	n.close.Do(func() {
		n.shutdown()
		n.unregister()
		whole := n.condition.end(errStopping())
		n.closed = n.orStuck(func() error { return n.closeStore(whole) })
		if n.closed != nil {
			n.closed = fmt.Errorf("close the event store in %s: %w", n.dir, n.closed)
		}
	})
	return n.closed
}

// closeStore closes Pebble, which syncs the log, and marks its end if all of it was written.
func (n *Node) closeStore(whole bool) error {
	n.write.Lock()
	defer n.write.Unlock()
	n.closing.Lock()
	defer n.closing.Unlock()
	close(n.disk.closing)
	err := n.db.Close()
	if err == nil && whole {
		_, err = n.mark.advance(n.last)
	}
	return errors.Join(err, n.mark.close(), n.lock.Close())
}

var _ io.Closer = (*Node)(nil)
