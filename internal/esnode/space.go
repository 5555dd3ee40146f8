package esnode

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reservedBytes is how much of the disk appends leave free. What Pebble has taken on already still needs room:
// full memtables, and the copies that a compaction makes. So appends stop earlier, and reading goes on. When
// something else takes the reserve, writes that are under way wait; see disk.
const reservedBytes = 128 << 20

// spaceInterval is how often the disk is looked at. No disk fills the reserve within it.
const spaceInterval = 100 * time.Millisecond

// space watches over the reserve.
type space struct {
	files   vfs.FS
	dir     string
	checked atomic.Int64  // when there was last room enough, in nanoseconds
	waiting *atomic.Int64 // how many writes wait for room
}

// check refuses while the disk is nearly full. After a refusal it looks again each time, so appends go on as
// soon as there is room.
func (s *space) check() error {
	if s.waiting.Load() > 0 {
		return status.Errorf(codes.ResourceExhausted, "the disk of the event store in %s is full; make room and appends go on by themselves", s.dir)
	}
	now := time.Now().UnixNano()
	if now-s.checked.Load() < int64(spaceInterval) {
		return nil
	}
	usage, err := s.files.GetDiskUsage(s.dir)
	// A file system that cannot tell is taken at its word when it writes.
	if err == nil && usage.AvailBytes < reservedBytes {
		return status.Errorf(codes.ResourceExhausted,
			"the disk of the event store in %s has %d MiB left and %d are kept in reserve; make room and appends go on by themselves",
			s.dir, usage.AvailBytes>>20, reservedBytes>>20)
	}
	s.checked.Store(now)
	return nil
}
