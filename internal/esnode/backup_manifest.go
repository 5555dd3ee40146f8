package esnode

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// backupFormat is written into the manifest; a backup of another format is refused.
	backupFormat = 1
	// BackupManifest is the name of the manifest in the directory of a backup.
	BackupManifest = "BACKUP.json"
	// backupStore is the directory of the store in that of a backup.
	backupStore = "events"
	// lockFile is made by whoever opens a store and holds nothing.
	lockFile = "LOCK"
)

// Backup is the manifest of a backup: what it must consist of.
type Backup struct {
	Format      int       `json:"steward_backup"`
	MadeAt      time.Time `json:"made_at"`
	StoreFormat int       `json:"store_format"`
	// LastPosition is the position of the newest event in the backup.
	LastPosition uint64 `json:"last_position"`
	// Bytes is the size of the records of all events.
	Bytes uint64       `json:"bytes"`
	Files []BackupFile `json:"files"`
	// SHA256 is that of the manifest itself without this field.
	SHA256 string `json:"sha256"`
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Size is what the files take on disk.
func (b Backup) Size() (total uint64) {
	for _, f := range b.Files {
		total += uint64(max(f.Size, 0))
	}
	return total
}

func (b Backup) digest() (string, error) {
	b.SHA256 = ""
	text, err := json.Marshal(b)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// write writes the manifest to the disk.
func (b *Backup) write(dir string) error {
	var err error
	if b.SHA256, err = b.digest(); err != nil {
		return err
	}
	text, err := b.text()
	if err != nil {
		return err
	}
	c := copying{ctx: context.Background()}
	_, err = c.copy(bytes.NewReader(text), filepath.Join(dir, BackupManifest))
	return err
}

// text is the manifest as it stands in its file, byte for byte.
func (b Backup) text() ([]byte, error) {
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

const remedyOtherBackup = "use another backup"

// ReadBackup reads the manifest of the backup in a directory. It fails when there is no complete backup.
func ReadBackup(dir string) (Backup, error) {
	path := filepath.Join(dir, BackupManifest)
	text, err := os.ReadFile(path) //nolint:gosec // the directory that the operator names
	if errors.Is(err, fs.ErrNotExist) {
		return Backup{}, fmt.Errorf("%s is no complete backup, because it holds no %s; name a directory that steward store backup has made", dir, BackupManifest)
	}
	if err != nil {
		return Backup{}, err
	}
	var b Backup
	if err := json.Unmarshal(text, &b); err != nil {
		return Backup{}, &Problem{File: path, Text: "the manifest of the backup is damaged: " + err.Error(), Remedy: remedyOtherBackup}
	}
	if b.Format != backupFormat {
		return Backup{}, fmt.Errorf("%s has format %d and this program reads format %d; use the program that wrote it", path, b.Format, backupFormat)
	}
	if digest, err := b.digest(); err != nil || digest != b.SHA256 {
		return Backup{}, &Problem{File: path, Text: "the manifest of the backup is damaged: its digest is another", Remedy: remedyOtherBackup}
	}
	// The digest is that of the values, and a damaged name of a field whose value is zero changes none.
	if again, err := b.text(); err != nil || !bytes.Equal(again, text) {
		return Backup{}, &Problem{File: path, Text: "the manifest of the backup is damaged: its text is not as it was written", Remedy: remedyOtherBackup}
	}
	return b, nil
}

// VerifyBackup compares every file of a backup with the manifest, byte for byte, and returns what differs.
// Progress is called with how many bytes of how many were read; it may be nil. What the events look like is
// for [Check] to say, of the directory that the backup's store lies in (see [BackupStore]).
func VerifyBackup(ctx context.Context, dir string, progress func(done, total uint64)) (Backup, []Problem, error) {
	b, err := ReadBackup(dir)
	if err != nil {
		return b, nil, err
	}
	problems, err := b.strangers(dir)
	if err != nil {
		return b, nil, err
	}
	c := copying{ctx: ctx, total: b.Size(), progress: progress}
	for _, want := range b.Files {
		path := filepath.Join(BackupStore(dir), want.Name)
		have, err := c.digest(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, Problem{File: path, Text: "the file is missing", Remedy: remedyOtherBackup})
		case ctx.Err() != nil:
			return b, problems, ctx.Err()
		case err != nil:
			problems = append(problems, Problem{File: path, Text: "the file cannot be read: " + err.Error(), Remedy: remedyOtherBackup})
		case have != want:
			problems = append(problems, *differs(path))
		}
	}
	return b, problems, nil
}

func differs(path string) *Problem {
	return &Problem{File: path, Text: "the file is not as it was when the backup was made", Remedy: remedyOtherBackup}
}

// BackupStore is the directory of the store in the directory of a backup.
func BackupStore(dir string) string { return filepath.Join(dir, backupStore) }

// strangers finds what is in a backup and does not belong to it: Pebble would read it.
func (b Backup) strangers(dir string) ([]Problem, error) {
	entries, err := os.ReadDir(BackupStore(dir))
	if err != nil {
		return nil, err
	}
	known := map[string]bool{lockFile: true}
	for _, f := range b.Files {
		known[f.Name] = true
	}
	var problems []Problem
	for _, entry := range entries {
		if !known[entry.Name()] {
			problems = append(problems, Problem{
				File: filepath.Join(BackupStore(dir), entry.Name()), Text: "the file does not belong to the backup", Remedy: "move it away",
			})
		}
	}
	return problems, nil
}
