package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// createclusterDir is where Debian's postgresql-common looks for more settings of new clusters.
const createclusterDir = "/etc/postgresql-common/createcluster.d"

// ErrCannotInstall means that Install may not install here; its text names the command that would.
var ErrCannotInstall = errors.New("PostgreSQL is missing and cannot be installed from here")

// Install installs Debian's PostgreSQL server as root and reports its progress to log. The package would make a
// cluster and start it on port 5432; a setting tells it not to, which is taken back afterwards.
func Install(ctx context.Context, log io.Writer) error {
	return installer{
		root: os.Geteuid() == 0,
		dir:  createclusterDir,
		run: func(ctx context.Context, command ...string) error {
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			cmd.Stdout, cmd.Stderr = log, log
			return cmd.Run()
		},
		find: exec.LookPath,
		log:  log,
	}.install(ctx)
}

// installer is Install with its surroundings made explicit.
type installer struct {
	root bool
	dir  string
	run  func(ctx context.Context, command ...string) error
	find func(program string) (string, error)
	log  io.Writer
}

func (i installer) install(ctx context.Context) error {
	if _, err := i.find("apt-get"); err != nil {
		return fmt.Errorf("%w: install the PostgreSQL server, version %d or newer, with the package manager of this system, "+
			"or set %s to the directory of initdb and postgres", ErrCannotInstall, minMajor, BinEnv)
	}
	if !i.root {
		return fmt.Errorf("%w, because that takes root: run  sudo apt-get install -y postgresql  or set %s to the directory of initdb and postgres",
			ErrCannotInstall, BinEnv)
	}
	fmt.Fprintln(i.log, "==> installing the package postgresql (no server is left running)")
	undo, err := i.forbidMainCluster()
	if err != nil {
		return err
	}
	err = i.apt(ctx)
	return errors.Join(err, undo())
}

func (i installer) apt(ctx context.Context) error {
	for _, command := range [][]string{
		{"apt-get", "-q", "update"},
		{"apt-get", "-q", "install", "-y", "--no-install-recommends", "postgresql"},
	} {
		if err := i.run(ctx, command...); err != nil {
			return fmt.Errorf("%w: %q failed (%w); run it by hand and see why", ErrCannotInstall, command, err)
		}
	}
	return nil
}

// forbidMainCluster makes the package's own cluster stay away. Undoing it removes what it made, so an administrator
// who installs another version later gets what Debian documents.
func (i installer) forbidMainCluster() (undo func() error, err error) {
	missing := ""
	for dir := i.dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = dir
	}
	if err := os.MkdirAll(i.dir, 0o755); err != nil { // a directory of the system's configuration
		return nil, fmt.Errorf("%w: %w", ErrCannotInstall, err)
	}
	file := filepath.Join(i.dir, "steward.conf")
	if err := os.WriteFile(file, []byte("create_main_cluster = false\n"), 0o644); err != nil { // read by the package's scripts
		return nil, fmt.Errorf("%w: %w", ErrCannotInstall, err)
	}
	return func() error {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("take the setting back: %w", err)
		}
		for dir := i.dir; missing != "" && len(dir) >= len(missing); dir = filepath.Dir(dir) {
			_ = os.Remove(dir) // it stays when the package has put something there
		}
		return nil
	}, nil
}
