package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bench is one run: the program to measure, a scratch directory, and what the
// figures share.
type bench struct {
	steward  string
	dir      string
	sizes    sizes
	seed     uint64
	progress *progress
	large    *large // made by the first figure that needs it
	servers  int    // started so far, which tells their sockets apart
}

// sizes says how much is measured.
type sizes struct {
	storeRounds   int           // of what is compared, in turn
	storeTime     time.Duration // of appends in each round
	storeSyncTime time.Duration // of one writer, and of fsync alone, in each round
	storeEvents   int           // in the store that is killed, opened and read
	storeReads    int           // events read in each round
	storeDelivery time.Duration

	commandCustomers, commandDomains int
	rounds                           int           // of appends and commands in turn
	appendTime, commandTime          time.Duration // of each round

	members                        int // customers per processor who sign in
	signInRounds                   int // of sign-ins and bare hashes in turn
	signInTime, hashTime, readTime time.Duration

	importRows, importOwners int

	people               int
	listTime, searchTime time.Duration

	customers, domains, events int // of the large installation
	starts                     int
	workTime                   time.Duration // before the memory of an idle process is read
	idleTime                   time.Duration
}

var fullSizes = sizes{
	storeRounds: 5, storeTime: 3 * time.Second, storeSyncTime: time.Second,
	storeEvents: 1_000_000, storeReads: 200_000, storeDelivery: 10 * time.Second,
	commandCustomers: 2_000, commandDomains: 50_000,
	rounds: 3, appendTime: 6 * time.Second, commandTime: 12 * time.Second,
	members: 200, signInRounds: 5, signInTime: 8 * time.Second, hashTime: 5 * time.Second, readTime: 20 * time.Second,
	importRows: 9_800, importOwners: 2_013,
	people: 1_000_000, listTime: 15 * time.Second, searchTime: time.Minute,
	customers: 50_000, domains: 100_000, events: 1_000_000,
	starts: 5, workTime: 15 * time.Second, idleTime: 20 * time.Second,
}

var quickSizes = sizes{
	storeRounds: 1, storeTime: 500 * time.Millisecond, storeSyncTime: 200 * time.Millisecond,
	storeEvents: 20_000, storeReads: 10_000, storeDelivery: time.Second,
	commandCustomers: 200, commandDomains: 1_000,
	rounds: 1, appendTime: time.Second, commandTime: 2 * time.Second,
	members: 40, signInRounds: 1, signInTime: 2 * time.Second, hashTime: time.Second, readTime: 2 * time.Second,
	importRows: 300, importOwners: 60,
	people: 20_000, listTime: time.Second, searchTime: 3 * time.Second,
	customers: 500, domains: 1_000, events: 10_000,
	starts: 1, workTime: time.Second, idleTime: time.Second,
}

// newBench makes the scratch directory. Others may pass it, not look: as root the
// database runs as another user.
func newBench(o options, stderr io.Writer) (*bench, error) {
	steward, err := filepath.Abs(o.steward)
	if err != nil {
		return nil, fmt.Errorf("-steward: %w", err)
	}
	if _, err := os.Stat(steward); err != nil {
		return nil, fmt.Errorf("-steward: %w: build it with make build", err)
	}
	b := &bench{steward: steward, sizes: fullSizes, seed: o.seed, progress: newProgress(stderr)}
	if o.quick {
		b.sizes = quickSizes
	}
	if b.dir, err = os.MkdirTemp(scratchParent(o.dir), "steward-bench-"); err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	if err := errors.Join(os.Chmod(b.dir, 0o711), os.Mkdir(b.runDir(), 0o700)); err != nil {
		return nil, errors.Join(fmt.Errorf("scratch directory: %w", err), os.RemoveAll(b.dir))
	}
	b.progress.say("scratch directory %s", b.dir)
	return b, nil
}

// scratchParent prefers /var/tmp, which is on a disk where /tmp may be memory.
func scratchParent(dir string) string {
	if dir != "" {
		return dir
	}
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return os.TempDir()
}

// runDir is where sockets are: it is short and private.
func (b *bench) runDir() string { return filepath.Join(b.dir, "run") }

// close stops what still runs and removes everything.
func (b *bench) close() error {
	err := b.large.stop()
	if removed := os.RemoveAll(b.dir); removed != nil {
		err = errors.Join(err, fmt.Errorf("remove the scratch directory: %w", removed))
	}
	return err
}

// environment is that of the programs that are started: ours without the
// settings of another Steward, and with sockets in the scratch directory.
func (b *bench) environment(settings ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if name == "STEWARD_PG_BIN" || name != "XDG_RUNTIME_DIR" && !strings.HasPrefix(name, "STEWARD_") {
			env = append(env, pair)
		}
	}
	return append(append(env, "XDG_RUNTIME_DIR="+b.runDir()), settings...)
}

// wait pauses, and returns early when ctx ends.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
