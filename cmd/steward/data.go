package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// dataDir is a directory that holds an installation.
type dataDir string

// defaultData is where dev keeps its installation: a place that the database's
// own user can reach, which root's home is not.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/steward"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "steward")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "steward")
	}
	return filepath.Join(home, ".local", "share", "steward")
}

func (d dataDir) events() string    { return filepath.Join(string(d), "events") }
func (d dataDir) postgres() string  { return filepath.Join(string(d), "postgres") }
func (d dataDir) masterKey() string { return filepath.Join(string(d), "master.key") }
func (d dataDir) keys() string      { return filepath.Join(string(d), "api-keys.json") }
func (d dataDir) access() string    { return filepath.Join(string(d), "import.json") }
func (d dataDir) instance() string  { return filepath.Join(string(d), "instance.json") }

// private reports whether the directory holds a database of its own.
func (d dataDir) private() bool {
	_, err := os.Stat(d.postgres())
	return err == nil
}

// create makes the directory unless there is one: others may pass, since the
// database may run as another user, but not look.
func (d dataDir) create() error {
	if _, err := os.Stat(string(d)); err == nil {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o711); err != nil {
		return fmt.Errorf("data directory: %w: choose another one", err)
	}
	if err := os.Chmod(string(d), 0o711); err != nil { //nolint:gosec // passable on purpose, whatever the umask
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// holdsEvents reports whether the directory has an event store.
func (d dataDir) holdsEvents() bool {
	_, err := os.Stat(d.events())
	return err == nil
}

// socket is where the embedded event store of this directory listens, in a
// directory that it makes. The path of a Unix socket has at most 108 bytes, so
// it lies in a short directory whose name derives from the data directory.
func (d dataDir) socket() (string, error) {
	name, err := d.runtimeName()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(runtimeBases()[0], name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("runtime directory: %w", err)
	}
	own, err := ownDirectory(dir)
	if err != nil {
		return "", fmt.Errorf("runtime directory: %w", err)
	}
	if !own {
		return "", fmt.Errorf("runtime directory %s must be a directory of mode 0700 that belongs to you: remove it", dir)
	}
	return filepath.Join(dir, socketName), nil
}

// served returns the socket on which a running process serves the event store
// of this directory, and the empty text when none does. A service and the shell
// of who operates it seldom have the same XDG_RUNTIME_DIR, so it looks wherever
// this user's processes may listen.
func (d dataDir) served(ctx context.Context) (string, error) {
	name, err := d.runtimeName()
	if err != nil {
		return "", err
	}
	for _, base := range runtimeBases() {
		dir := filepath.Join(base, name)
		// In a directory of somebody else there may be an impostor.
		if own, err := ownDirectory(dir); err != nil || !own {
			continue
		}
		if socket := filepath.Join(dir, socketName); answers(ctx, socket) {
			return socket, nil
		}
	}
	return "", nil
}

const socketName = "events.sock"

// runtimeName derives from where the data directory really is, whatever links
// lead to it.
func (d dataDir) runtimeName() (string, error) {
	path, err := filepath.Abs(string(d))
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	sum := sha256.Sum256([]byte(path))
	return "steward-" + hex.EncodeToString(sum[:6]), nil
}

// runtimeBases are the directories in which a runtime directory of this user
// may lie: first the one where this process makes its own.
func runtimeBases() []string {
	var bases []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && len(dir) < 60 {
		bases = append(bases, dir)
	}
	if os.Geteuid() == 0 {
		bases = append(bases, "/run")
	}
	return append(bases, "/tmp", fmt.Sprintf("/run/user/%d", os.Geteuid()))
}

// ownDirectory reports whether a directory is this user's alone.
func ownDirectory(dir string) (bool, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && info.Mode().Perm() == 0o700 && ok && int(stat.Uid) == os.Geteuid(), nil
}

// writeSecret writes v as JSON into a file that only its owner can read,
// replacing it as a whole.
func writeSecret(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// readSecret reads what writeSecret wrote. It returns false when there is no
// such file.
func readSecret(path string, v any) (bool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the installation
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("%s: %w: delete it", path, err)
	}
	return true, nil
}
