package esnode

import (
	"fmt"
	"math"
)

// What the tests of the other package need of the inside.
var (
	OpenOn  = openOn
	CheckOn = checkOn
)

// SmallBlocks are options for a store with many small blocks, so that there is much to damage in little space.
func SmallBlocks() Options { return Options{blockBytes: 1 << 10} }

// Flush makes Pebble write what it holds in memory into a table.
func (n *Node) Flush() error { return n.db.Flush() }

// Dump returns everything that is known of every event, in the order of the log.
func (n *Node) Dump() ([]string, error) {
	var events []string
	err := n.scan(1, n.horizon.position(), false, func(e *event) (bool, error) {
		events = append(events, e.dump())
		return true, nil
	})
	return events, n.condition.diagnose(err)
}

// DumpStream is Dump for one stream, through its index.
func (n *Node) DumpStream(stream string) ([]string, error) {
	name := parseName([]byte(stream))
	h, err := n.durableHead(name.base, n.horizon.position())
	if err != nil {
		return nil, n.condition.diagnose(err)
	}
	page, err := n.scanStream(name, h, 0, tombstoneRevision, false, math.MaxInt, n.horizon.position())
	var events []string
	for _, at := range page {
		e, failed := n.eventAt(at.position)
		if failed != nil {
			err = failed
			break
		}
		events = append(events, e.dump())
	}
	return events, n.condition.diagnose(err)
}

func (e *event) dump() string {
	return fmt.Sprintf("%d %s@%d %d %s %s %v %x %x", e.position, e.stream, e.revision, e.created, e.id, e.kind, e.json, e.metadata, e.data)
}
