package esnode

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// condition is what is wrong with a running node. Both ends of writing last until the store is opened again;
// reads go on as far as they can.
type condition struct {
	dir string
	log *slog.Logger

	ended chan struct{} // closed when writing ends

	mu      sync.Mutex
	failure error           // why nothing is written any more; nil while there is writing
	damaged map[string]bool // the files in which damage was found
}

func newCondition(dir string, log *slog.Logger) *condition {
	return &condition{dir: dir, log: log, ended: make(chan struct{}), damaged: make(map[string]bool)}
}

// writable returns why nothing can be written, nil when it can.
func (c *condition) writable() error {
	select {
	case <-c.ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.failure
	default:
		return nil
	}
}

// refusal is [condition.writable] for a write that has not begun. Unlike one that met
// the failure itself, whose fate only the next start finds out, it was certainly not
// carried out, and its code says so.
func (c *condition) refusal() error {
	err := c.writable()
	if err == nil || errors.Is(err, errShutdown) {
		return err
	}
	return status.Error(codes.FailedPrecondition, status.Convert(err).Message())
}

// end stops all further writes for a reason that the callers see, unless they have been stopped before. It
// reports whether it was the first.
func (c *condition) end(reason error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return false
	}
	c.failure = reason
	close(c.ended)
	return true
}

// fail stops all further writes: after a write of unknown fate the node's memory and the disk may differ, and
// only opening the store again tells which of the two is right. It returns what callers shall see.
func (c *condition) fail(err error) error {
	if c.end(errFailed(err)) {
		c.log.Error("the event store takes no more writes until it is opened again; reads go on", "directory", c.dir, "error", err)
	}
	return c.writable()
}

// damage takes note of a file that cannot be read, and stops all further writes: nothing is put on top of a
// log that is not whole.
func (c *condition) damage(file string, err error) {
	c.mu.Lock()
	known := c.damaged[file]
	c.damaged[file] = true
	c.mu.Unlock()
	if known {
		return
	}
	c.log.Error("the event store is damaged and takes no more writes; reads of the damaged part fail, all others go on",
		"file", file, "error", describe(err), "remedy", "run: steward store check; then "+remedyRestore)
	c.end(status.Error(codes.Unavailable, "the event store found damage in its files and takes no more writes; its operator finds the details in its log"))
}

// damagedFiles returns in how many files damage was found.
func (c *condition) damagedFiles() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.damaged)
}

// diagnose makes a status of what went wrong with the store. What the client sees names no files; those are
// for the operator.
func (c *condition) diagnose(err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	file := c.dir
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		file = info.Path
	}
	c.damage(file, err)
	return status.Error(codes.DataLoss, "the event store cannot read this part of its data; its operator finds the details in its log")
}

// healthCollectors tell whether the node can write and whether its files are whole.
func (n *Node) healthCollectors() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "steward", Subsystem: "esnode", Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("writable", "1 while appends are taken, 0 after a failed write or when damage was found, until the store is opened again.", func() float64 {
			if n.condition.writable() != nil {
				return 0
			}
			return 1
		}),
		gauge("damaged_files", "Files of the store in which damage was found.", func() float64 { return float64(n.condition.damagedFiles()) }),
		gauge("disk_waits", "Writes that wait because the disk is full.", func() float64 { return float64(n.disk.waiting.Load()) }),
	}
}

// fatal is what Pebble's last word becomes in a goroutine of the node's.
type fatal struct{ message string }

// rescue turns the end of the world, as Pebble sees it, into the failure of one call.
func (c *condition) rescue(err *error) {
	switch r := recover().(type) {
	case nil:
	case fatal:
		*err = c.fail(fmt.Errorf("pebble cannot go on: %s", r.message))
	default:
		panic(r)
	}
}
