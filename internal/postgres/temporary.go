package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Temporary is a cluster without durability that lives as long as this process and leaves nothing behind. A shell
// guards it: when the pipe from this process closes, which happens however the process ends, it stops the server
// and removes the directory. It needs no goroutine here, so tests that look for leaks see none.
type Temporary struct {
	base  string
	guard *exec.Cmd
	alive *os.File // the end of the pipe that is held open
	once  sync.Once
	err   error
}

// guardScript runs the server in its arguments until the pipe on descriptor 3 closes.
const guardScript = `
base=$1; shift
"$@" 3<&- >"$base/log" 2>&1 &
server=$!
{ read -r _ <&3; : >"$base/asked"; kill -INT "$server"; } &
wait "$server"
if [ -e "$base/asked" ]; then rm -rf "$base"; else kill "$!"; fi
`

// StartTemporary starts a cluster for tests in a directory of its own under the system's temporary directory.
func StartTemporary(ctx context.Context) (*Temporary, error) {
	t, err := startTemporary(ctx)
	if err != nil {
		return nil, fmt.Errorf("start a temporary PostgreSQL: %w", err)
	}
	return t, nil
}

func startTemporary(ctx context.Context) (*Temporary, error) {
	bin, err := FindBinaries(ctx)
	if err != nil {
		return nil, err
	}
	acc := serverAccount()
	if err := acc.reach(bin.Dir); err != nil {
		return nil, err
	}
	base, err := temporaryBase(acc)
	if err != nil {
		return nil, err
	}
	t := &Temporary{base: base}
	if err := t.start(ctx, bin, acc); err != nil {
		_ = t.Stop()
		_ = os.RemoveAll(base)
		return nil, err
	}
	return t, nil
}

func (t *Temporary) start(ctx context.Context, bin Binaries, acc account) error {
	data := filepath.Join(t.base, "data")
	if err := initdb(ctx, bin, acc, data, false); err != nil {
		return err
	}
	server := serverCommand(bin, data, t.base, settings(ClusterOptions{NoSync: true, Settings: map[string]string{
		"max_connections": "400",
		"shared_buffers":  "128MB",
		"wal_level":       "minimal",
		"max_wal_senders": "0",
		"max_wal_size":    "1GB",
		"cluster_name":    "steward-test",
	}}))
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer read.Close() // the guard has its own
	t.alive = write
	args := append([]string{"-c", guardScript, "steward-guard", t.base}, server.Args...)
	t.guard = exec.Command("/bin/sh", args...) //nolint:noctx // the pipe ends it
	t.guard.Dir, t.guard.Env, t.guard.SysProcAttr = "/", server.Env, acc.attr()
	t.guard.ExtraFiles = []*os.File{read}
	if err := t.guard.Start(); err != nil {
		t.guard = nil
		_ = write.Close()
		return fmt.Errorf("as user %s: %w", acc.name, err)
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := pollReady(wait, t.URL("postgres"), t.ended); err != nil {
		log, _ := os.ReadFile(filepath.Join(t.base, "log"))
		return fmt.Errorf("%w%s", err, complaint(string(log)))
	}
	return nil
}

// ended reports whether the guard, and with it the server, is gone. Unlike waiting, asking needs no goroutine.
func (t *Temporary) ended() bool {
	pid, err := syscall.Wait4(t.guard.Process.Pid, nil, syscall.WNOHANG, nil)
	return err != nil || pid == t.guard.Process.Pid
}

// URL is the address of the database name for pgx and psql alike.
func (t *Temporary) URL(name string) string { return socketURL(t.base, name) }

// Stop ends the server and removes its files. Calling it is a courtesy: the end of the process does the same.
func (t *Temporary) Stop() error {
	t.once.Do(func() {
		if t.guard == nil {
			return
		}
		if err := t.alive.Close(); err != nil {
			t.err = fmt.Errorf("stop the temporary PostgreSQL: %w", err)
			return
		}
		if err := t.guard.Wait(); err != nil && !errors.Is(err, syscall.ECHILD) {
			t.err = fmt.Errorf("stop the temporary PostgreSQL: %w", err)
		}
	})
	return t.err
}

// temporaryBase makes a directory that the server's user owns, in the first place that it can reach. $TMPDIR may
// be private to another user.
func temporaryBase(acc account) (string, error) {
	var refused error
	for _, in := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		dir, err := temporaryIn(acc, in)
		if err == nil {
			return dir, nil
		}
		refused = errors.Join(refused, err)
	}
	return "", refused
}

func temporaryIn(acc account, in string) (string, error) {
	if err := acc.reach(in); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(in, "steward-test-")
	if err != nil {
		return "", fmt.Errorf("make temporary directory: %w", err)
	}
	err = checkSocketPath(dir)
	if err == nil && acc.other {
		err = os.Chown(dir, acc.uid, acc.gid)
	}
	if err != nil {
		_ = os.Remove(dir)
		return "", err
	}
	return dir, nil
}
