package esnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// RestoreOptions are the settings of [Restore].
type RestoreOptions struct {
	// Copying is called now and then with how many bytes of how many were copied, and Checking as the
	// progress of the check that follows.
	Copying, Checking func(done, total uint64)
}

// restoring is added to the name of a store's directory while it is being restored.
const restoring = ".restoring"

// Restore makes the store in dir anew from a backup. The files are compared with the manifest while they are
// copied, and the copy is checked as a whole, before the directory gets its name; until then it is called
// dir.restoring, so an interrupted restore leaves nothing that opens as a store. It fails when dir holds
// anything already. The report is that of the check; when it has problems nothing was restored.
func Restore(ctx context.Context, backup, dir string, options RestoreOptions) (_ CheckReport, err error) {
	b, err := ReadBackup(backup)
	if err != nil {
		return CheckReport{}, err
	}
	if b.StoreFormat != formatVersion {
		return CheckReport{}, fmt.Errorf("the store in the backup has format %d and this program reads format %d; use the program that wrote it", b.StoreFormat, formatVersion)
	}
	if err := refuseRestore(dir); err != nil {
		return CheckReport{}, err
	}
	partial := dir + restoring
	if err := makeUnfinished(partial); err != nil {
		return CheckReport{}, err
	}
	restored := false
	defer func() {
		if !restored {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	if err := b.restore(ctx, backup, partial, options.Copying); err != nil {
		return CheckReport{}, fmt.Errorf("restore %s: %w", backup, err)
	}
	report, err := Check(ctx, partial, CheckOptions{Progress: options.Checking})
	if err != nil {
		return report, err
	}
	if report.LastPosition != b.LastPosition {
		report.Problems = append(report.Problems, Problem{
			File: backup, Position: report.LastPosition, Remedy: remedyOtherBackup,
			Text: fmt.Sprintf("the log ends at position %d, and at %d according to the manifest", report.LastPosition, b.LastPosition),
		})
	}
	if len(report.Problems) > 0 {
		return report, nil
	}
	if err := complete(partial, dir); err != nil {
		return report, fmt.Errorf("restore %s: %w", backup, err)
	}
	restored = true
	return report, nil
}

// refuseRestore says why nothing can be restored into a directory.
func refuseRestore(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	lock, err := lockStore(vfs.Default, dir)
	if err != nil {
		return err
	}
	return errors.Join(fmt.Errorf("%s holds an event store already; move it away first, for example: mv %s %s.old", dir, dir, dir), lock.Close())
}

// restore copies the files and syncs them.
func (b Backup) restore(ctx context.Context, backup, to string, progress func(done, total uint64)) error {
	c := copying{ctx: ctx, total: b.Size(), progress: progress}
	for _, want := range b.Files {
		path := filepath.Join(BackupStore(backup), want.Name)
		source, err := os.Open(path) //nolint:gosec // in the directory that the operator names
		if errors.Is(err, fs.ErrNotExist) {
			return &Problem{File: path, Text: "the file is missing", Remedy: remedyOtherBackup}
		}
		if err != nil {
			return err
		}
		have, err := c.copy(source, filepath.Join(to, want.Name))
		if err := errors.Join(err, source.Close()); err != nil {
			return err
		}
		if have != want {
			return differs(path)
		}
	}
	return syncDirectory(to)
}
