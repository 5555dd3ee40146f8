package esnode

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system as Pebble sees it while the node runs. Pebble ends the process when a write to some
// of its files fails, and tries others again at once and for ever. The node wants to go on serving reads, so
// Pebble does not hear of such failures:
//
//   - While the disk is full, whoever writes waits for room. Writes that were under way hang meanwhile, new
//     ones are refused by the node, and everything goes on where it stopped.
//   - After any other failure, that of a sync above all, nothing is tried again: what is on disk then is
//     unknown. The node takes no more writes until it is opened anew. Pebble hears of the failure where it
//     merely passes it on to those who wait for the write, which is its write-ahead log; everywhere else the
//     goroutine that met it stands still from then on, as if the disk had never answered.
//
// Only files of the store are treated so. A backup that is written elsewhere fails like any other program.
type disk struct {
	vfs.FS
	dir     string
	broke   func(error)        // told of the first failure
	full    func(waiting bool) // told when the disk is full, and when it no longer is
	waiting atomic.Int64       // how many wait for room

	opening   atomic.Bool   // Open passes failures on itself
	impatient chan struct{} // closed when nobody shall wait for room any more
	closing   chan struct{} // closed when nothing is written any more but what closing takes
	stuck     chan struct{} // closed when the first goroutine was parked
	hurry     sync.Once
	parked    sync.Once
}

// roomInterval is how often somebody who waits for room looks for it.
const roomInterval = 50 * time.Millisecond

func newDisk(files vfs.FS, dir string, broke func(error), full func(bool)) *disk {
	d := &disk{
		FS: files, dir: dir, broke: broke, full: full,
		impatient: make(chan struct{}), closing: make(chan struct{}), stuck: make(chan struct{}),
	}
	d.opening.Store(true)
	return d
}

// giveUp ends the waiting for room.
func (d *disk) giveUp() { d.hurry.Do(func() { close(d.impatient) }) }

// park holds a goroutine for ever.
func (d *disk) park() {
	d.parked.Do(func() { close(d.stuck) })
	select {}
}

// write carries out an operation that writes to a file of the store. The operation is repeated when there was
// no room for it.
func (d *disk) write(path string, operation func() error) error {
	err := operation()
	if isFull(err) && !d.opening.Load() {
		err = d.awaitRoom(operation)
	}
	if err == nil {
		return nil
	}
	return d.failed(path, err)
}

// awaitRoom repeats an operation until there is room for it, or nobody waits any more.
func (d *disk) awaitRoom(operation func() error) error {
	if d.waiting.Add(1) == 1 {
		d.full(true)
	}
	defer func() {
		if d.waiting.Add(-1) == 0 {
			d.full(false)
		}
	}()
	pause := time.NewTicker(roomInterval)
	defer pause.Stop()
	for {
		if err := operation(); !isFull(err) {
			return err
		}
		select {
		case <-pause.C:
		case <-d.impatient:
			return operation()
		}
	}
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// failed deals with a write that failed for good. It returns the error to those who can live with it.
func (d *disk) failed(path string, err error) error {
	name := d.PathBase(path)
	d.broke(fmt.Errorf("write to %s: %w", path, err))
	switch {
	case strings.HasSuffix(name, ".log"), strings.HasPrefix(name, AcknowledgedFile):
	case strings.HasSuffix(name, ".sst"):
		// Pebble would begin with the table again at once.
		if d.opening.Load() {
			d.park()
		}
		<-d.closing
	case !d.opening.Load():
		d.park()
	}
	return err
}

// mine reports whether a path is a file of the store.
func (d *disk) mine(path string) bool { return d.PathDir(path) == d.dir }

// create carries out an operation that yields a file to write to.
func (d *disk) create(path string, operation func() (vfs.File, error)) (vfs.File, error) {
	if !d.mine(path) {
		return operation()
	}
	var file vfs.File
	err := d.write(path, func() (err error) {
		file, err = operation()
		return err
	})
	if err != nil {
		// A write-ahead log that cannot be begun is nothing that Pebble could pass on.
		if strings.HasSuffix(path, ".log") && !d.opening.Load() {
			d.park()
		}
		return nil, err
	}
	return &diskFile{File: file, disk: d, path: path}, nil
}

// Create implements vfs.FS.
func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.create(name, func() (vfs.File, error) { return d.FS.Create(name, category) })
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.create(newname, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldname, newname, category) })
}

// OpenReadWrite implements vfs.FS.
func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, options ...vfs.OpenOption) (vfs.File, error) {
	return d.create(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, options...) })
}

// OpenDir implements vfs.FS.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	file, err := d.FS.OpenDir(name)
	if err != nil || name != d.dir {
		return file, err
	}
	return &diskFile{File: file, disk: d, path: name}, nil
}

// Rename implements vfs.FS.
func (d *disk) Rename(oldname, newname string) error {
	if !d.mine(newname) {
		return d.FS.Rename(oldname, newname)
	}
	return d.write(newname, func() error { return d.FS.Rename(oldname, newname) })
}

// Unwrap implements vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

// diskFile is a file of the store that is written to, or its directory.
type diskFile struct {
	vfs.File
	disk   *disk
	path   string
	failed atomic.Bool
}

// Write implements vfs.File.
func (f *diskFile) Write(p []byte) (int, error) {
	written := 0
	err := f.write(func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}

// WriteAt implements vfs.File.
func (f *diskFile) WriteAt(p []byte, offset int64) (int, error) {
	written := 0
	err := f.write(func() error {
		n, err := f.File.WriteAt(p[written:], offset+int64(written))
		written += n
		return err
	})
	return written, err
}

// Sync implements vfs.File. A failed sync is never repeated: the kernel may have dropped what it could not
// write, and the next sync would succeed without it.
func (f *diskFile) Sync() error { return f.once(f.File.Sync) }

// SyncData implements vfs.File.
func (f *diskFile) SyncData() error { return f.once(f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *diskFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.once(func() error {
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Close implements vfs.File. Pebble takes the failure of a write-ahead log that it closes to begin another for
// the end of everything, so it does not come back from there, except when the store is closed for good.
func (f *diskFile) Close() error {
	err := f.File.Close()
	if f.failed.Load() && strings.HasSuffix(f.path, ".log") && !f.disk.opening.Load() {
		select {
		case <-f.disk.closing:
		default:
			f.disk.park()
		}
	}
	return err
}

func (f *diskFile) write(operation func() error) error {
	err := f.disk.write(f.path, operation)
	if err != nil {
		f.failed.Store(true)
	}
	return err
}

func (f *diskFile) once(operation func() error) error {
	err := operation()
	if err == nil {
		return nil
	}
	f.failed.Store(true)
	return f.disk.failed(f.path, err)
}
