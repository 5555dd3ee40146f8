package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/esnode"
)

const storeHelp = `Look after the event store: the log that everything else is made from.

  check, stats, backup, restore   are for the embedded store in a data directory.
                                  All but restore work while Steward runs, through
                                  the process that has the store open, and when
                                  none runs.
  export, import                  copy a whole log, from either kind of store to
                                  either kind: the way to an EventStoreDB cluster
                                  when one machine is no longer enough.

They need neither the database nor the keys. The store is the one of --data,
or else the one that STEWARD_EVENTSTORE_URL or STEWARD_DATA names.`

func newStoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look after the event store: check it, back it up, copy it to another",
		Long:  storeHelp,
		Example: `  steward store stats
  steward store backup /backup/2026-11-22
  steward store check --backup /backup/2026-11-22
  steward store export log.ndjson.gz`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(
		newStoreCheckCommand(), newStoreStatsCommand(), newStoreBackupCommand(), newStoreRestoreCommand(),
		newStoreExportCommand(), newStoreImportCommand(),
	)
	return cmd
}

// storeConfig is the configuration of the commands that look after the event
// store. A directory that is given by name goes before a cluster that is
// configured.
func storeConfig(cmd *cobra.Command) (config, error) {
	c, err := operatorConfig(cmd)
	if err != nil {
		return config{}, err
	}
	if cmd.Flags().Changed("data") {
		c.EventStoreURL = ""
	}
	// What these commands have to say they print; the store opens and closes quietly.
	c.level = max(c.level, slog.LevelWarn)
	return c, nil
}

func addStoreFlag(cmd *cobra.Command) {
	cmd.Flags().String("data", "", "data directory of the embedded event store (default $STEWARD_DATA, or "+defaultData()+")")
}

// name is what the event store is called in messages, without credentials.
func (c config) name() string {
	if c.EventStoreURL == "" {
		return "the embedded event store in " + c.Data
	}
	if u, err := url.Parse(c.EventStoreURL); err == nil && u.Host != "" {
		return "the event store at " + u.Host
	}
	return "the event store of STEWARD_EVENTSTORE_URL"
}

// embedded returns the data directory of the embedded store, and refuses for
// another store, whose operators shall do instead what is given.
func (c config) embedded(instead string) (dataDir, error) {
	switch {
	case c.EventStoreURL != "":
		return "", fmt.Errorf("STEWARD_EVENTSTORE_URL is set, and %s is not an embedded one: %s; or name the data directory of an embedded one with --data", c.name(), instead)
	case c.Data == "":
		return "", errors.New("no event store: set STEWARD_DATA to the data directory of the embedded one, or name it with --data")
	}
	return dataDir(c.Data), nil
}

// storeAdmin is what operators do to an embedded store, wherever it is open.
type storeAdmin interface {
	Check(ctx context.Context, options esnode.CheckOptions) (esnode.CheckReport, error)
	Stats(ctx context.Context, options esnode.StatsOptions) (esnode.Stats, error)
	Backup(ctx context.Context, dir string, options esnode.BackupOptions) (esnode.Backup, error)
	Close() error
}

// openStoreAdmin reaches the store of a data directory through the process
// that has it open, or by itself when none has.
func openStoreAdmin(ctx context.Context, c config, instead string) (storeAdmin, error) {
	data, err := c.embedded(instead)
	if err != nil {
		return nil, err
	}
	if !data.holdsEvents() {
		return nil, fmt.Errorf("%s holds no event store: name the data directory with --data or STEWARD_DATA", data)
	}
	socket, err := data.served(ctx)
	if err != nil {
		return nil, err
	}
	if socket != "" {
		return esnode.Dial(socket)
	}
	return closedStore{dir: data.events(), log: c.logger()}, nil
}

// closedStore is a store that no process has open.
type closedStore struct {
	dir string
	log *slog.Logger
}

// Check implements storeAdmin. It changes nothing.
func (s closedStore) Check(ctx context.Context, options esnode.CheckOptions) (report esnode.CheckReport, err error) {
	err = whenFree(ctx, func() error {
		report, err = esnode.Check(ctx, s.dir, options)
		return err
	})
	return report, err
}

// Stats implements storeAdmin.
func (s closedStore) Stats(ctx context.Context, options esnode.StatsOptions) (stats esnode.Stats, err error) {
	err = s.open(ctx, func(n *esnode.Node) error {
		stats, err = n.Stats(ctx, options)
		return err
	})
	return stats, err
}

// Backup implements storeAdmin.
func (s closedStore) Backup(ctx context.Context, dir string, options esnode.BackupOptions) (made esnode.Backup, err error) {
	err = s.open(ctx, func(n *esnode.Node) error {
		made, err = n.Backup(ctx, dir, options)
		return err
	})
	return made, err
}

// Close implements storeAdmin.
func (closedStore) Close() error { return nil }

func (s closedStore) open(ctx context.Context, fn func(*esnode.Node) error) error {
	var node *esnode.Node
	err := whenFree(ctx, func() (err error) {
		node, err = esnode.Open(s.dir, esnode.Options{Logger: s.log})
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(fn(node), node.Close())
}
