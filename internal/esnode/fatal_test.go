package esnode_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/esnode"
)

// fatalFaults are failures of the disk with which Pebble would end the process.
var fatalFaults = map[string]func(name string, kind errorfs.OpKind) bool{
	"sync of the manifest":  func(name string, kind errorfs.OpKind) bool { return isManifest(name) && kind == errorfs.OpFileSync },
	"write to the manifest": func(name string, kind errorfs.OpKind) bool { return isManifest(name) && kind == errorfs.OpFileWrite },
	"creation of a write-ahead log": func(name string, kind errorfs.OpKind) bool {
		return isLog(name) && (kind == errorfs.OpCreate || kind == errorfs.OpReuseForWrite)
	},
	"end of a write-ahead log":       func(name string, kind errorfs.OpKind) bool { return isLog(name) && kind == errorfs.OpFileWrite },
	"sync of the directory":          func(name string, kind errorfs.OpKind) bool { return name == "store" && kind == errorfs.OpFileSync },
	"everything that is not reading": func(_ string, kind errorfs.OpKind) bool { return kind.ReadOrWrite() == errorfs.OpIsWrite },
}

func isManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST") }
func isLog(name string) bool      { return strings.HasSuffix(name, ".log") }

// serveFaulty serves a node whose disk begins to fail as soon as the parent creates the file "fail".
func serveFaulty() error {
	matches := fatalFaults[os.Getenv(childFault)]
	dir := os.Getenv(childDir)
	var armed atomic.Bool
	fault := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() {
			if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "fail")); err != nil {
				return nil
			}
			armed.Store(true)
		}
		if matches(filepath.Base(op.Path), op.Kind) {
			return syscall.EIO
		}
		return nil
	})
	node, err := esnode.OpenOn(errorfs.Wrap(vfs.Default, fault), dir, esnode.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	return errors.Join(node.Serve(untilOrphaned(), os.Getenv(childSocket)), node.Close())
}

// TestFatalFaults lets the disk fail where Pebble would end the process. The node goes on serving reads, takes
// no more writes, says so, and ends when it is asked to. When it is opened again everything acknowledged is
// there.
func TestFatalFaults(t *testing.T) {
	t.Parallel()
	for name := range fatalFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			c := startChild(t, roleNode, dir)
			var said bytes.Buffer
			c.kill()
			c.role, c.fault, c.stderr = roleFaulty, name, &said
			c.start()
			client := c.connect()
			var acked []uuid.UUID
			appendOne := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				e := newEvent(uuid.New())
				e.ContentType, e.Data = esdb.ContentTypeBinary, make([]byte, 512<<10)
				_, err := client.AppendToStream(ctx, "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
				if err == nil {
					acked = append(acked, e.EventID)
				}
				return err
			}
			if err := appendOne(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "fail"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for i := 0; ; i++ {
				if err := appendOne(); err != nil {
					// The append that met the failure may get no answer; those after it are refused.
					if code := status.Code(err); code != codes.Unavailable && code != codes.FailedPrecondition && code != codes.DeadlineExceeded {
						t.Errorf("the append that met the failure: %v", err)
					}
					break
				}
				if i == 200 {
					t.Fatal("nothing failed")
				}
			}
			if err := appendOne(); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("an append after the failure: %v", err)
			}
			events := readStream(t, client, "s-1")
			if len(events) < len(acked) {
				t.Errorf("%d of %d events can be read", len(events), len(acked))
			}
			if err := c.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-c.ended:
				t.Logf("the process ended with %v after %d events", err, len(acked))
			case <-time.After(time.Minute):
				t.Fatal("the process does not end")
			}
			c.ended = nil
			if text := said.String(); strings.Contains(text, "panic:") || strings.Contains(text, "fatal error:") ||
				!strings.Contains(text, "takes no more writes until it is opened again") || !strings.Contains(text, "input/output error") {
				t.Errorf("the process said %s", text)
			}
			r := start(t, dir, esnode.Options{})
			events = readStream(t, connect(t, r.socket), "s-1")
			for i, id := range acked {
				if i >= len(events) || events[i].EventID != id {
					t.Fatalf("acknowledged event %d of %d is not there", i, len(acked))
				}
			}
			if report, err := r.node.Check(t.Context(), esnode.CheckOptions{}); err != nil || len(report.Problems) > 0 {
				t.Errorf("check: %+v, %v", report.Problems, err)
			}
		})
	}
}

// TestSecondProcessEnds starts two processes on one directory: the second says so and ends.
func TestSecondProcessEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startChild(t, roleNode, dir)
	client := first.connect()
	var said bytes.Buffer
	second := &child{tb: t, role: roleNode, dir: dir, socket: filepath.Join(t.TempDir(), "s"), stderr: &said}
	second.start()
	select {
	case err := <-second.ended:
		if err == nil || !strings.Contains(said.String(), dir) || !strings.Contains(said.String(), "in use by another process") {
			t.Errorf("the second process ended with %v and said %s", err, said.String())
		}
	case <-time.After(time.Minute):
		second.kill()
		t.Error("the second process does not end")
	}
	if _, err := esnode.Check(t.Context(), dir, esnode.CheckOptions{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a check of an open store: %v", err)
	}
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
}
