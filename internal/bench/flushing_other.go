//go:build !linux

package main

import "os"

// flushData waits until what was written is on disk.
func flushData(file *os.File) error { return file.Sync() }
