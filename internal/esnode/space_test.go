package esnode

import (
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// smallDisk is a file system whose free space the test decides.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

// GetDiskUsage implements vfs.FS.
func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 30}, nil
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	n := openForTest(t, disk)
	first, second := uuid.New(), uuid.New()
	if _, err := n.commit(t.Context(), appendTo("s", expectNoStream, first)); status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("append to a full disk: %v", err)
	}
	if got := seen(t, n); len(got) != 0 {
		t.Errorf("a refused append wrote %d events", len(got))
	}
	disk.free.Store(1 << 30)
	for expected, id := range []uuid.UUID{first, second} {
		if _, err := n.commit(t.Context(), appendTo("s", int64(expected)-1, id)); err != nil {
			t.Fatalf("append when there is room again: %v", err)
		}
	}
	disk.free.Store(0)
	n.space.checked.Store(0)
	if _, err := n.commit(t.Context(), appendTo("s", 1, uuid.New())); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("append to a full disk: %v", err)
	}
	// A repeat writes nothing, and may be how somebody learns what became of the first.
	if got, err := n.commit(t.Context(), appendTo("s", 0, second)); err != nil || got.outcome != repeated {
		t.Errorf("repeat on a full disk: %+v, %v", got, err)
	}
	if got := seen(t, n); len(got) != 2 {
		t.Errorf("reading finds %d of 2 events", len(got))
	}
}
