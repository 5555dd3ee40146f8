package esnode

import (
	"encoding/binary"
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
}

// Node is an open event store. Its methods may be called from any goroutine.
type Node struct {
	dir      string
	log      *slog.Logger
	clock    func() time.Time
	noSync   bool
	instance uuid.UUID
	metrics  *metrics

	db         *pebble.DB
	lock       *pebble.Lock
	unregister func()

	space   space
	heads   *heads
	tail    *tail
	horizon *horizon

	// write serialises what decides about the log: checks, positions, and the order of the batches.
	write       sync.Mutex
	next        uint64 // the position that the next event gets
	last        uint64 // the position of the newest event
	lastCreated int64  // its time: later events are never older
	failure     error  // why nothing is written any more

	stop    sync.Once
	stopped chan struct{}
	close   sync.Once
	closed  error

	servers sync.Mutex
	server  *grpc.Server
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
		instance:   uuid.New(),
		metrics:    newMetrics(),
		unregister: func() {},
		heads:      newHeads(cachedHeads),
		next:       1,
		stopped:    make(chan struct{}),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.clock == nil {
		n.clock = time.Now
	}
	n.space.files, n.space.dir = files, dir
	if err := n.openStore(files); err != nil {
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

// openStore opens Pebble and finds where the log ends. Nothing is scanned: everything that the node needs to
// know stands at the end of the log, or is looked up when a stream is first used.
func (n *Node) openStore(files vfs.FS) (err error) {
	if err := files.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("create the event store directory: %w", err)
	}
	options, release := storeOptions(files, n.log)
	defer release()
	n.lock, err = pebble.LockDirectory(n.dir, options.FS)
	if err != nil {
		return fmt.Errorf("the event store in %s is in use by another process; stop that one, or give this one a directory of its own: %w", n.dir, err)
	}
	options.Lock = n.lock
	n.db, err = pebble.Open(n.dir, options)
	if err != nil {
		return errors.Join(fmt.Errorf("open the event store in %s: %w", n.dir, err), n.lock.Close())
	}
	if err := errors.Join(n.checkFormat(), n.recover()); err != nil {
		return errors.Join(fmt.Errorf("open the event store in %s: %w", n.dir, err), n.db.Close(), n.lock.Close())
	}
	n.horizon = newHorizon(n.last)
	n.tail = &tail{maxBytes: tailBytes, from: n.last}
	return nil
}

// checkFormat marks a new store with the format of this program and refuses one that it cannot read.
func (n *Node) checkFormat() error {
	value, closer, err := n.db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		if err := n.db.Set(formatKey, []byte{formatVersion}, pebble.Sync); err != nil {
			return fmt.Errorf("mark the store's format: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the store's format: %w", err)
	}
	defer closer.Close()
	if len(value) != 1 || value[0] != formatVersion {
		return fmt.Errorf("the store has format %x and this program reads format %d; use the program that wrote it", value, formatVersion)
	}
	return nil
}

// recover takes up the log where it ends. Whatever Pebble brought back from its write-ahead log is on disk.
func (n *Node) recover() (err error) {
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: []byte{familyEvent}, UpperBound: []byte{familyEvent + 1}})
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = closeIterator(it, err) }()
	if !it.Last() {
		return nil
	}
	var e event
	if err := e.decode(binary.BigEndian.Uint64(it.Key()[1:]), it.Value()); err != nil {
		return err
	}
	n.last, n.next, n.lastCreated = e.position, e.position+uint64(len(it.Value())), e.created
	return nil
}

// Close stops serving, ends all subscriptions, waits for the calls that are being answered and closes the
// store. Calling it again does nothing and returns what the first call did.
func (n *Node) Close() error {
	n.close.Do(func() {
		n.shutdown()
		n.write.Lock()
		n.failure = errStopping()
		n.write.Unlock()
		n.unregister()
		n.closed = errors.Join(n.db.Close(), n.lock.Close())
		if n.closed != nil {
			n.closed = fmt.Errorf("close the event store in %s: %w", n.dir, n.closed)
		}
	})
	return n.closed
}

var _ io.Closer = (*Node)(nil)
