package postgres

import (
	"context"
	"database/sql"
	"io"
	"os"
	"testing"
)

// Reach is account.reach for the account that servers run as.
func Reach(path string) error { return serverAccount().reach(path) }

// Foreign reports whether servers run as another user than this process.
func Foreign() bool { return serverAccount().other }

// ServerDir makes a directory below which the server's user may have its own, and removes it when tb ends.
func ServerDir(tb testing.TB) string {
	tb.Helper()
	dir, err := temporaryBase(account{uid: os.Geteuid(), other: Foreign(), gid: serverAccount().gid})
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// InstallWith is Install in other surroundings.
func InstallWith(ctx context.Context, root bool, dir string, find func(string) (string, error), run func(context.Context, ...string) error) error {
	return installer{root: root, dir: dir, run: run, find: find, log: io.Discard}.install(ctx)
}

// Complaint is what a failed start quotes from a log.
func Complaint(log string) string { return complaint(log) }

// CheckSocketPath is the check of a socket directory.
func CheckSocketPath(dir string) error { return checkSocketPath(dir) }

// MigrateWithoutRoles does what versions before the roles did: everything as the user of the URL, up to a migration.
func MigrateWithoutRoles(ctx context.Context, url string, version int64) error {
	config, err := parse(url)
	if err != nil {
		return err
	}
	return withDB(ctx, config.ConnConfig, func(ctx context.Context, db *sql.DB) error {
		if _, err := db.ExecContext(ctx, `CREATE SCHEMA ops`); err != nil {
			return err
		}
		provider, err := newProvider(db)
		if err != nil {
			return err
		}
		_, err = provider.UpTo(ctx, version)
		return err
	})
}
