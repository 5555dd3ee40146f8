package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxSocketPath is what a Unix socket address holds: 108 bytes with the final zero on Linux, 104 elsewhere.
const maxSocketPath = 103

// checkSocketPath refuses a directory whose socket the kernel could not name.
func checkSocketPath(runDir string) error {
	if path := filepath.Join(runDir, ".s.PGSQL.5432"); len(path) > maxSocketPath {
		return fmt.Errorf("the socket path %s has %d bytes, %d are possible: choose a shorter directory", path, len(path), maxSocketPath)
	}
	// The server splits this setting at commas and unquotes it.
	if strings.ContainsAny(runDir, `,"'`) {
		return fmt.Errorf("the directory %s may not hold a comma or a quote: choose another", runDir)
	}
	return nil
}

// defaultRunDir derives a socket directory from the data directory, so that the next start finds the same one.
func defaultRunDir(acc account, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	name := "steward-pg-" + hex.EncodeToString(sum[:6])
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" && !acc.other {
		if in := filepath.Join(runtime, name); checkSocketPath(in) == nil {
			return in
		}
	}
	return filepath.Join("/tmp", name)
}

// socketURL is understood by pgx and by psql.
func socketURL(runDir, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", Superuser, url.PathEscape(database),
		strings.ReplaceAll(url.QueryEscape(runDir), "%2F", "/"))
}

// errEnded means that a server ended before it was ready.
var errEnded = errors.New("it ended at once")

// pollReady connects to url until that succeeds, ctx ends, or the server is known to have ended.
func pollReady(ctx context.Context, url string, ended func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		if ended() {
			return errEnded
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
