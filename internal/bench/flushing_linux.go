package main

import (
	"os"
	"syscall"
)

// flushData waits until what was written is on disk, as a write-ahead log does: of
// the file's attributes only the size goes with it.
func flushData(file *os.File) error {
	return os.NewSyscallError("fdatasync", syscall.Fdatasync(int(file.Fd()))) //nolint:gosec // a descriptor is an int
}
