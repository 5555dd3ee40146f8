package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse means that another live process runs the cluster of the same directory.
var ErrInUse = errors.New("data directory is in use")

// lockDir takes the lock beside dir that says whose cluster it is. The kernel drops it with the process, so a
// lock that can be taken proves that the previous owner is gone, however it ended.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		owner, _ := io.ReadAll(io.LimitReader(f, 32)) // only for the message
		_ = f.Close()
		return nil, fmt.Errorf("%w: process %s runs the PostgreSQL cluster in %s; stop it first or choose another directory",
			ErrInUse, strings.TrimSpace(string(owner)), dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := f.Truncate(0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write lock file: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write lock file: %w", err)
	}
	return f, nil
}

// unlockDir gives the lock back at once. Closing alone would not: a child that is being started at this moment
// still holds a copy of the descriptor.
func unlockDir(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}
