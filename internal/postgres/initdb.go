package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Superuser is the database role that owns a private cluster.
const Superuser = "postgres"

// dataVersion is the major version that wrote dir, 0 when dir is empty or absent. Anything else in there is an
// error, because initdb must never touch a stranger's files.
func dataVersion(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if err == nil {
		major, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return 0, fmt.Errorf("%s/PG_VERSION is damaged: restore the directory from a backup", dir)
		}
		return major, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read version of data directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read data directory: %w", err)
	}
	return 0, fmt.Errorf("%s holds files but no PostgreSQL cluster: choose another directory or empty it", dir)
}

// ctype is the locale that knows the letters of all languages and nothing else. Every Linux with glibc 2.35 has it.
const ctype = "C.UTF-8"

// initdb makes a cluster in dir. It builds beside dir and renames, so a crash leaves no half of one.
func initdb(ctx context.Context, bin Binaries, acc account, dir string, fsync bool) error {
	building := dir + ".new"
	if err := os.RemoveAll(building); err != nil {
		return fmt.Errorf("remove unfinished cluster: %w", err)
	}
	if err := acc.ownDir(building); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + building, "--username=" + Superuser, "--encoding=UTF8", "--data-checksums",
		// Sorted by bytes, but with letters beyond ASCII known to be letters: trigram search needs that.
		"--locale=C", "--lc-ctype=" + ctype,
		"--auth-local=trust", "--auth-host=reject",
	}
	if !fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin.Dir, "initdb"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", serverEnv(), acc.attr()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		_ = os.RemoveAll(building)
		return fmt.Errorf("initdb in %s as user %s: %w: %s", dir, acc.name, err, lastLine(output.String()))
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace empty directory: %w", err)
	}
	if err := os.Rename(building, dir); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return nil
}

// lastLine is the last line that says something.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
