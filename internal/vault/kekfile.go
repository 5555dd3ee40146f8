package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKEKFile bounds what is read; a key takes 45 bytes.
const maxKEKFile = 1024

// OpenKEKFile reads a master key: 32 random bytes in base64, alone in a file
// that only its owner can read. Every refusal names the file and what to do.
func OpenKEKFile(path string) (*FileKEK, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	material, err := parseKEK(text)
	if err != nil {
		return nil, fmt.Errorf("master key file %s: %w; put a key there with: %s", path, err, recipe(path))
	}
	defer clear(material)
	return newFileKEK(path, material)
}

// CreateKEKFile writes a new master key to path with mode 0600. It never
// overwrites: when something is there it fails with [fs.ErrExist]. The file is
// on disk, whole, before it has its name.
func CreateKEKFile(path string) error {
	err := createKEKFile(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("master key file %s: it is there already and stays as it is: %w", path, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("create master key file %s: %w", path, err)
	}
	return nil
}

func createKEKFile(path string) (err error) {
	material := make([]byte, keySize)
	_, _ = rand.Read(material) // never fails
	defer clear(material)
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".master-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if _, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(material)); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link fails when the name is taken.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("master key file %s: it does not exist: restore it from its backup, or for a new installation create it with: %s: %w",
			path, recipe(path), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("open master key file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at master key file: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("master key file %s: it is not a regular file", path)
	case mode.Perm()&^0o600 != 0:
		return nil, fmt.Errorf("master key file %s: its mode %04o lets others at it: run chmod 600 %s", path, mode.Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKEKFile+1))
	if err != nil {
		return nil, fmt.Errorf("read master key file: %w", err)
	}
	return text, nil
}

// recipe is a command that makes a key file without overwriting one.
func recipe(path string) string {
	return "(umask 077; set -C; head -c 32 /dev/urandom | base64 > " + path + ")"
}

func parseKEK(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, errors.New("it is empty")
	}
	material, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		material, err = base64.RawStdEncoding.AppendDecode(nil, text)
	}
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	if len(material) != keySize {
		return nil, fmt.Errorf("it holds %d bytes instead of %d", len(material), keySize)
	}
	if obvious(material) {
		return nil, errors.New("it holds a sample, not a random key")
	}
	return material, nil
}

// obvious reports whether a key is one that people type: a repeated pattern,
// as all zeros are, a sequence, or text. Chance makes such a key less often
// than once in 10^13.
func obvious(key []byte) bool {
	pattern, sequence, text := true, true, true
	for i, b := range key {
		pattern = pattern && b == key[i%(keySize/2)]
		sequence = sequence && (i == 0 || b-key[i-1] == key[1]-key[0])
		text = text && b >= ' ' && b <= '~'
	}
	return pattern || sequence || text
}
