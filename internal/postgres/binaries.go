package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// BinEnv names the environment variable that says which directory holds the PostgreSQL server programs.
const BinEnv = "STEWARD_PG_BIN"

// packagedBins is where Debian's packages put the server programs of every major version.
const packagedBins = "/usr/lib/postgresql/*/bin"

// ErrNoBinaries means that this machine has no usable PostgreSQL server programs.
var ErrNoBinaries = errors.New("no PostgreSQL server programs (initdb and postgres) found")

// Binaries is a directory of PostgreSQL server programs that were seen to run.
type Binaries struct {
	Dir   string
	Major int // the major version, such as 15
}

// FindBinaries looks for the server programs: in $STEWARD_PG_BIN if that is set, else along $PATH, else where
// Debian's packages put them, the highest version first. It returns ErrNoBinaries, wrapped with what to do, when
// there are none.
func FindBinaries(ctx context.Context) (Binaries, error) {
	return findBinaries(ctx, 0)
}

// findBinaries is FindBinaries for one major version; 0 means any.
func findBinaries(ctx context.Context, major int) (Binaries, error) {
	if dir := os.Getenv(BinEnv); dir != "" {
		b, err := inspect(ctx, dir)
		if err != nil {
			return Binaries{}, fmt.Errorf("%s=%s: %w", BinEnv, dir, err)
		}
		if major != 0 && b.Major != major {
			return Binaries{}, fmt.Errorf("%s=%s is PostgreSQL %d, but the data directory needs %d", BinEnv, dir, b.Major, major)
		}
		return b, nil
	}
	for _, dir := range candidates() {
		b, err := inspect(ctx, dir)
		if err == nil && (major == 0 || b.Major == major) {
			return b, nil
		}
	}
	what := "postgresql"
	if major != 0 {
		what = fmt.Sprintf("postgresql-%d", major)
	}
	return Binaries{}, fmt.Errorf("%w in $PATH or %s; install them (on Debian: apt-get install -y %s) or set %s to their directory",
		ErrNoBinaries, packagedBins, what, BinEnv)
}

// candidates lists the directories to look into, best first. A program found along $PATH may be a link or a
// wrapper, so the directory it really lives in counts.
func candidates() []string {
	var dirs []string
	add := func(dir string) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil {
			add(filepath.Dir(real))
		}
	}
	packaged, _ := filepath.Glob(packagedBins) // the pattern is well formed
	slices.SortFunc(packaged, func(a, b string) int { return packagedMajor(b) - packagedMajor(a) })
	for _, dir := range packaged {
		add(dir)
	}
	return dirs
}

// packagedMajor is the version in a path such as /usr/lib/postgresql/15/bin.
func packagedMajor(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect runs both programs of dir, because a file of the right name may be a wrapper for a server that is gone.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	b := Binaries{Dir: dir}
	for _, program := range []string{"initdb", "postgres"} {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, program), "--version")
		cmd.Env = serverEnv()
		out, err := cmd.Output()
		if err != nil {
			return Binaries{}, fmt.Errorf("%s does not run there: %w", program, err)
		}
		m := versionPattern.FindSubmatch(out)
		if m == nil {
			return Binaries{}, fmt.Errorf("%s there is not PostgreSQL's", program)
		}
		major, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return Binaries{}, fmt.Errorf("%s there has an odd version: %w", program, err)
		}
		if b.Major != 0 && b.Major != major {
			return Binaries{}, fmt.Errorf("initdb there is version %d, postgres version %d", b.Major, major)
		}
		b.Major = major
	}
	if b.Major < minMajor {
		return Binaries{}, fmt.Errorf("PostgreSQL %d is too old, Steward needs %d", b.Major, minMajor)
	}
	return b, nil
}

// minMajor is the oldest version whose SQL Steward is written for.
const minMajor = 15

// serverEnv is the environment of every server program: nothing of the caller's locale, time zone or PG* variables.
func serverEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}
