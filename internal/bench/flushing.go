package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
)

// flushedBytes is what is written before each flush: an event of the usual size.
const flushedBytes = 600

// flusher appends to a growing file and has the disk take each write before the
// next one: the least that a durable append can cost.
type flusher struct {
	file *os.File
	text []byte
}

func newFlusher(path string) (*flusher, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // ours
	if err != nil {
		return nil, fmt.Errorf("a file to flush: %w", err)
	}
	return &flusher{file: file, text: bytes.Repeat([]byte("x"), flushedBytes)}, nil
}

// flush is a call for [drive].
func (f *flusher) flush(context.Context, int) (int, error) {
	_, err := f.file.Write(f.text)
	return 0, errors.Join(err, flushData(f.file))
}

func (f *flusher) close() error { return f.file.Close() }
