package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/esnode"
)

// A service and the shell of who operates it have different environments, and
// links lead to data directories. The commands reach the running process all
// the same.
func TestStoreCommandsReachTheRunningProcess(t *testing.T) {
	t.Parallel()
	i := newInstallation(t).set("XDG_RUNTIME_DIR", "")
	data := dataDir(i.variable("STEWARD_DATA"))
	name, err := data.runtimeName()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, base := range runtimeBases() {
			_ = os.Remove(filepath.Join(base, name)) // only if it is empty
		}
	})
	p := i.start(t)
	defer p.stop(t)

	link := filepath.Join(shortDir(t), "link")
	if err := os.Symlink(string(data), link); err != nil {
		t.Fatal(err)
	}
	for where, from := range map[string]*installation{
		"another runtime directory":          i.set("XDG_RUNTIME_DIR", shortDir(t)),
		"a runtime directory that is gone":   i.set("XDG_RUNTIME_DIR", "/nonexistent"),
		"a link":                             i.set("STEWARD_DATA", link),
		"a link, another runtime directory":  i.set("STEWARD_DATA", link).set("XDG_RUNTIME_DIR", shortDir(t)),
		"the data directory by another path": i.set("STEWARD_DATA", string(data)+"/../data/"),
	} {
		from.mustRun(t, "store", "stats", "--quick")
		from.mustRun(t, "store", "check")
		from.mustRun(t, "store", "export", filepath.Join(t.TempDir(), "log.ndjson"))
		if code, says := from.fails(t, "store", "restore", t.TempDir()); code != 1 || !strings.Contains(says, "stop it first") {
			t.Errorf("%s: restore beside a running Steward: exit code %d\n%s", where, code, says)
		}
	}
}

// A directory that others could have made proves nothing about who serves in it.
func TestStoreCommandsTrustNoRuntimeDirectoryOfOthers(t *testing.T) {
	base := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", base)
	data := dataDir(filepath.Join(base, "data"))
	socket, err := data.socket()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := esnode.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing was written
	if found, err := data.served(t.Context()); err != nil || found != socket {
		t.Fatalf("found %q, %v", found, err)
	}
	if err := os.Chmod(filepath.Dir(socket), 0o755); err != nil { //nolint:gosec // open on purpose
		t.Fatal(err)
	}
	if found, err := data.served(t.Context()); err != nil || found != "" {
		t.Fatalf("found %q, %v", found, err)
	}
}

// A command of an operator that has the store open for a moment keeps neither
// serve nor another command from what they are to do.
func TestStoreIsHandedOver(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "events")
	first, err := esnode.Open(dir, esnode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused, released := make(chan struct{}), make(chan error, 1)
	go func() {
		<-refused
		released <- first.Close()
	}()
	tries := 0
	var second *esnode.Node
	err = whenFree(t.Context(), func() (err error) {
		second, err = esnode.Open(dir, esnode.Options{})
		if tries++; tries == 1 {
			if !errors.Is(err, esnode.ErrInUse) {
				t.Errorf("a store that is open was opened: %v", err)
			}
			close(refused)
		}
		return err
	})
	if err := errors.Join(err, <-released); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// Who is told to stop does not wait.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if err := whenFree(ended, func() error { return esnode.ErrInUse }); !errors.Is(err, esnode.ErrInUse) || time.Since(began) > handover/2 {
		t.Fatalf("%v after %s", err, time.Since(began))
	}
}

// A misspelled command is no success.
func TestUnknownCommandsFail(t *testing.T) {
	t.Parallel()
	i, _ := storeOnly(t)
	for _, args := range [][]string{{"store", "backups", "/tmp/x"}, {"reactions", "rest"}, {"nonsense"}} {
		if code, says := i.fails(t, args...); code != 1 || !strings.Contains(says, "unknown command") {
			t.Errorf("%v: exit code %d\n%s", args, code, says)
		}
	}
}
