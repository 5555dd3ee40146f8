package esnode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// BackupOptions are the settings of [Node.Backup].
type BackupOptions struct {
	// Progress is called now and then with how many bytes of how many were copied.
	Progress func(done, total uint64) `json:"-"`
}

// checkpointDirectory is where a backup gathers the files of one moment, inside the store's directory: only on
// the same file system does that take no time and no room.
const checkpointDirectory = "backup.unfinished"

// unfinished is added to the name of a directory until it is complete.
const unfinished = ".partial"

// Backup copies the store, as it stands now, into a new directory, while it serves. Everything that was
// acknowledged before is in it. Appends wait while the write-ahead log is copied, a fraction of a second; what
// takes long happens beside them. The files are written to disk and recorded with
// their digests in a manifest before the directory gets its name; until then it is called dir.partial.
func (n *Node) Backup(ctx context.Context, dir string, options BackupOptions) (_ Backup, err error) {
	if !n.backups.TryLock() {
		return Backup{}, errors.New("another backup of this event store is under way; wait for it")
	}
	defer n.backups.Unlock()

	dir, err = filepath.Abs(dir)
	if err != nil {
		return Backup{}, err
	}
	if err := refuseBackup(n.dir, dir); err != nil {
		return Backup{}, err
	}
	partial := dir + unfinished
	if err := makeUnfinished(partial); err != nil {
		return Backup{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("back up to %s: %w", dir, err), os.RemoveAll(partial))
		}
	}()
	made, err := n.backUp(ctx, partial, options)
	if err != nil {
		return Backup{}, err
	}
	return made, complete(partial, dir)
}

// complete gives a directory that is complete its name. If anything but an empty directory has that name by
// now, it fails.
func complete(partial, dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(dir))
}

// refuseBackup says why a backup cannot go into a directory.
func refuseBackup(store, dir string) error {
	if absolute, err := filepath.Abs(store); err == nil && (dir == absolute || strings.HasPrefix(dir, absolute+string(filepath.Separator))) {
		return fmt.Errorf("%s is the event store itself, or lies in it; name a directory elsewhere", dir)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty; name a directory that does not exist yet", dir)
	}
	return nil
}

// makeUnfinished makes the directory in which something is put together.
func makeUnfinished(partial string) error {
	err := os.Mkdir(partial, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists: somebody is writing it at this moment, or was interrupted; in the second case remove it", partial)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist; make it first", filepath.Dir(partial))
	}
	return err
}

// backUp fills the directory of a backup.
func (n *Node) backUp(ctx context.Context, partial string, options BackupOptions) (_ Backup, err error) {
	checkpoint := n.files.PathJoin(n.dir, checkpointDirectory)
	defer func() { err = errors.Join(err, n.sweepBackup()) }()
	end, err := n.checkpoint(checkpoint)
	if err != nil {
		return Backup{}, err
	}
	names, total, err := listFiles(n.files, checkpoint)
	if err != nil {
		return Backup{}, err
	}
	if usage, err := vfs.Default.GetDiskUsage(partial); err == nil && usage.AvailBytes < total+reservedBytes {
		return Backup{}, fmt.Errorf("the disk has %d MiB left, and the backup takes %d, with %d more kept in reserve; name a directory on another disk, or make room",
			usage.AvailBytes>>20, total>>20, reservedBytes>>20)
	}
	store := filepath.Join(partial, backupStore)
	if err := os.Mkdir(store, 0o700); err != nil {
		return Backup{}, err
	}
	made := Backup{
		Format: backupFormat, MadeAt: time.Now().UTC().Truncate(time.Second), StoreFormat: formatVersion,
		LastPosition: end.last, Bytes: end.next - 1,
	}
	c := copying{ctx: ctx, stopped: n.stopped, total: total, progress: options.Progress}
	for _, name := range names {
		source, err := n.files.Open(n.files.PathJoin(checkpoint, name))
		if err != nil {
			return made, err
		}
		file, err := c.copy(source, filepath.Join(store, name))
		if err := errors.Join(err, source.Close()); err != nil {
			return made, err
		}
		made.Files = append(made.Files, file)
	}
	// The mark of the running store may be ahead by now. In the backup it says where this log ends.
	if err := writeMark(vfs.Default, store, end.last); err != nil {
		return made, err
	}
	mark, err := c.digest(filepath.Join(store, AcknowledgedFile))
	if err != nil {
		return made, err
	}
	made.Files = append(made.Files, mark)
	slices.SortFunc(made.Files, func(a, b BackupFile) int { return strings.Compare(a.Name, b.Name) })
	return made, errors.Join(made.write(partial), syncDirectory(store), syncDirectory(partial))
}

// sweepBackup removes what a backup gathered. What a killed process has left of one would keep the room of
// tables that the store itself needs no more.
func (n *Node) sweepBackup() error {
	if err := n.files.RemoveAll(n.files.PathJoin(n.dir, checkpointDirectory)); err != nil {
		return fmt.Errorf("remove what a backup has left: %w", err)
	}
	return nil
}

// checkpoint gathers the files of the store, as they are at one moment between two appends, and returns where
// the log ends in them.
func (n *Node) checkpoint(dir string) (_ logEnd, err error) {
	defer n.condition.rescue(&err)
	// Also before the lock, which a write that failed may hold for ever.
	if err := n.condition.writable(); err != nil {
		return logEnd{}, err
	}
	if err := n.space.check(); err != nil {
		return logEnd{}, err
	}
	n.write.Lock()
	defer n.write.Unlock()
	n.closing.RLock()
	defer n.closing.RUnlock()
	if err := n.condition.writable(); err != nil {
		return logEnd{}, err
	}
	began := time.Now()
	if err := n.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return logEnd{}, fmt.Errorf("gather the files of the store: %w", err)
	}
	n.log.Info("appends waited for a backup to begin", "duration", time.Since(began))
	return logEnd{last: n.last, next: n.next}, nil
}

// listFiles returns the names of the files in a directory, and their size.
func listFiles(files vfs.FS, dir string) (names []string, total uint64, err error) {
	if names, err = files.List(dir); err != nil {
		return nil, 0, err
	}
	slices.Sort(names)
	for _, name := range names {
		info, err := files.Stat(files.PathJoin(dir, name))
		if err != nil {
			return nil, 0, err
		}
		total += uint64(max(info.Size(), 0))
	}
	return names, total, nil
}

// copying copies and digests files until it is told to stop.
type copying struct {
	ctx      context.Context
	stopped  <-chan struct{} // nil when no node is running
	done     uint64
	total    uint64
	progress func(done, total uint64)
}

// Write counts what is copied. It implements io.Writer.
func (c *copying) Write(part []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case <-c.stopped:
		return 0, errStopping()
	default:
	}
	c.done += uint64(len(part))
	if c.progress != nil {
		c.progress(min(c.done, c.total), c.total)
	}
	return len(part), nil
}

// copy writes a new file, to the disk too.
func (c *copying) copy(source io.Reader, to string) (BackupFile, error) {
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in the directory that the operator names
	if err != nil {
		return BackupFile{}, err
	}
	file, err := c.through(source, target, filepath.Base(to))
	if err == nil {
		err = target.Sync()
	}
	return file, errors.Join(err, target.Close())
}

// digest reads a file.
func (c *copying) digest(path string) (BackupFile, error) {
	source, err := os.Open(path) //nolint:gosec // in the directory that the operator names
	if err != nil {
		return BackupFile{}, err
	}
	file, err := c.through(source, io.Discard, filepath.Base(path))
	return file, errors.Join(err, source.Close())
}

func (c *copying) through(source io.Reader, target io.Writer, name string) (BackupFile, error) {
	digest := sha256.New()
	// The source may offer to write itself, all at once; progress wants pieces.
	size, err := io.CopyBuffer(io.MultiWriter(c, digest, target), struct{ io.Reader }{source}, make([]byte, 1<<20))
	return BackupFile{Name: name, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}, err
}

// syncDirectory makes sure that the names in a directory are on disk.
func syncDirectory(path string) error {
	dir, err := os.Open(path) //nolint:gosec // in the directory that the operator names
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
