package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// strayPatience is how long a server that nobody owns gets for each of: a fast shutdown, an immediate one, the
// kernel's.
const strayPatience = 15 * time.Second

// endStray stops the server that a killed predecessor left in dir, and removes a pid file that belongs to nobody.
// The caller holds the lock of dir, so whatever runs there has no owner.
func endStray(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "postmaster.pid")
	pid, err := readPID(file)
	if err != nil || pid == 0 {
		return err
	}
	if !isServerOf(pid, dir) {
		// After a reboot the number may belong to anybody; the server would then refuse to start.
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove stale pid file: %w", err)
		}
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the server (process %d) that a previous run left in %s: %w", pid, dir, err)
		}
		gone, err := awaitEnd(ctx, pid, dir)
		if gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("the server (process %d) that a previous run left in %s cannot be killed: end it by hand", pid, dir)
}

func awaitEnd(ctx context.Context, pid int, dir string) (gone bool, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(strayPatience)
	defer patience.Stop()
	for isServerOf(pid, dir) {
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("wait for a previous server in %s to stop: %w", dir, ctx.Err())
		case <-patience.C:
			return false, nil
		case <-tick.C:
		}
	}
	return true, nil
}

// readPID is the process that a pid file names, 0 without a usable file.
func readPID(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read pid file: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return 0, nil // the server itself copes with an empty or torn file
	}
	return pid, nil
}
