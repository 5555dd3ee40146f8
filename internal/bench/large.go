package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/postgres"
)

// large is an installation, mostly one with a long past, on a database that outlives the
// processes that are measured. It is begun by steward init and served by steward
// serve.
type large struct {
	bench   *bench
	dir     string
	url     string // of its database
	cluster *postgres.Cluster
	storeID string // as the API writes it
	apiKey  string // of its owner
	past    *dataset

	rebuilt *rebuilding // once its read models were made
	settled bool        // once a process has caught up with everything
	toggler *toggler    // once commands were sent
}

// openLarge returns the large installation, which the first caller makes.
func (b *bench) openLarge(ctx context.Context) (*large, error) {
	if b.large != nil {
		return b.large, nil
	}
	b.progress.say("making an installation with %s events", grouped(float64(b.sizes.events)))
	l := &large{bench: b, dir: filepath.Join(b.dir, "large")}
	if err := l.make(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the large installation: %w", err), l.stop())
	}
	b.large = l
	return l, nil
}

// stop stops its database.
func (l *large) stop() error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	return l.cluster.Stop(ctx)
}

const largeDatabase = "steward"

func (l *large) make(ctx context.Context) error {
	if err := l.found(ctx); err != nil {
		return err
	}
	if err := l.fill(ctx); err != nil {
		return err
	}
	// In a real installation they were done as the events came.
	_, err := l.bench.run(ctx, l.environment(), "reactions", "reset", "all", "--to", "now", "--reason", "The past is made up.")
	return err
}

// found makes the installation without a past.
func (l *large) found(ctx context.Context) (err error) {
	if err := os.MkdirAll(l.dir, 0o711); err != nil { //nolint:gosec // the database's user passes it
		return err
	}
	if l.cluster, err = postgres.StartCluster(ctx, postgres.ClusterOptions{
		Dir: filepath.Join(l.dir, "postgres"), RunDir: filepath.Join(l.bench.dir, "pg"),
	}); err != nil {
		return err
	}
	if err := postgres.CreateDatabase(ctx, l.cluster.URL("postgres"), largeDatabase); err != nil {
		return err
	}
	l.url = l.cluster.URL(largeDatabase)
	out, err := l.bench.run(ctx, l.environment(), "init",
		"--store", "Bench", "--host", "bench.storefront.example", "--owner-email", "owner@storefront.example", "--output", "json")
	if err != nil {
		return err
	}
	var founded struct {
		StoreID string `json:"store_id"`
		APIKey  string `json:"api_key"`
	}
	if err := json.Unmarshal(out, &founded); err != nil {
		return fmt.Errorf("read what steward init printed: %w", err)
	}
	l.storeID, l.apiKey = founded.StoreID, founded.APIKey
	return nil
}

// environment is that of steward serve and of the commands beside it.
func (l *large) environment(more ...string) []string {
	return l.bench.environment(append(more,
		"STEWARD_POSTGRES_URL="+l.url, "STEWARD_DATA="+l.data(), "STEWARD_MASTER_KEY_FILE="+l.masterKey(),
		"STEWARD_LOG_LEVEL=warn", "STEWARD_LOG_FORMAT=text")...)
}

func (l *large) data() string      { return filepath.Join(l.dir, "data") }
func (l *large) masterKey() string { return filepath.Join(l.dir, "master.key") }

// fill writes the past into the event store, which this process serves meanwhile.
func (l *large) fill(ctx context.Context) (err error) {
	node, err := esnode.Open(filepath.Join(l.data(), "events"), esnode.Options{})
	if err != nil {
		return err
	}
	socket := filepath.Join(l.bench.runDir(), "fill.sock")
	served := make(chan error, 1)
	go func() { served <- node.Serve(context.WithoutCancel(ctx), socket) }()
	defer func() { err = errors.Join(err, node.Close(), <-served) }()
	ledger, err := openLedger(ctx, socket, l.url, l.masterKey())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.close()) }()
	s := l.bench.sizes
	l.past, err = ledger.generate(ctx, l.bench.progress, l.bench.seed, s.customers, s.domains, s.events)
	return err
}

// settle has a process catch up with everything once, the reactions included, so
// that what is measured later is the installation at rest.
func (l *large) settle(ctx context.Context) error {
	if _, err := l.rebuild(ctx); err != nil || l.settled {
		return err
	}
	l.bench.progress.say("letting serve catch up with the log")
	began := time.Now()
	s, err := l.serve(ctx)
	if err != nil {
		return err
	}
	err = s.awaitQuiet(ctx)
	if err := errors.Join(err, s.stop()); err != nil {
		return err
	}
	l.bench.progress.say("caught up in %.1f s", time.Since(began).Seconds())
	l.settled = true
	return nil
}
