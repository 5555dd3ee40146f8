package esnode

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fault makes operations on some files fail while it is armed.
type fault struct {
	name  string // what the file's name begins or ends with
	kinds []errorfs.OpKind
	err   error
	armed atomic.Bool
	hits  atomic.Int64
}

// String implements errorfs.Injector.
func (f *fault) String() string { return "fault" }

// MaybeError implements errorfs.Injector.
func (f *fault) MaybeError(op errorfs.Op) error {
	name := path.Base(op.Path)
	if !f.armed.Load() || !strings.HasSuffix(name, f.name) && !strings.HasPrefix(name, f.name) {
		return nil
	}
	for _, kind := range f.kinds {
		if op.Kind == kind {
			f.hits.Add(1)
			return f.err
		}
	}
	return nil
}

var (
	writeOps = []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}
	syncOps  = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
)

// TestFailedWrite lets the disk fail under a node in ways that Pebble survives. The node takes no more writes
// until it is opened again, even when the disk is well again, and everything acknowledged can still be read.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fault{
		"sync of the write-ahead log":     {name: ".log", kinds: syncOps, err: syscall.EIO},
		"write to the write-ahead log":    {name: ".log", kinds: writeOps, err: syscall.EIO},
		"no room for a sync":              {name: ".log", kinds: syncOps, err: syscall.ENOSPC},
		"write of the mark":               {name: AcknowledgedFile, kinds: writeOps, err: syscall.EIO},
		"write of a table":                {name: ".sst", kinds: writeOps, err: syscall.EIO},
		"sync of a table":                 {name: ".sst", kinds: syncOps, err: syscall.EIO},
		"creation of a table":             {name: ".sst", kinds: []errorfs.OpKind{errorfs.OpCreate}, err: syscall.EIO},
		"write of a table, not permitted": {name: ".sst", kinds: writeOps, err: syscall.EPERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory := vfs.NewMem()
			n, err := openOn(errorfs.Wrap(memory, f), "store", Options{})
			if err != nil {
				t.Fatal(err)
			}
			acked := appendTwice(t, n, nil)
			f.armed.Store(true)
			if f.name == ".sst" {
				flush(t, n)
				<-n.condition.ended
			}
			acked = appendTwice(t, n, acked)
			if f.hits.Load() == 0 {
				t.Fatal("nothing failed")
			}
			f.armed.Store(false)
			hits := f.hits.Load()
			for range 3 {
				if _, err := n.commit(t.Context(), appendTo("s", expectAny, uuid.New())); status.Code(err) != codes.FailedPrecondition {
					t.Errorf("append after a failed write: %v", err)
				}
			}
			if _, err := n.commit(t.Context(), appendTo("s", 12345, uuid.New())); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("refusal after a failed write: %v", err)
			}
			sameIDs(t, seen(t, n), acked)
			closed := make(chan error, 1)
			go func() { closed <- n.Close() }()
			select {
			case err := <-closed:
				t.Logf("close: %v", err)
			case <-time.After(30 * time.Second):
				t.Fatal("the node does not close")
			}
			if f.hits.Load() > hits+1 {
				t.Errorf("what failed was tried %d times again", f.hits.Load()-hits)
			}
			n = openForTest(t, memory)
			found := seen(t, n)
			sameIDs(t, found[:len(acked)], acked)
			if report, err := n.Check(t.Context(), CheckOptions{}); err != nil || len(report.Problems) > 0 {
				t.Errorf("check: %+v, %v", report.Problems, err)
			}
		})
	}
}

// TestBackupMeetsAFailedWrite lets the disk fail when a backup brings the write-ahead log to it. The backup
// fails, and so do appends and backups from then on; reads go on and nothing acknowledged is lost.
func TestBackupMeetsAFailedWrite(t *testing.T) {
	t.Parallel()
	for name, kinds := range map[string][]errorfs.OpKind{"sync": syncOps, "write": writeOps} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fault{name: ".log", kinds: kinds, err: syscall.EIO}
			memory := vfs.NewMem()
			n, err := openOn(errorfs.Wrap(memory, f), "store", Options{})
			if err != nil {
				t.Fatal(err)
			}
			acked := appendTwice(t, n, nil)
			f.armed.Store(true)
			for range 2 {
				dir := filepath.Join(t.TempDir(), "backup")
				if _, err := n.Backup(t.Context(), dir, BackupOptions{}); status.Code(err) != codes.Unavailable {
					t.Errorf("backup: %v", err)
				}
				if left, err := filepath.Glob(dir + "*"); err != nil || len(left) > 0 {
					t.Errorf("the failed backup has left %v, %v", left, err)
				}
			}
			if _, err := n.commit(t.Context(), appendTo("s", expectAny, uuid.New())); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("append after a failed write: %v", err)
			}
			sameIDs(t, seen(t, n), acked)
			f.armed.Store(false)
			t.Logf("close: %v", n.Close())
			sameIDs(t, seen(t, openForTest(t, memory)), acked)
		})
	}
}

// appendTwice appends two events, or fewer when one is refused, and adds their ids to those of before.
func appendTwice(t *testing.T, n *Node, acked []uuid.UUID) []uuid.UUID {
	t.Helper()
	for range 2 {
		w := appendTo("s", expectAny, uuid.New())
		result, err := n.commit(context.Background(), w)
		switch code := status.Code(err); {
		case code == codes.Unavailable, code == codes.FailedPrecondition, code == codes.ResourceExhausted:
			return acked
		case err != nil || result.outcome != accepted:
			t.Errorf("append: %+v, %v", result, err)
		}
		acked = append(acked, w.events[0].id)
	}
	return acked
}

// flush makes Pebble write a table.
func flush(t *testing.T, n *Node) {
	t.Helper()
	if _, err := n.db.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
}

func sameIDs(t *testing.T, got, want []uuid.UUID) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d of %d events", len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("event %d is another", i)
			return
		}
	}
}

// TestWaitForRoom fills the disk for a while. Writes under way wait, also when they were begun already.
func TestWaitForRoom(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".log", ".sst", "MANIFEST", AcknowledgedFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fault{name: name, kinds: append(writeOps, errorfs.OpCreate, errorfs.OpReuseForWrite), err: syscall.ENOSPC}
			n := openForTest(t, errorfs.Wrap(vfs.NewMem(), f))
			acked := appendTwice(t, n, nil)
			f.armed.Store(true)
			answered := make(chan []uuid.UUID, 1)
			if name == ".sst" || name == "MANIFEST" {
				flush(t, n)
				answered <- nil
			} else {
				go func() { answered <- appendTwice(t, n, nil) }()
			}
			waitUntil(t, "somebody waits for room", func() bool { return n.disk.waiting.Load() > 0 && f.hits.Load() > 2 })
			if _, err := n.commit(t.Context(), appendTo("t", expectAny, uuid.New())); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("append to a full disk: %v", err)
			}
			sameIDs(t, seen(t, n), acked)

			f.armed.Store(false)
			// The first of the two was under way. The second may have come too early.
			acked = append(acked, <-answered...)
			waitUntil(t, "nobody waits any more", func() bool { return n.disk.waiting.Load() == 0 })
			acked = appendTwice(t, n, acked)
			sameIDs(t, seen(t, n), acked)
			if len(acked) < 4 {
				t.Errorf("only %d appends were answered", len(acked))
			}
		})
	}
}

// waitUntil waits until something is so.
func waitUntil(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// TestDamageFoundInTheBackground damages a table that a compaction comes upon. The node goes on with what can be
// read, takes no more writes, and tells whoever watches its metrics.
func TestDamageFoundInTheBackground(t *testing.T) {
	t.Parallel()
	files := vfs.NewMem()
	n, err := openOn(files, "store", Options{blockBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var acked []uuid.UUID
	for range 100 {
		acked = appendTwice(t, n, acked)
	}
	if err := errors.Join(n.Flush(), n.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := files.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			file, err := files.OpenReadWrite("store/"+name, vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.WriteAt([]byte("damage"), 3000)
			if err := errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}

	registry := prometheus.NewRegistry()
	n, err = openOn(files, "store", Options{blockBytes: 1 << 10, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	var late []uuid.UUID
	for range 4 {
		// So many tables are put together.
		late = appendTwice(t, n, late)
		if err := n.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	waitUntil(t, "a compaction finds the damage", func() bool { return n.condition.damagedFiles() == 1 })
	if _, err := n.commit(t.Context(), appendTo("s", expectAny, uuid.New())); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("append to a damaged store: %v", err)
	}
	for name, want := range map[string]float64{"writable": 0, "damaged_files": 1, "disk_waits": 0} {
		got := -1.0
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "steward_esnode_"+name {
				got = family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		if got != want {
			t.Errorf("the metric %s is %v, want %v", name, got, want)
		}
	}
	var read []uuid.UUID
	err = n.scan(n.last, n.last, false, func(e *event) (bool, error) {
		read = append(read, e.id)
		return true, nil
	})
	if err != nil || len(read) != 1 || read[0] != late[len(late)-1] {
		t.Errorf("reading what is whole: %v, %v", read, err)
	}
	if _, err := n.Dump(); status.Code(err) != codes.DataLoss {
		t.Errorf("reading what is damaged: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestShortWriteIsContinued shows that a write that stopped half-way goes on where it stopped.
func TestShortWriteIsContinued(t *testing.T) {
	t.Parallel()
	d := newDisk(&shortFS{FS: vfs.NewMem()}, ".", func(err error) { t.Error(err) }, func(bool) {})
	d.opening.Store(false)
	file, err := d.Create("f.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := file.Write([]byte("abcdefgh")); n != 8 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := d.Open("f.log")
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 16)
	if n, _ := read.Read(content); string(content[:n]) != "abcdefgh" {
		t.Errorf("the file holds %q", content[:n])
	}
	if err := read.Close(); err != nil {
		t.Error(err)
	}
}

// shortFS is a full disk that has room for three more bytes each time.
type shortFS struct{ vfs.FS }

func (s *shortFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := s.FS.Create(name, category)
	return shortFile{file}, err
}

type shortFile struct{ vfs.File }

func (f shortFile) Write(p []byte) (int, error) {
	if len(p) <= 3 {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:3])
	return n, errors.Join(err, syscall.ENOSPC)
}
