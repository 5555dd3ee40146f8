//go:build linux

package esnode_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/esnode"
)

// TestFullTmpfs fills a small file system under a node in another process, in every way that a disk fills up.
// Writes are refused and reads go on; there is service again as soon as there is room; and nothing that was
// acknowledged is lost, not even when the process is killed while the disk is full.
func TestFullTmpfs(t *testing.T) {
	t.Parallel()
	rounds := 2
	if os.Getenv("STEWARD_TEST_LONG") == "1" {
		rounds = 100
	}
	f := mountTmpfs(t, "224m")
	dir := filepath.Join(f.mount, "store")
	f.child = startChild(t, roleNode, dir)
	client := f.child.connect()
	f.mustAppend(client)

	for range rounds {
		// Another program leaves less than the reserve.
		f.ballast(64 << 20)
		f.refused(client)
		f.reads(client)
		f.room()
		f.mustAppend(client)

		// Another program takes everything while appends run.
		stop := f.appendMeanwhile(client)
		f.ballast(0)
		f.refused(client)
		f.reads(client)
		f.room()
		stop()
		f.mustAppend(client)

		// The process is killed while the disk is full, and cannot begin again until there is room.
		stop = f.appendMeanwhile(client)
		f.ballast(0)
		f.child.kill()
		var said bytes.Buffer
		f.child.stderr = &said
		f.child.start()
		select {
		case err := <-f.child.ended:
			if err == nil || !strings.Contains(said.String(), dir) || !strings.Contains(said.String(), "no space left") {
				t.Errorf("the start on a full disk ends with %v and says %s", err, said.String())
			}
			f.child.ended = nil
		case <-time.After(time.Minute):
			t.Fatal("the start on a full disk does not end")
		}
		f.child.stderr = nil
		f.room()
		f.child.start()
		stop()
		client.Close()
		client = f.child.connect()
		f.mustAppend(client)
	}

	// Appends alone fill the disk up to the reserve.
	for i := 0; ; i++ {
		if err := f.append(client, 512<<10); err != nil {
			if status.Code(err) != codes.ResourceExhausted {
				t.Fatalf("append %d to a disk that fills up: %v", i, err)
			}
			break
		}
		if i == 1000 {
			t.Fatal("the disk never filled")
		}
	}
	f.reads(client)

	// Stopping on a full disk ends, and soon.
	stop := f.appendMeanwhile(client)
	f.ballast(0)
	if err := f.child.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-f.child.ended:
		t.Logf("the node stopped on a full disk: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the node does not stop on a full disk")
	}
	f.child.ended = nil
	f.room()
	f.child.start()
	stop()
	f.reads(f.child.connect())
	f.child.kill()
	report, err := esnode.Check(t.Context(), dir, esnode.CheckOptions{})
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %+v, %v", report.Problems, err)
	}
	t.Logf("%d events acknowledged on a disk that was full %d times", f.acked.Load(), 3*rounds+2)
}

// fullDisk is a small file system and what was promised on it.
type fullDisk struct {
	t     *testing.T
	mount string
	child *child

	acked atomic.Int64
	ids   sync.Map
}

// mountTmpfs mounts a file system in memory for the test, which only root may do.
func mountTmpfs(t *testing.T, size string) *fullDisk {
	t.Helper()
	mount, err := os.MkdirTemp("", "esnode-tmpfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(mount); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a tmpfs cannot be mounted here (%v): run this test as root with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &fullDisk{t: t, mount: mount}
}

// ballast lets another program leave so much room and no more.
func (f *fullDisk) ballast(leave uint64) {
	f.t.Helper()
	file, err := os.Create(filepath.Join(f.mount, "ballast"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		var usage syscall.Statfs_t
		if err := syscall.Statfs(f.mount, &usage); err != nil {
			f.t.Fatal(err)
		}
		if usage.Bavail*uint64(usage.Bsize) <= leave {
			return
		}
		if _, err := file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			f.t.Fatal(err)
		}
	}
}

// room takes the ballast away.
func (f *fullDisk) room() {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.mount, "ballast")); err != nil {
		f.t.Fatal(err)
	}
}

// append appends one event and remembers it when it was acknowledged.
func (f *fullDisk) append(client *esdb.Client, size int) error {
	e := newEvent(uuid.New())
	// Tables are compressed, and zeros would vanish.
	e.ContentType, e.Data = esdb.ContentTypeBinary, make([]byte, size)
	if _, err := rand.Read(e.Data); err != nil {
		return err
	}
	patience := time.Minute
	_, err := client.AppendToStream(context.Background(), "s-"+e.EventID.String(),
		esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}, Deadline: &patience}, e)
	if err == nil {
		f.ids.Store(e.EventID, true)
		f.acked.Add(1)
	}
	return err
}

// mustAppend appends as soon as there is room, without anybody's help but that of the free space.
func (f *fullDisk) mustAppend(client *esdb.Client) {
	f.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := f.append(client, 100)
		if err == nil {
			return
		}
		if status.Code(err) != codes.ResourceExhausted || time.Now().After(deadline) {
			f.t.Fatalf("append when there is room: %v", err)
		}
	}
}

// refused waits until appends are refused, as they must be soon on a full disk.
func (f *fullDisk) refused(client *esdb.Client) {
	f.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		switch err := f.append(client, 100); {
		case status.Code(err) == codes.ResourceExhausted:
			return
		case err != nil:
			f.t.Fatalf("append to a full disk: %v", err)
		case time.Now().After(deadline):
			f.t.Fatal("appends to a full disk are not refused")
		}
	}
}

// appendMeanwhile appends without a break until the function it returns is called, which waits for the last.
func (f *fullDisk) appendMeanwhile(client *esdb.Client) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	running := make(chan struct{}, 4)
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				// What comes of it is seen when everything is read.
				err := f.append(client, 32<<10)
				select {
				case running <- struct{}{}:
				default:
				}
				if err != nil && status.Code(err) != codes.ResourceExhausted {
					return
				}
			}
		})
	}
	<-running
	return func() {
		cancel()
		group.Wait()
	}
}

// reads reads everything and insists that every acknowledged event is there.
func (f *fullDisk) reads(client *esdb.Client) {
	f.t.Helper()
	promised := map[uuid.UUID]bool{}
	f.ids.Range(func(id, _ any) bool {
		promised[id.(uuid.UUID)] = true
		return true
	})
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	found, err := client.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxUint64)
	if err != nil {
		f.t.Fatalf("read from a full disk: %v", err)
	}
	defer found.Close()
	for {
		e, err := found.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.t.Fatalf("read from a full disk: %v", err)
		}
		delete(promised, e.Event.EventID)
	}
	if len(promised) > 0 {
		f.t.Errorf("%d acknowledged events are lost", len(promised))
	}
}
