package esnode

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// AcknowledgedFile is the name of the file in the data directory that holds the mark.
//
// The end of a write-ahead log that was cut off or damaged looks like a write that a crash interrupted, which
// recovery rightly drops. The mark tells the two apart: it is the position up to which the log is known to be
// on disk, written before anybody is told so. It is not synced. What was written outlives the process in any
// case, and when the power fails the file may be older than the log and never newer.
const AcknowledgedFile = "ACKNOWLEDGED"

// mark keeps the file up to date.
type mark struct {
	synced atomic.Uint64 // the newest position that somebody has seen reach the disk

	mu      sync.Mutex
	file    vfs.File
	written atomic.Uint64 // what the file says
}

// advance notes that the log is on disk up to a position and returns how far the mark has come, which is
// there or further: writes that became durable together share one write of the file.
func (m *mark) advance(position uint64) (uint64, error) {
	for {
		synced := m.synced.Load()
		if synced >= position || m.synced.CompareAndSwap(synced, position) {
			break
		}
	}
	if written := m.written.Load(); written >= position {
		return written, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if written := m.written.Load(); written >= position {
		return written, nil
	}
	upto := m.synced.Load()
	if _, err := m.file.WriteAt(encodeMark(upto), 0); err != nil {
		return 0, fmt.Errorf("write %s: %w", AcknowledgedFile, err)
	}
	m.written.Store(upto)
	return upto, nil
}

// close syncs the file, which nothing depends on, and closes it.
func (m *mark) close() error {
	if m.file == nil {
		return nil
	}
	if err := errors.Join(m.file.Sync(), m.file.Close()); err != nil {
		return fmt.Errorf("close %s: %w", AcknowledgedFile, err)
	}
	return nil
}

// encodeMark writes a mark so that people can read it and no damage goes unnoticed. All marks have one
// length, so a mark replaces another in one write.
func encodeMark(position uint64) []byte {
	text := fmt.Appendf(make([]byte, 0, 48), "position %020d", position)
	return fmt.Appendf(text, " crc32c %08x\n", crc32.Checksum(text, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readMark returns what the mark in a directory says, and false when there is none. A mark that cannot be
// believed is a *Problem.
func readMark(files vfs.FS, dir string) (position uint64, exists bool, err error) {
	path := files.PathJoin(dir, AcknowledgedFile)
	file, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("open %s: %w", path, err)
	}
	content, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return 0, true, fmt.Errorf("read %s: %w", path, err)
	}
	if _, err := fmt.Sscanf(string(content), "position %d", &position); err != nil || string(encodeMark(position)) != string(content) {
		return 0, true, &Problem{
			File: path, Text: "the file is damaged, so it cannot say whether the end of the log is missing",
			Remedy: "run: steward store check; if it finds nothing else wrong, remove this file and start again",
		}
	}
	return position, true, nil
}

// openMark opens the mark of a store whose log ends at a position, and makes one if there is none: stores
// that were written before there were marks have none.
func openMark(files vfs.FS, dir string, last uint64) (*mark, error) {
	path := files.PathJoin(dir, AcknowledgedFile)
	if _, err := files.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := writeMark(files, dir, last); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	file, err := files.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	m := &mark{file: file}
	if _, err := m.advance(last); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
}

// writeMark makes a mark. A crash leaves the whole of it or none.
func writeMark(files vfs.FS, dir string, position uint64) (err error) {
	path := files.PathJoin(dir, AcknowledgedFile)
	temporary := path + ".tmp"
	defer func() {
		if err != nil {
			err = fmt.Errorf("create %s: %w", path, err)
		}
	}()
	file, err := files.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(encodeMark(position))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := files.Rename(temporary, path); err != nil {
		return err
	}
	directory, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
