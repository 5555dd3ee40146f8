package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stewardhq/steward/events"
)

// dev is a Steward that "steward dev" runs, with an empty store.
type dev struct {
	*process

	data        string
	BaseURL     string            `json:"base_url"`
	APIKeys     map[string]string `json:"api_keys"`
	PostgresURL string            `json:"postgres_url"`
	EventStore  string            `json:"event_store"`
}

// readyPatience is how long an installation may take to be made and started.
const readyPatience = 2 * time.Minute

// startDev starts an installation of its own, in a directory of that name.
func (b *bench) startDev(ctx context.Context, name string) (*dev, error) {
	b.progress.say("starting steward dev")
	d := &dev{data: filepath.Join(b.dir, name)}
	read, write := io.Pipe()
	var err error
	d.process, err = b.start(ctx, b.environment(), write,
		"dev", "--data", d.data, "--addr", "127.0.0.1:0", "--no-demo", "--output", "json")
	if err != nil {
		return nil, err
	}
	go func() {
		<-d.ended
		_ = write.Close()
	}()
	ready := make(chan error, 1)
	go func() {
		ready <- json.NewDecoder(read).Decode(d)
		_, _ = io.Copy(io.Discard, read)
	}()
	timeout := time.NewTimer(readyPatience)
	defer timeout.Stop()
	select {
	case err = <-ready:
	case <-timeout.C:
		err = fmt.Errorf("it was not ready after %s", readyPatience)
	}
	if err != nil {
		return nil, fmt.Errorf("steward dev: %w", errors.Join(err, d.stop()))
	}
	return d, nil
}

// close stops the installation and removes it, so that the next one has the disk.
func (d *dev) close() error {
	return errors.Join(d.stop(), os.RemoveAll(d.data))
}

// masterKey is where dev keeps the key that wraps all others.
func (d *dev) masterKey() string { return filepath.Join(d.data, "master.key") }

// caller calls the API as the owner of the store, over as many connections as
// there are clients.
func (d *dev) caller(clients int) *caller { return newCaller(d.BaseURL, d.APIKeys["owner"], clients) }

// settle waits until the read models have reached a position and the process has
// nothing left to do.
func (d *dev) settle(ctx context.Context, position events.Position) error {
	if err := awaitProjected(ctx, d.PostgresURL, position); err != nil {
		return err
	}
	return d.awaitQuiet(ctx)
}

// awaitProjected waits until the read models have reached a position.
func awaitProjected(ctx context.Context, url string, position events.Position) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("look at the read models: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to lose
	for begun := time.Now(); time.Since(begun) < quietPatience; {
		var reached uint64
		err := conn.QueryRow(ctx, `SELECT commit FROM read_core.checkpoint`).Scan(&reached)
		if err == nil && reached >= position.Commit {
			return nil
		}
		if err != nil && !missing(err) {
			return fmt.Errorf("look at the read models: %w", err)
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the read models did not reach position %d in %s", position.Commit, quietPatience)
}

// missing reports whether err says that a table does not exist, or not yet.
func missing(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "42P01" || refused.Code == "3F000")
}
